package main_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/recording"
	"github.com/weirmesh/weir/torture/rename"
)

// TestKillOnTheEnginesRename kills the engine at the very call that moves a finished part into place: the moment at which deduplication
// tokens lose data (docs/adr/001).
func TestKillOnTheEnginesRename(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 25_000 })
	dir, address := t.TempDir(), freePort(t)
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", address, "--http", freePort(t))
	running(t, dir)
	nth, last := 0, 0
	harm(t, address, path, 3, func() {
		await(t, "a new engine", func() bool {
			pids := childrenOf(p.cmd.Process.Pid)
			fresh := len(pids) > 0 && pids[0] != last
			if fresh {
				last = pids[0]
			}
			return fresh
		})
		nth++
		killOnRename(t, last, nth)
	})
	if nth == 0 {
		t.Fatal("nothing was killed")
	}
	settle(t, p, dir, path)
	checkCounts(t, dir, truth)
}

// killOnRename kills a process when it renames a finished part for the nth time from now.
func killOnRename(t *testing.T, pid, nth int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := rename.Kill(ctx, pid, rename.Point{Part: "tmp_insert_", Nth: nth})
	if errors.Is(err, rename.ErrNotSupported) || errors.Is(err, rename.ErrNotAllowed) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
