package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// The child finds its listener and its parent's pipe under these numbers.
const (
	listenerFD = 3
	parentFD   = 4
)

// Inherited returns what StartChild passed to this process, for Config.Listener and Config.Parent.
func Inherited() (net.Listener, *os.File, error) {
	f := os.NewFile(listenerFD, "listener")
	if f == nil {
		return nil, nil, errors.New("inherit listener: not started by a supervisor")
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, nil, fmt.Errorf("inherit listener: %w", err)
	}
	_ = f.Close() // net.FileListener has its own copy
	// Non-blocking, so that Close ends a Read.
	if err := syscall.SetNonblock(parentFD, true); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("inherit pipe: %w", err), ln.Close())
	}
	return ln, os.NewFile(parentFD, "parent"), nil
}

// ChildConfig says how to run the child.
type ChildConfig struct {
	Command  func() *exec.Cmd // makes the command; StartChild adds the inherited files and takes stderr
	Listener *net.TCPListener // nil: one on a free loopback port. Closed by Stop.
	Stderr   io.Writer        // also gets the child's stderr; nil: nobody does
	Log      *slog.Logger

	MaxFailures int           // starts in a row without getting ready before the child is given up
	MinBackoff  time.Duration // after a crash, doubled for each one that follows without getting ready
	MaxBackoff  time.Duration
}

// DefaultChildConfig returns everything but the command and the logger.
func DefaultChildConfig() ChildConfig {
	return ChildConfig{MaxFailures: 5, MinBackoff: 100 * time.Millisecond, MaxBackoff: 5 * time.Second}
}

// Named errors of the supervisor.
var (
	ErrNoCommand = errors.New("command and log have to be set")
	ErrGivenUp   = errors.New("clickhouse does not start any more")
)

// Validate tells what is wrong with the configuration.
func (c ChildConfig) Validate() error {
	if c.Command == nil || c.Log == nil {
		return ErrNoCommand
	}
	if c.MaxFailures < 1 || c.MinBackoff <= 0 || c.MaxBackoff < c.MinBackoff {
		return fmt.Errorf("%w: failures %d, backoff %v to %v", ErrBadLimit, c.MaxFailures, c.MinBackoff, c.MaxBackoff)
	}
	return nil
}

// Child keeps a child process running. It holds the listening socket, so that the address stays the same over
// restarts, and the write end of a pipe, so that the child ends with this process however that ends.
type Child struct {
	cfg       ChildConfig
	listener  *net.TCPListener
	pipe      *os.File // write end
	inherited []*os.File
	client    *http.Client

	stop context.CancelCauseFunc
	kill context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	pid      int // of the running process, 0 for none; guarded by mu, as are the following
	restarts int
	err      error
}

// StartChild starts the child and returns when it answers. If its first process ends before that, the error
// has its last words. ctx bounds the start only; afterwards Stop ends the child.
func StartChild(ctx context.Context, cfg ChildConfig) (*Child, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	c := &Child{cfg: cfg, listener: cfg.Listener, done: make(chan struct{})}
	if err := c.open(); err != nil {
		c.close()
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	// The first cancel asks the process to stop, the second kills it.
	killed, kill := context.WithCancel(context.WithoutCancel(ctx))
	running, stop := context.WithCancelCause(killed)
	c.kill, c.stop = kill, stop
	first := make(chan error, 1)
	go c.supervise(running, killed, first)
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		kill()
		<-c.done
		return nil, fmt.Errorf("start clickhouse: %w", err)
	}
	return c, nil
}

// open makes what child processes inherit, and the client that asks them whether they are ready.
func (c *Child) open() error {
	if c.listener == nil {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		c.listener = ln
	}
	f, err := c.listener.File()
	if err != nil {
		return err
	}
	c.inherited = append(c.inherited, f)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	c.inherited, c.pipe = append(c.inherited, r), w
	// One connection per question: a connection kept would belong to a process that may be gone.
	c.client = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return nil
}

func (c *Child) close() {
	for _, f := range c.inherited {
		_ = f.Close()
	}
	if c.pipe != nil {
		_ = c.pipe.Close()
	}
	if c.listener != nil {
		_ = c.listener.Close()
	}
}

// Addr is the address of the HTTP interface, the same as long as the Child lives.
func (c *Child) Addr() string { return c.listener.Addr().String() }

// PID is the process number, 0 while there is no process.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Restarts counts the processes started after the first.
func (c *Child) Restarts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarts
}

// Done is closed when no process runs and none will be started.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err says, once Done is closed, why: nil after Stop.
func (c *Child) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop sends SIGTERM and waits. When ctx ends before the process has, it is killed. Stop may be called again.
func (c *Child) Stop(ctx context.Context) error {
	c.stop(nil)
	select {
	case <-c.done:
	case <-ctx.Done():
		c.kill()
		<-c.done
	}
	return c.Err()
}
