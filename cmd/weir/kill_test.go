package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	recordings "github.com/weirmesh/weir/ingest/recording"
	replays "github.com/weirmesh/weir/ingest/replay"
	"github.com/weirmesh/weir/sim/recording"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// kills is how many times each test kills something.
const kills = 5

// acknowledged is how many requests the replay on dir has had acknowledged.
func acknowledged(dir string) int {
	files, _ := filepath.Glob(filepath.Join(dir, "replay", "*.json"))
	for _, file := range files {
		if p, found, err := replays.Load(file); err == nil && found {
			return p.Requests
		}
	}
	return 0
}

// TestKilledReplayResumes kills a replay and everything it started, again and again at random points of its progress.
func TestKilledReplayResumes(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 20_000 })
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	args := []string{"replay", "--data-dir", dir, "--format", "nezha", "--rate", "20000"}
	for i := range kills {
		p := startWeir(t, append(args, path)...)
		goal := acknowledged(dir) + 1 + random.IntN(6)
		await(t, "progress", func() bool {
			select {
			case <-p.done:
				t.Fatalf("replay ended by itself:\n%s", p.stderr)
			default:
			}
			return acknowledged(dir) >= goal
		})
		p.kill(t, i%2 == 0)
		if i == 0 {
			args = append(args, "--resume")
		}
	}
	checkSummary(t, replay(t, dir, "nezha", path, "--resume"), truth)
	checkCounts(t, dir, truth)
}

// sendAll sends a recording as SDKs do, with retries, through whatever listens on address.
func sendAll(t *testing.T, ctx context.Context, address, path string, progress func(int)) error {
	t.Helper()
	rec, err := recordings.Open(path, recordings.Nezha)
	if err != nil {
		t.Fatal(err)
	}
	client, err := replays.Dial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for request, err := range rec.Requests(ctx, recordings.ReadConfig{}) {
		if err != nil {
			return err
		}
		if err := client.Send(ctx, request); err != nil {
			return err
		}
		progress(request.Index)
	}
	return nil
}

// harm sends a recording to a weir that lives on address, and lets each step hurt it at random points.
func harm(t *testing.T, address, path string, kills int, step func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	random := rand.New(rand.NewPCG(3, 4))
	at, sent := make(chan int), make(chan error, 1)
	go func() {
		defer close(at)
		sent <- sendAll(t, ctx, address, path, func(i int) { at <- i })
	}()
	next, done := random.IntN(4), 0
	for i := range at {
		if i >= next && done < kills {
			step()
			done++
			next = i + 1 + random.IntN(8)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if done < kills {
		t.Fatalf("only %d of %d kills found their moment: the recording is too short", done, kills)
	}
}

// settle ends the recording as replay does, so that what waits is decided, and stops weir.
func settle(t *testing.T, p *process, dir, path string) {
	t.Helper()
	replayed, _ := runWeir(t, 0, "replay", "--data-dir", dir, "--format", "nezha", "-o", "json", path)
	if !contains(replayed, `"calls": 0`) {
		t.Errorf("sent again, the recording counts again: %s", replayed)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("weir up ended with %d on SIGTERM:\n%s", code, p.stderr)
	}
}

// TestKilledUpGoesOn kills the whole of `weir up` while senders send.
func TestKilledUpGoesOn(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 25_000 })
	dir, address := t.TempDir(), freePort(t)
	args := []string{"up", "--data-dir", dir, "--grpc", address, "--http", freePort(t)}
	p := startWeir(t, args...)
	running(t, dir)
	harm(t, address, path, kills, func() {
		p.kill(t, true)
		p = startWeir(t, args...)
	})
	running(t, dir)
	settle(t, p, dir, path)
	checkCounts(t, dir, truth)
}

// TestKilledEngineComesBack kills the ClickHouse child alone while data flows.
func TestKilledEngineComesBack(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 25_000 })
	dir, address := t.TempDir(), freePort(t)
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", address, "--http", freePort(t))
	running(t, dir)
	last := 0
	harm(t, address, path, kills, func() {
		await(t, "a new engine", func() bool {
			pids := childrenOf(p.cmd.Process.Pid)
			if len(pids) == 0 || pids[0] == last {
				return false
			}
			last = pids[0]
			return syscall.Kill(last, syscall.SIGKILL) == nil
		})
	})
	settle(t, p, dir, path)
	checkCounts(t, dir, truth)
}

// freePort returns an address nobody uses. It stays below the ports that systems hand out by themselves, so that it is still free when
// weir comes to it.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}
