package process_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/process"
)

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the lab runs on Linux alone")
	}
}

func start(t *testing.T, spec process.Spec) *process.Process {
	t.Helper()
	linux(t)
	p, err := process.Start(t.Context(), spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { <-p.Done() })
	return p
}

func TestLogAndEnvironment(t *testing.T) {
	linux(t)
	mark, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	for range 2 {
		spec := shell(`echo "$WEIR_LAB $OWN"; echo trouble >&2; pwd; exit 3`)
		spec.Log, spec.Env, spec.Dir = log, []string{"OWN=mine"}, "/"
		p, err := process.Start(t.Context(), spec, mark)
		if err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("it ended with %v", err)
		}
		if p.Err() == nil {
			t.Error("Err forgot why it ended")
		}
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat(mark+" mine\ntrouble\n/\n", 2); string(got) != want {
		t.Errorf("the log holds %q, not %q", got, want)
	}
}

func TestLogIsLimited(t *testing.T) {
	linux(t)
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(log, 33<<20); err != nil {
		t.Fatal(err)
	}
	spec := shell("echo short")
	spec.Log = log
	p := start(t, spec)
	<-p.Done()
	if got, err := os.ReadFile(log); err != nil || string(got) != "short\n" {
		t.Errorf("the log has %d bytes (%v)", len(got), err)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	linux(t)
	_, err := process.Start(t.Context(), process.Spec{Name: "nothing", Path: "/does/not/exist"}, "m")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start nothing") {
		t.Errorf("got %v", err)
	}
}

func TestStop(t *testing.T) {
	gentle := start(t, shell(`trap "exit 0" TERM; echo; while :; do sleep 0.01; done`))
	if err := gentle.Stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if err := gentle.Stop(0); err != nil {
		t.Errorf("the second time: %v", err)
	}
	log := filepath.Join(t.TempDir(), "log")
	spec := shell(`trap "" TERM; echo deaf; while :; do sleep 600; done`)
	spec.Log = log
	deaf := start(t, spec)
	eventually(t, "the shell ignores SIGTERM", func() bool { text, _ := os.ReadFile(log); return len(text) > 0 })
	if err := deaf.Stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

// TestContextEndsTheGroup: a child of the program goes too.
func TestContextEndsTheGroup(t *testing.T) {
	linux(t)
	ctx, cancel := context.WithCancel(t.Context())
	log := filepath.Join(t.TempDir(), "log")
	spec := shell(`sleep 600 & echo $!; wait`)
	spec.Log = log
	p, err := process.Start(ctx, spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var child int
	eventually(t, "the shell has a child", func() bool {
		text, _ := os.ReadFile(log)
		child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	waited, stopWaiting := context.WithCancelCause(t.Context())
	stopWaiting(errors.New("no patience"))
	if err := p.Wait(waited); err == nil || !strings.Contains(err.Error(), "no patience") {
		t.Errorf("Wait returned %v", err)
	}
	cancel()
	<-p.Done()
	eventually(t, "the child has ended", func() bool { return !runs(child) })
}

// TestSupervisorKilled: with kill -9 of the supervisor, what it started ends as well.
func TestSupervisorKilled(t *testing.T) {
	linux(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PROCESS_TEST_SUPERVISOR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !runs(child) {
		t.Fatalf("the supervisor says %q (%v)", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the child has ended", func() bool { return !runs(child) })
}

func TestKeep(t *testing.T) {
	linux(t)
	var mu sync.Mutex
	var events []process.Event
	ended := make(chan struct{}, 16)
	k := process.Keep(t.Context(), sleep(), t.TempDir(), func(e process.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
		if e.Ended {
			ended <- struct{}{}
		}
	})
	eventually(t, "it runs", func() bool { return k.Pid() != 0 })
	first := k.Pid()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	eventually(t, "it runs again", func() bool { return k.Pid() != 0 })
	if k.Pid() == first || k.Starts() != 2 {
		t.Errorf("process %d after %d, %d starts", k.Pid(), first, k.Starts())
	}
	if err := k.Stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if k.Pid() != 0 {
		t.Error("it runs after Stop")
	}
	mu.Lock()
	defer mu.Unlock()
	var order []bool
	for _, e := range events {
		order = append(order, e.Ended)
	}
	if !slices.Equal(order, []bool{false, true, false, true}) || events[1].Err == nil || events[1].Pause == 0 || events[3].Pause != 0 {
		t.Errorf("the events are %+v", events)
	}
}

// TestKeepOfNothing: a program that cannot be started is tried again, and Stop does not wait for it.
func TestKeepOfNothing(t *testing.T) {
	linux(t)
	tried := make(chan process.Event, 16)
	k := process.Keep(t.Context(), process.Spec{Name: "nothing", Path: "/does/not/exist"}, "m", func(e process.Event) { tried <- e })
	for range 2 {
		if e := <-tried; !errors.Is(e.Err, os.ErrNotExist) || !e.Ended {
			t.Errorf("got %+v", e)
		}
	}
	if err := k.Stop(time.Hour); err != nil {
		t.Error(err)
	}
}
