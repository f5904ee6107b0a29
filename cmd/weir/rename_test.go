package main_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// TestKillOnTheEnginesRename kills the engine at the very call that moves a finished part into place: the moment at which deduplication
// tokens lose data (docs/adr/001).
func TestKillOnTheEnginesRename(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: nothing can place the kill")
	}
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
		killOnRename(t, strace, last, nth)
	})
	if nth == 0 {
		t.Fatal("nothing was killed")
	}
	settle(t, p, dir, path)
	checkCounts(t, dir, truth)
}

// killOnRename kills a process when it renames something for the nth time from now, and returns when it is dead.
func killOnRename(t *testing.T, strace string, pid, nth int) {
	t.Helper()
	calls := "rename,renameat,renameat2"
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-e", "trace="+calls,
		"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, nth), "-p", fmt.Sprint(pid))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "Operation not permitted") {
			t.Skip("this system does not let one process trace another: " + lines.Text())
		}
		killed = killed || strings.Contains(lines.Text(), "killed by SIGKILL")
	}
	_ = cmd.Wait() // strace ends as its tracee does
	if !killed {
		t.Fatal("the engine was not killed on its rename")
	}
}
