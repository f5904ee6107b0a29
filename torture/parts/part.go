package parts

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/lab/process"
)

const (
	grace     = 30 * time.Second // for a part to end by itself when it is asked to
	askEvery  = 50 * time.Millisecond
	askWithin = 2 * time.Second
)

// part is one process, which may be dead.
type part struct {
	spec  process.Spec
	mark  string
	ops   string // host:port of its operations endpoint; "" = none
	plain string // host:port that it listens on once it is ready, for parts without one

	mu      sync.Mutex // guards running
	running *process.Process
}

// run starts the part. One that runs already is left alone.
func (p *part) run(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil && !ended(p.running) {
		return nil
	}
	started, err := process.Start(ctx, p.spec, p.mark)
	if err != nil {
		return err
	}
	p.running = started
	return nil
}

func ended(p *process.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func (p *part) current() *process.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

// alive returns the process, or an error if it has ended.
func (p *part) alive() (*process.Process, error) {
	now := p.current()
	if now == nil {
		return nil, fmt.Errorf("%s has not been started", p.spec.Name)
	}
	if ended(now) {
		return nil, fmt.Errorf("%s has ended (%w), see %s", p.spec.Name, ending(now), p.spec.Log)
	}
	return now, nil
}

func ending(p *process.Process) error {
	if err := p.Err(); err != nil {
		return err
	}
	return errDone
}

// signal sends a signal to the part and all it has started.
func (p *part) signal(s syscall.Signal) error {
	now, err := p.alive()
	if err != nil {
		return err
	}
	if err := syscall.Kill(-now.Pid(), s); err != nil {
		return fmt.Errorf("send %s to %s: %w", s, p.spec.Name, err)
	}
	return nil
}

// ask returns nil if the part says that it is ready.
func (p *part) ask(ctx context.Context) error {
	if _, err := p.alive(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if p.ops == "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.plain)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.ops+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it says %s %s", answer.Status, text)
	}
	return nil
}

// await asks until the part is ready, has ended, or ctx ends.
func (p *part) await(ctx context.Context) error {
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		if _, dead := p.alive(); dead != nil {
			return dead
		}
		if pause.For(ctx, askEvery) != nil {
			return fmt.Errorf("wait for %s: %w: %w, see %s", p.spec.Name, context.Cause(ctx), err, p.spec.Log)
		}
	}
}
