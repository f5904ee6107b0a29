package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/sim/recording"
)

// weir returns the built binary, which these tests run as users do. It skips where it or the engine is missing.
func weir(t testing.TB) string {
	t.Helper()
	bin := os.Getenv("WEIR_BIN")
	if bin == "" || os.Getenv("WEIR_CHDB_LIBRARY") == "" {
		t.Skip("WEIR_BIN and WEIR_CHDB_LIBRARY are not set: nothing to run (`make test` sets them)")
	}
	return bin
}

// runWeir runs a command to its end and returns what it printed. It fails the test unless the exit code is as wanted.
func runWeir(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, weir(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("weir %s: %v", strings.Join(args, " "), err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("weir %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// settings are the flags that read a configuration of its own: unlike the environment, it is no other test's.
func settings(t testing.TB, yaml string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", file}
}

// process is a weir that runs in the background.
type process struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	done   chan struct{}
}

func startWeir(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(weir(t), args...), stderr: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stderr, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill(t, true)
		if t.Failed() {
			t.Logf("weir %s:\n%s", strings.Join(args, " "), p.stderr)
		}
	})
	return p
}

// kill ends the process with SIGKILL, and its children too or not.
func (p *process) kill(t testing.TB, children bool) {
	t.Helper()
	pids := childrenOf(p.cmd.Process.Pid)
	_ = p.cmd.Process.Kill() // it may be gone already
	if children {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	<-p.done
}

// stop ends the process with SIGTERM and returns its exit code.
func (p *process) stop(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("weir does not stop:\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// childrenOf lists a process's children, where the system tells.
func childrenOf(pid int) []int {
	var out []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// await calls check until it is true.
func await(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s does not come", what)
		}
	}
}

// running waits until the weir on dir says where it listens.
func running(t testing.TB, dir string) (at lock.Addresses) {
	t.Helper()
	await(t, "addresses of "+dir, func() bool {
		a, live, err := lock.ReadAddresses(dir)
		at = a
		return err == nil && live && a.OTLPGRPC != ""
	})
	return at
}

// query asks and returns the rows, split into columns.
func query(t testing.TB, dir, sql string) [][]string {
	t.Helper()
	out, _ := runWeir(t, 0, "query", "--data-dir", dir, "--log-level", "error", "-o", "TabSeparated", sql)
	var rows [][]string
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// summary is what `weir replay -o json` prints.
type summary struct {
	SpansRead      int `json:"spans_read"`
	SpansSent      int `json:"spans_sent"`
	SpansDuplicate int `json:"spans_duplicate"`
	Calls          int `json:"calls"`
	Orphans        int `json:"orphans"`
	Windows        int `json:"windows"`
	DeadLetters    int `json:"dead_letters"`
}

func replay(t testing.TB, dir, format, path string, more ...string) summary {
	t.Helper()
	args := append([]string{"replay", "--data-dir", dir, "--format", format, "-o", "json"}, more...)
	out, _ := runWeir(t, 0, append(args, path)...)
	var s summary
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("summary %q: %v", out, err)
	}
	return s
}

// generate writes a recording in the given format and returns its path and the independent count.
func generate(t testing.TB, format string, change func(*recording.Config)) (string, recording.Truth) {
	t.Helper()
	cfg := recording.DefaultConfig()
	change(&cfg)
	day, err := recording.Generate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if format == "nezha" {
		if err := day.WriteNezha(path); err != nil {
			t.Fatal(err)
		}
		return path, count(t, path)
	}
	path = filepath.Join(path, "traces.jsonl.gz")
	if err := day.WriteOTLP(path); err != nil {
		t.Fatal(err)
	}
	truth, err := recording.CountOTLP(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, truth
}

func count(t testing.TB, path string) recording.Truth {
	t.Helper()
	truth, err := recording.Count(path)
	if err != nil {
		t.Fatal(err)
	}
	return truth
}
