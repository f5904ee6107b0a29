package process

import (
	"context"
	"sync/atomic"
	"time"
)

// How long a kept process stays ended: longer each time it ends soon, from the beginning when it has run a while.
const (
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second
	steady     = 30 * time.Second
)

// Event is what happened to a kept process.
type Event struct {
	Name  string
	Pid   int // 0 if it could not be started
	Ended bool
	Err   error         // why it ended or could not be started; nil with Ended means status 0
	Pause time.Duration // with Ended: until the next start; 0 if there is none
}

// Kept is a program that is started again whenever it ends.
type Kept struct {
	spec    Spec
	mark    string
	on      func(Event)
	stop    context.CancelFunc
	done    chan struct{}
	err     error // of the last Stop; written before done is closed
	current atomic.Pointer[Process]
	starts  atomic.Int64
	grace   atomic.Int64
}

// Keep runs a program until Stop or until ctx ends, which kills it. Each start and end is told to on, one after the other; on may be nil
// and must not call Stop.
func Keep(ctx context.Context, spec Spec, mark string, on func(Event)) *Kept {
	if on == nil {
		on = func(Event) {}
	}
	run, stop := context.WithCancel(ctx)
	k := &Kept{spec: spec, mark: mark, on: on, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.run(ctx, run)
	}()
	return k
}

// Name returns the name of the spec.
func (k *Kept) Name() string { return k.spec.Name }

// Log returns the file that the program writes to.
func (k *Kept) Log() string { return k.spec.Log }

// Starts returns how often the program has been started.
func (k *Kept) Starts() int { return int(k.starts.Load()) }

// Pid returns the process id, or 0 while the program does not run.
func (k *Kept) Pid() int {
	p := k.current.Load()
	if p == nil {
		return 0
	}
	return p.Pid()
}

// Restart ends the program, as Process.Stop does. It is started again after the usual pause.
func (k *Kept) Restart(grace time.Duration) error {
	if p := k.current.Load(); p != nil {
		return p.Stop(grace)
	}
	return nil
}

// Stop ends the program for good, as Process.Stop does. It may be called again.
func (k *Kept) Stop(grace time.Duration) error {
	k.grace.Store(int64(grace))
	k.stop()
	<-k.done
	return k.err
}

// run keeps the program going until run ends. The program itself lives as long as ctx, so that Stop can be gentle.
func (k *Kept) run(ctx, run context.Context) {
	for pause := firstPause; run.Err() == nil; pause = min(2*pause, longPause) {
		began := time.Now()
		pid, err := k.once(ctx, run)
		if run.Err() != nil {
			k.on(Event{Name: k.spec.Name, Pid: pid, Ended: true, Err: err})
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		k.on(Event{Name: k.spec.Name, Pid: pid, Ended: true, Err: err, Pause: pause})
		timer := time.NewTimer(pause)
		select {
		case <-run.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// once runs the program to its end.
func (k *Kept) once(ctx, run context.Context) (pid int, err error) {
	p, err := Start(ctx, k.spec, k.mark)
	if err != nil {
		return 0, err
	}
	k.starts.Add(1)
	k.current.Store(p)
	defer k.current.Store(nil)
	k.on(Event{Name: k.spec.Name, Pid: p.Pid()})
	select {
	case <-p.Done():
	case <-run.Done():
		k.err = p.Stop(time.Duration(k.grace.Load()))
	}
	return p.Pid(), p.Err()
}
