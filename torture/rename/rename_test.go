//go:build linux && (amd64 || arm64)

package rename_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/torture/rename"
)

// TestMain is also the program that is traced: it renames files for ever, on several threads.
func TestMain(m *testing.M) {
	if code, child := rename.Child(); child {
		os.Exit(code)
	}
	if dir := os.Getenv("RENAME_TEST_DIR"); dir != "" {
		renameAll(dir, os.Getenv("RENAME_TEST_ROUNDS") == "1")
	}
	goleak.VerifyTestMain(m)
}

// renameAll makes other-N, renames it to kept-N, makes tmp_insert_N and renames that to part-N, and says N. A thread comes and goes each time.
func renameAll(dir string, once bool) {
	for i := 0; ; i++ {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			runtime.LockOSThread() // the thread ends with the goroutine
		}()
		<-gone
		for old, now := range map[string]string{"other-": "kept-", "tmp_insert_": "part-"} {
			if err := os.WriteFile(filepath.Join(dir, old+fmt.Sprint(i)), nil, 0o600); err != nil {
				os.Exit(1)
			}
			if err := os.Rename(filepath.Join(dir, old+fmt.Sprint(i)), filepath.Join(dir, now+fmt.Sprint(i))); err != nil {
				os.Exit(1)
			}
		}
		fmt.Println(i)
		if once {
			os.Exit(0)
		}
	}
}

type program struct {
	cmd   *exec.Cmd
	dir   string
	lines *bufio.Scanner
}

func start(t *testing.T, env ...string) *program {
	t.Helper()
	p := &program{dir: t.TempDir()}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(append(os.Environ(), "RENAME_TEST_DIR="+p.dir), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	p.lines = bufio.NewScanner(out)
	return p
}

// kill kills on a rename. It skips where tracing is forbidden.
func kill(t *testing.T, ctx context.Context, pid int, at rename.Point) (rename.Call, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	call, err := rename.Kill(ctx, pid, at)
	if errors.Is(err, rename.ErrNotAllowed) {
		t.Skip(err)
	}
	return call, err
}

func TestKill(t *testing.T) {
	for _, nth := range []int{0, 1, 2, 7} {
		p := start(t)
		p.lines.Scan()
		call, err := kill(t, t.Context(), p.cmd.Process.Pid, rename.Point{Part: "tmp_insert_", Nth: nth})
		if err != nil {
			t.Fatal(err)
		}
		for p.lines.Scan() { // until it is dead
		}
		var exit *exec.ExitError
		if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("its parent saw it end with %v", err)
		}
		if !strings.Contains(call.Old, "/tmp_insert_") || !strings.Contains(call.New, "/part-") {
			t.Errorf("killed at %+v", call)
		}
		if _, err := os.Stat(call.Old); err != nil {
			t.Errorf("the rename was carried out: %v", err)
		}
		if _, err := os.Stat(call.New); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the rename was carried out: %s is there (%v)", call.New, err)
		}
	}
}

// TestApart kills a process while this one waits for its end, which would take each stop of a process that it traces itself for the end.
func TestApart(t *testing.T) {
	p := start(t)
	read, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(read)
		for p.lines.Scan() {
		}
	}()
	defer func() { <-read }()
	go func() {
		state, err := p.cmd.Process.Wait()
		if err == nil && state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			err = fmt.Errorf("its parent saw it end with %v", state)
		}
		ended <- err
	}()
	within, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rename.Apart(within, p.cmd.Process.Pid, rename.Point{Part: "never"}); err == nil {
		t.Error("nothing was renamed and something was killed")
	}
	call, err := rename.Apart(t.Context(), p.cmd.Process.Pid, rename.Point{Part: "tmp_insert_", Nth: 2})
	if errors.Is(err, rename.ErrNotAllowed) {
		t.Skip(err)
	}
	if err != nil || !strings.Contains(call.Old, "/tmp_insert_") {
		t.Fatalf("killed at %+v: %v", call, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := rename.Apart(t.Context(), p.cmd.Process.Pid, rename.Point{}); !errors.Is(err, rename.ErrEnded) {
		t.Errorf("a process that is gone: %v, want %v", err, rename.ErrEnded)
	}
}

// TestNothingToKillAt lets go of a program that renames nothing of that name; it goes on, and what others of its parent do is not disturbed.
func TestNothingToKillAt(t *testing.T) {
	p := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 5 {
			p.lines.Scan()
		}
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Errorf("another program of the tracer's process: %v", err)
		}
		cancel()
	}()
	if _, err := kill(t, ctx, p.cmd.Process.Pid, rename.Point{Part: "never"}); !errors.Is(err, rename.ErrNone) {
		t.Fatalf("error %v, want %v", err, rename.ErrNone)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil || !strings.Contains(string(status), "TracerPid:\t0\n") {
		t.Errorf("it is still traced (%v):\n%s", err, status)
	}
	for range 1000 {
		if !p.lines.Scan() {
			t.Fatal("it did not go on")
		}
	}
	// And it can be traced again.
	read := make(chan struct{})
	go func() {
		defer close(read)
		for p.lines.Scan() { // or it would wait for its reader
		}
	}()
	defer func() { <-read }()
	if _, err := kill(t, t.Context(), p.cmd.Process.Pid, rename.Point{}); err != nil {
		t.Fatal(err)
	}
}

func TestItEndsByItself(t *testing.T) {
	p := start(t, "RENAME_TEST_ROUNDS=1")
	if _, err := kill(t, t.Context(), p.cmd.Process.Pid, rename.Point{Part: "never"}); !errors.Is(err, rename.ErrEnded) {
		t.Fatalf("error %v, want %v", err, rename.ErrEnded)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("its parent saw it end with %v", err)
	}
	if _, err := kill(t, t.Context(), p.cmd.Process.Pid, rename.Point{}); !errors.Is(err, rename.ErrEnded) {
		t.Errorf("a process that is gone: %v, want %v", err, rename.ErrEnded)
	}
}
