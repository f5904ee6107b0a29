// Package process runs the lab's programs so that none outlives the lab. A program gets a process group of its own, a mark in its
// environment by which it is found again (Find, Sweep), and the kernel's promise that it is killed when the process that started it ends,
// however that happens. Only Linux gives that promise.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Variable is the environment variable that holds the mark.
const Variable = "WEIR_LAB"

// Spec is a program to run.
type Spec struct {
	Name string // for people; the log's and the error's
	Path string
	Args []string
	Env  []string // NAME=value, added to the environment of this process
	Dir  string   // "" = that of this process
	Log  string   // file that stdout and stderr are added to; "" = nowhere. It is emptied when it grows beyond 32 MiB.
}

// Process is a program that has been started. Its methods may be called from any goroutine.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended; written before done is closed
}

// Start runs a program. It and all of its process group are killed when ctx ends; to let it finish its work, call Stop before.
func Start(ctx context.Context, spec Spec, mark string) (*Process, error) {
	attributes, err := attributes()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	log, err := openLog(spec.Log)
	if err != nil {
		return nil, fmt.Errorf("start %s: open its log: %w", spec.Name, err)
	}
	p := &Process{spec: spec, done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, spec.Path, spec.Args...)
	p.cmd.Dir, p.cmd.SysProcAttr = spec.Dir, attributes
	p.cmd.Env = append(append(os.Environ(), spec.Env...), Variable+"="+mark)
	p.cmd.Cancel = func() error { return p.signal(syscall.SIGKILL) }
	if log != nil {
		p.cmd.Stdout, p.cmd.Stderr = log.File, log.File
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		log.close()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go log.watch(p.done)
	return p, nil
}

// run starts the program and waits for its end on one thread of the operating system: the kernel keeps its promise to a child when the
// thread that made it ends, not the process, and Go ends threads as it likes. Waiting would hold a thread anyway.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // what it left behind in its group, if anything
	close(p.done)
}

// Name returns the name of the spec.
func (p *Process) Name() string { return p.spec.Name }

// Pid returns the process id, which is its group's too.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the program ended, as exec.Cmd.Wait does: nil means with status 0. It is nil as well while the program runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Wait returns what Err does when the program has ended, or the cause of ctx's end.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", p.spec.Name, context.Cause(ctx))
	}
}

// Stop asks the group to end (SIGTERM), kills it after grace, and returns when the program has ended. The error says that it had to be
// killed. Stop may be called again and at any time.
func (p *Process) Stop(grace time.Duration) error {
	if p.signal(syscall.SIGTERM) != nil { // there is nobody left to signal
		<-p.done
		return nil
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.signal(syscall.SIGKILL)
	<-p.done
	return fmt.Errorf("stop %s: it did not end within %s and was killed", p.spec.Name, grace)
}

func (p *Process) signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return syscall.Kill(-p.Pid(), s)
	}
}
