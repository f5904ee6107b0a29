package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// supervise runs one process after the other until running ends; killed ends at the latest when the process
// running then shall not end by itself. The outcome of the first start goes to first.
func (c *Child) supervise(running, killed context.Context, first chan<- error) {
	defer close(c.done)
	defer c.close()
	failures := 0
	for n := 0; running.Err() == nil; n++ {
		c.setRestarts(n)
		ready, err := c.runOnce(running, killed, func() {
			if n == 0 {
				first <- nil
			}
		})
		if running.Err() != nil {
			c.fail(stopError(err))
			return
		}
		if err == nil {
			err = errUnasked
		}
		if n == 0 && !ready {
			first <- err
			return
		}
		failures++
		if ready {
			failures = 1
		}
		if failures > c.cfg.MaxFailures {
			c.fail(fmt.Errorf("%w: %d starts in a row failed, the last with: %w", ErrGivenUp, c.cfg.MaxFailures, err))
			return
		}
		wait := backoff(c.cfg, failures)
		c.cfg.Log.Warn("clickhouse ended, starting it again", "error", err, "wait", wait)
		select {
		case <-running.Done():
		case <-time.After(wait):
		}
	}
}

// Ends of a process that are errors though the process does not say so.
var (
	errUnasked = errors.New("process ended unasked")
	errKilled  = errors.New("process had to be killed")
)

// stopError is what is wrong with the end of a process that was asked to end.
func stopError(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		// It was asked before it could listen.
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("stop clickhouse: %w", err)
	}
	return nil
}

// backoff doubles with every failure up to the maximum.
func backoff(cfg ChildConfig, failures int) time.Duration {
	d := cfg.MinBackoff
	for range failures - 1 {
		if d >= cfg.MaxBackoff/2 {
			return cfg.MaxBackoff
		}
		d *= 2
	}
	return d
}

func (c *Child) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// runOnce runs one process to its end, and reports whether it has ever been ready.
func (c *Child) runOnce(running, killed context.Context, onReady func()) (ready bool, err error) {
	words := &tail{next: c.cfg.Stderr}
	cmd := c.cfg.Command()
	cmd.ExtraFiles = c.inherited
	cmd.Stderr = words
	cmd.WaitDelay = time.Second // for grandchildren that keep stderr open
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start process: %w", err)
	}
	c.setPID(cmd.Process.Pid)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	isReady := make(chan struct{})
	poll, stopPolling := context.WithCancel(running)
	var polling sync.WaitGroup
	polling.Go(func() {
		if c.waitReady(poll) {
			close(isReady)
		}
	})
	defer polling.Wait()
	defer stopPolling()

	asked := running.Done()
	for {
		select {
		case <-isReady:
			ready, isReady = true, nil
			onReady()
		case <-asked:
			asked = nil
			signalProcess(cmd, syscall.SIGTERM)
		case <-killed.Done():
			signalProcess(cmd, syscall.SIGKILL)
			<-exited //nolint:errcheck // how a killed process ended tells nothing
			c.setPID(0)
			return ready, errKilled
		case err := <-exited:
			c.setPID(0)
			return ready, exitError(err, words.String())
		}
	}
}

// signalProcess sends a signal. The only thing that can go wrong is that the process has just ended.
func signalProcess(cmd *exec.Cmd, sig syscall.Signal) { _ = cmd.Process.Signal(sig) }

func exitError(err error, words string) error {
	if err == nil || words == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, words)
}

func (c *Child) setPID(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
}

func (c *Child) setRestarts(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarts = n
}

// waitReady asks until the process answers or ctx ends. While no process accepts, connections wait in the
// backlog of the listener, so that a question fails by its timeout only.
func (c *Child) waitReady(ctx context.Context) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.askReady(ctx) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

func (c *Child) askReady(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Addr()+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := c.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// tailBytes is how much of the child's stderr an error carries.
const tailBytes = 4 << 10

// tail keeps the last of what is written to it.
type tail struct {
	next io.Writer // may be nil

	mu   sync.Mutex
	last []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.last = append(t.last, p...)
	if n := len(t.last) - tailBytes; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	t.mu.Unlock()
	if t.next != nil {
		// The child must not end because nobody wants its words.
		_, _ = t.next.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
