//go:build amd64 || arm64

package rename

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wakeEvery is how often a tracer that is to let go is woken.
const wakeEvery = 20 * time.Millisecond

// kill runs a tracer on a thread of its own, which ends with it: the kernel then lets go of whatever an error has left traced.
func kill(ctx context.Context, pid int, at Point) (call Call, err error) {
	t := &tracer{pid: pid, at: at, rest: max(1, at.Nth), ctx: ctx}
	done := make(chan struct{})
	go onFreshThread(func() {
		defer close(done)
		call, err = t.run()
	})
	select {
	case <-done:
		return call, err
	case <-ctx.Done():
	}
	// The tracer waits for the process; a signal that means nothing to it, and that the tracer keeps to itself, wakes both.
	ticker := time.NewTicker(wakeEvery)
	defer ticker.Stop()
	for {
		_ = syscall.Kill(pid, syscall.SIGWINCH) // gone? then the tracer sees that
		select {
		case <-done:
			return call, err
		case <-ticker.C:
		}
	}
}

// onFreshThread runs do on a thread that has started no program, and ends the thread with it: waiting for what one traces is waiting for
// one's children too.
func onFreshThread(do func()) {
	runtime.LockOSThread()
	if _, err := wait(unix.WNOHANG); errors.Is(err, unix.ECHILD) {
		do()
		return
	}
	done := make(chan struct{})
	go func() { // on another thread, as this one is held
		defer close(done)
		onFreshThread(do)
	}()
	<-done
	runtime.UnlockOSThread()
}

// tracer follows all threads of a process. It belongs to one thread of the operating system.
type tracer struct {
	pid     int
	at      Point
	rest    int // matching calls until the kill
	ctx     context.Context
	leaving bool // lets go of each thread as it stops
}

func (t *tracer) run() (Call, error) {
	if err := t.seize(); err != nil {
		return Call{}, err
	}
	for {
		tid, status, err := t.nextStop()
		switch {
		case errors.Is(err, errGone) && t.leaving:
			return Call{}, ErrNone
		case errors.Is(err, errGone):
			return Call{}, ErrEnded
		case err != nil:
			return Call{}, err
		}
		if t.ctx.Err() != nil && !t.leaving {
			t.leaving = true
			if err := t.interrupt(); err != nil {
				return Call{}, err
			}
		}
		if call, ok := t.hit(tid, status); ok {
			return call, t.die()
		}
		t.resume(tid, status)
	}
}

// die kills the process and follows it to its end.
func (t *tracer) die() error {
	err := syscall.Kill(t.pid, syscall.SIGKILL)
	for err == nil {
		_, _, err = t.nextStop()
	}
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// hit says whether a thread stands at the call to kill at.
func (t *tracer) hit(tid, status int) (Call, bool) {
	if t.leaving || status != int(unix.SIGTRAP)|syscallStop {
		return Call{}, false
	}
	call, ok := renameAt(tid)
	if !ok || !t.at.matches(call) {
		return call, false
	}
	t.rest--
	return call, t.rest == 0
}

// resume lets a stopped thread go on: to its next system call, or for good.
func (t *tracer) resume(tid, status int) {
	signal, event := status&0xff, status>>8
	switch {
	case event != 0 || status == int(unix.SIGTRAP)|syscallStop || signal == int(unix.SIGWINCH):
		signal = 0 // the tracer's own, not the program's
	case signal == int(unix.SIGTRAP):
		signal = 0
	}
	request := unix.PTRACE_SYSCALL
	switch {
	case t.leaving:
		request = unix.PTRACE_DETACH
	case event == unix.PTRACE_EVENT_STOP && isStop(status&0xff):
		request, signal = unix.PTRACE_LISTEN, 0 // somebody stopped the process (SIGSTOP): it stays so until SIGCONT
	}
	_ = ptrace(request, tid, 0, uintptr(signal)) // it fails only when the thread is gone, which the next wait shows
}

func isStop(signal int) bool {
	switch unix.Signal(signal) {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}
