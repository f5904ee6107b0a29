package process_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/process"
)

// TestThreadsMayEnd: the process must not end with the thread of whoever called Start.
func TestThreadsMayEnd(t *testing.T) {
	var p *process.Process
	thread := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		var err error
		if p, err = process.Start(t.Context(), sleep(), t.TempDir()); err != nil {
			t.Error(err)
		}
		thread <- syscall.Gettid()
	}()
	tid := <-thread
	if p == nil {
		return
	}
	if tid == os.Getpid() {
		t.Log("the main thread never ends: this time, nothing is proved")
	} else {
		eventually(t, "the thread has ended", func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
			return err != nil
		})
	}
	_ = p.Stop(20 * time.Second)
	var exit *exec.ExitError
	if !errors.As(p.Err(), &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended by %v, not by Stop", p.Err())
	}
}
