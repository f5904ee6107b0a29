package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/store/embedded"
)

func stop(t testing.TB, c *embedded.Child) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestFindLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libchdb.so")
	if _, err := embedded.FindLibrary(path); !errors.Is(err, embedded.ErrNoLibrary) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := embedded.FindLibrary(path); got != path || err != nil {
		t.Error(got, err)
	}
}

// TestKill kills the engine between and during inserts: what was acknowledged is there, what was not is there
// wholly or not at all, and the address stays.
func TestKill(t *testing.T) {
	c := start(t, options(t))
	ask(t, c, "CREATE TABLE k (service String, n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS fsync_after_insert = 1, fsync_part_directory = 1")
	addr := c.Addr()
	const rows = 50_000
	data := arrowStream(t, rows, 1)
	acknowledged, sent := 0, 0
	for n := range 5 {
		up(t, c, n)
		pid, killed := c.PID(), make(chan error, 1)
		for i := 0; ; i++ {
			if i == 3 {
				// While the fourth insert is on its way.
				go func() { killed <- syscall.Kill(pid, syscall.SIGKILL) }()
			}
			sent++
			ok, _ := tryInsert(t, addr, data)
			if !ok {
				break
			}
			acknowledged++
			if i > 3 && c.Restarts() > n {
				break
			}
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
	}
	up(t, c, 5)
	want(t, c.Addr(), addr)
	got := ask(t, c, "SELECT intDiv(count(), 50000), count() % 50000 FROM k")
	count, remainder, _ := strings.Cut(got, "\t")
	if remainder != "0" || atoi(t, count) < acknowledged || atoi(t, count) > sent {
		t.Errorf("stored %s, acknowledged %d, sent %d", got, acknowledged, sent)
	}
}

// up waits until the process after so many restarts runs.
func up(t testing.TB, c *embedded.Child, restarts int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Restarts() != restarts || c.PID() == 0 {
		select {
		case <-tick.C:
		case <-c.Done():
			t.Fatal(c.Err())
		}
	}
}

func tryInsert(t testing.TB, addr string, data []byte) (bool, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/?"+
		query([]string{"query", "INSERT INTO default.k FORMAT ArrowStream"}), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK, nil
}

func TestReopen(t *testing.T) {
	o := options(t)
	c := start(t, o)
	ask(t, c, "CREATE DATABASE weir")
	ask(t, c, "CREATE TABLE service_windows (n UInt64) ENGINE = MergeTree ORDER BY n", "database", "weir")
	ask(t, c, "INSERT INTO weir.service_windows VALUES (7)")
	ask(t, c, "CREATE FUNCTION plusOne AS (x) -> x + 1")
	stop(t, c)
	if c.PID() != 0 || c.Err() != nil {
		t.Error(c.PID(), c.Err())
	}
	c = start(t, o)
	want(t, ask(t, c, "SELECT plusOne(n) FROM service_windows"), "8")
}

func TestTwoOnOneDirectory(t *testing.T) {
	o := options(t)
	start(t, o)
	o.LockWait = 50 * time.Millisecond
	_, err := embedded.StartChild(t.Context(), childConfig(t, o))
	if err == nil || !strings.Contains(err.Error(), embedded.ErrLocked.Error()) || !strings.Contains(err.Error(), o.Dir) {
		t.Error(err)
	}
}

func TestLockWaitsForPredecessor(t *testing.T) {
	o := options(t)
	first := start(t, o)
	began := make(chan struct{})
	cfg := childConfig(t, o)
	command := cfg.Command
	cfg.Command = func() *exec.Cmd { close(began); return command() }
	result := make(chan error, 1)
	go func() {
		c, err := embedded.StartChild(t.Context(), cfg)
		if err == nil {
			err = c.Stop(context.Background())
		}
		result <- err
	}()
	<-began
	stop(t, first)
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestMissingLibrary(t *testing.T) {
	o := options(t)
	o.Library = filepath.Join(o.Dir, "nowhere.so")
	_, err := embedded.StartChild(t.Context(), childConfig(t, o))
	if err == nil || !strings.Contains(err.Error(), o.Library) || !strings.Contains(err.Error(), "make clickhouse") {
		t.Error(err)
	}
	o.Library = filepath.Join(o.Dir, "garbage.so")
	if err := os.WriteFile(o.Library, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = embedded.StartChild(t.Context(), childConfig(t, o)); err == nil || !strings.Contains(err.Error(), "garbage.so") {
		t.Error(err)
	}
}

// TestGivenUp lets every start after the first fail.
func TestGivenUp(t *testing.T) {
	cfg := childConfig(t, options(t))
	command, starts := cfg.Command, 0
	cfg.Command = func() *exec.Cmd {
		if starts++; starts > 1 {
			return exec.Command("/bin/sh", "-c", "echo no more >&2; exit 3")
		}
		return command()
	}
	cfg.MaxFailures = 3
	c, err := embedded.StartChild(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Err(); !errors.Is(err, embedded.ErrGivenUp) || !strings.Contains(err.Error(), "no more") {
		t.Error(err)
	}
	if err := c.Stop(t.Context()); !errors.Is(err, embedded.ErrGivenUp) {
		t.Error(err)
	}
}

// TestStartCancelled has a child that does not hear SIGTERM.
func TestStartCancelled(t *testing.T) {
	cfg := childConfig(t, options(t))
	cfg.Command = func() *exec.Cmd { return exec.Command("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done") }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := embedded.StartChild(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestConfigErrors(t *testing.T) {
	if _, err := embedded.StartChild(t.Context(), embedded.DefaultChildConfig()); !errors.Is(err, embedded.ErrNoCommand) {
		t.Error(err)
	}
	if err := embedded.Serve(t.Context(), embedded.DefaultConfig()); !errors.Is(err, embedded.ErrIncomplete) {
		t.Error(err)
	}
	server := embedded.DefaultServerConfig()
	if err := server.Validate(); !errors.Is(err, embedded.ErrNoScratch) {
		t.Error(err)
	}
	server.Scratch, server.Readers = t.TempDir(), 0
	if err := server.Validate(); !errors.Is(err, embedded.ErrBadLimit) {
		t.Error(err)
	}
}

// TestParentEnds closes the pipe the way the kernel does when the parent is gone.
func TestParentEnds(t *testing.T) {
	cmd := childConfig(t, options(t)).Command()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	inherited, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{inherited, r}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The answer waits in the listener's backlog until the child is ready.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, do(t, req).body, "Ok.\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Error(err)
	}
}

// TestStopDrains stops the child while a query runs: the query is killed after the time to drain, and the
// child still ends by itself.
func TestStopDrains(t *testing.T) {
	c := start(t, options(t))
	answered := make(chan reply, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/", strings.NewReader(slow))
	if err != nil {
		t.Fatal(err)
	}
	go func() { answered <- do(t, req) }()
	running(t, c, "sipHash64", 1)
	stop(t, c)
	if r := <-answered; r.header.Get("X-ClickHouse-Exception-Code") != "394" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
