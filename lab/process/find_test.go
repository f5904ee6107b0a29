package process_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/process"
)

// orphan starts a program as a lab that is gone has left it: it bears the mark, and nobody looks after it.
func orphan(t *testing.T, mark, script string) int {
	t.Helper()
	linux(t)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), process.Variable+"="+mark)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestSweep(t *testing.T) {
	mark := t.TempDir()
	// The second one does not listen, and starts others all the time.
	gentle := orphan(t, mark, "echo; exec sleep 600")
	deaf := orphan(t, mark, `trap "" TERM; echo; while :; do sleep 0.01; done`)
	other := orphan(t, mark+"/another", "echo; exec sleep 600")

	found, err := process.Find(mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{gentle, deaf} {
		if !contains(found, pid) {
			t.Errorf("%d is not among %v", pid, found)
		}
	}
	killed, err := process.Sweep(mark, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{gentle, deaf} {
		if !contains(killed, pid) || runs(pid) {
			t.Errorf("%d was not ended; ended were %v", pid, killed)
		}
	}
	if left, err := process.Find(mark); err != nil || len(left) > 0 {
		t.Errorf("left over: %v (%v)", left, err)
	}
	if !runs(other) {
		t.Error("a process with another mark was ended")
	}
}

func contains(found []process.Found, pid int) bool {
	return slices.ContainsFunc(found, func(f process.Found) bool { return f.Pid == pid && f.Name != "" })
}

// TestSweepSparesItself: a command that cleans up may itself have been started with the mark.
func TestSweepSparesItself(t *testing.T) {
	linux(t)
	if mark := os.Getenv(process.Variable); mark != "" {
		left, err := process.Sweep(mark, time.Second)
		if err != nil || len(left) != 1 {
			t.Fatalf("swept %v (%v)", left, err)
		}
		return
	}
	mark := t.TempDir()
	orphan(t, mark, "echo; exec sleep 600")
	// Through a shell, which is above the test and bears the mark too.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$0" -test.run '^TestSweepSparesItself$' && echo survived`, os.Args[0])
	cmd.Env = append(os.Environ(), process.Variable+"="+mark)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "survived\n") {
		t.Errorf("it said %q (%v)", out, err)
	}
}

func TestSweepNeedsAMark(t *testing.T) {
	if _, err := process.Sweep("", 0); err == nil {
		t.Error("an empty mark would be borne by everything")
	}
}

func TestUsage(t *testing.T) {
	p := start(t, shell("while :; do :; done"))
	defer func() { _ = p.Stop(0) }()
	eventually(t, "it used processor time", func() bool {
		used, err := process.CPU(p.Pid())
		return err == nil && used > 0
	})
	if size, err := process.RSS(p.Pid()); err != nil || size < 1<<12 || size > 1<<30 {
		t.Errorf("a shell has %d bytes in memory (%v)", size, err)
	}
	if _, err := process.CPU(-1); err == nil {
		t.Error("there is no process -1")
	}
}
