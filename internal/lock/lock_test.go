package lock_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/internal/lock"
)

// childVariable makes this test binary a process that holds a directory until its standard input ends or it is killed.
const childVariable = "WEIR_TEST_LOCK_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(hold(dir))
	}
	goleak.VerifyTestMain(m)
}

func hold(dir string) int {
	l, err := lock.Dir(dir)
	if err == nil {
		err = l.WriteAddresses(lock.Addresses{Kafka: "127.0.0.1:1"})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := l.Release(); err != nil {
		return 1
	}
	return 0
}

// startHolder returns once the other process holds dir. Closing stdin ends it well.
func startHolder(t *testing.T, dir string) (*exec.Cmd, io.Closer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "up", "--secret=x")
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	return cmd, stdin
}

func take(t *testing.T, dir string) *lock.Lock {
	t.Helper()
	l, err := lock.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func TestOneHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	l := take(t, dir)
	_, err := lock.Dir(dir)
	var inUse *lock.InUseError
	if !errors.As(err, &inUse) || inUse.Holder.PID != os.Getpid() || inUse.Dir != dir {
		t.Fatalf("second holder: %v", err)
	}
	for range 2 {
		if err := l.Release(); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	take(t, dir)
}

func TestOtherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd, stdin := startHolder(t, dir)
	name := filepath.Base(cmd.Path) + " up"
	_, err := lock.Dir(dir)
	want := fmt.Sprintf("data directory %s is in use by %s (pid %d): stop it or use another --data-dir", dir, name, cmd.Process.Pid)
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
	if h, held, err := lock.InUse(dir); h != (lock.Holder{PID: cmd.Process.Pid, Command: name}) || !held || err != nil {
		t.Errorf("InUse = %v, %v, %v", h, held, err)
	}
	if a, live, err := lock.ReadAddresses(dir); a.PID != cmd.Process.Pid || a.Kafka != "127.0.0.1:1" || !live || err != nil {
		t.Errorf("ReadAddresses = %+v, %v, %v", a, live, err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "run", "addresses.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("addresses after a clean end: %v", err)
	}
	take(t, dir)
}

func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startHolder(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process ended well although it was killed")
	}
	if a, live, err := lock.ReadAddresses(dir); a.PID != cmd.Process.Pid || live || err != nil {
		t.Errorf("what it left: %+v, %v, %v", a, live, err)
	}
	if h, held, err := lock.InUse(dir); held || err != nil {
		t.Errorf("InUse = %v, %v, %v", h, held, err)
	}
	take(t, dir)
	if a, live, err := lock.ReadAddresses(dir); a != (lock.Addresses{}) || live || err != nil {
		t.Errorf("the next holder inherited %+v, %v, %v", a, live, err)
	}
}

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	l := take(t, dir)
	if a, live, err := lock.ReadAddresses(dir); a != (lock.Addresses{}) || live || err != nil {
		t.Errorf("before writing: %+v, %v, %v", a, live, err)
	}
	want := lock.Addresses{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), OTLPGRPC: "a:1", OTLPHTTP: "a:2", Kafka: "a:3", ClickHouse: "a:4", Ops: "a:5",
	}
	for range 2 { // the second write replaces the first
		if err := l.WriteAddresses(want); err != nil {
			t.Fatal(err)
		}
	}
	want.PID, want.Command = os.Getpid(), filepath.Base(os.Args[0])
	got, live, err := lock.ReadAddresses(dir)
	if got.Command = strings.Fields(got.Command)[0]; got != want || !live || err != nil {
		t.Errorf("read %+v, %v, %v\nwant %+v", got, live, err, want)
	}
	path := filepath.Join(dir, "run", "addresses.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := l.WriteAddresses(want); !errors.Is(err, lock.ErrReleased) {
		t.Errorf("write after release: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lock.ReadAddresses(dir); err == nil {
		t.Error("half a file was read")
	}
}

func TestLookingChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, held, err := lock.InUse(dir); held || err != nil {
		t.Errorf("InUse = %v, %v", held, err)
	}
	if _, live, err := lock.ReadAddresses(dir); live || err != nil {
		t.Errorf("ReadAddresses = %v, %v", live, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
}

// TestLookersDoNotKeepAHolderOut takes and releases the directory while others keep looking at it.
func TestLookersDoNotKeepAHolderOut(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := lock.InUse(dir); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 200 {
		l, err := lock.Dir(dir)
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.Release(); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

// TestOnlyOneOfMany lets many callers compete: exactly one wins while it holds the directory.
func TestOnlyOneOfMany(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	results := make(chan *lock.Lock, 16)
	for range cap(results) {
		wg.Go(func() {
			l, err := lock.Dir(dir)
			var inUse *lock.InUseError
			if err != nil && !errors.As(err, &inUse) {
				t.Error(err)
			}
			results <- l
		})
	}
	wg.Wait()
	close(results)
	winners := 0
	for l := range results {
		if l != nil {
			winners++
			t.Cleanup(func() { _ = l.Release() })
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Dir(file); err == nil || !strings.Contains(err.Error(), "make data directory") {
		t.Errorf("error %v", err)
	}
}
