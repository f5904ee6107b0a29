package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/snapshot"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/toolbox"
	"github.com/weirmesh/weir/store/clickhouse"
)

// running is the lab that the tests share. A test starts from a settled snapshot and compares what happened since.
type running struct {
	*control.Client
	bin  string // folder of weir and weir-lab
	base string
	run  string
	mesh spec.Mesh
}

// start brings a lab up in a folder of its own, or says why it cannot.
func start(t *testing.T) *running {
	t.Helper()
	if os.Getenv("WEIR_LAB_E2E") == "" {
		t.Skip("this takes minutes, and the lab's tools: run `make e2e`")
	}
	if runtime.GOOS != "linux" {
		t.Skipf("nothing of this runs on %s: the lab gives each pod loopback addresses of its own, which only Linux has", runtime.GOOS)
	}
	base, err := toolbox.Base()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := toolbox.Open(base); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Dir(os.Getenv("WEIR_BIN"))
	l := &running{bin: bin, base: base, run: filepath.Join(base, "run"), mesh: spec.Default().Mesh}
	l.Client = control.New(l.run)
	if s, err := l.Status(t.Context()); err == nil {
		t.Logf("using the lab that has been running since %s", s.Started.Format(time.TimeOnly))
		return l
	}
	t.Log(l.lab(t, "up"))
	t.Cleanup(func() {
		if os.Getenv("WEIR_LAB_E2E_KEEP") == "" {
			_ = exec.Command(filepath.Join(bin, "weir-lab"), "down").Run()
		}
	})
	return l
}

// lab runs a command of `weir lab` that must succeed and returns what it printed.
func (l *running) lab(t *testing.T, args ...string) string {
	t.Helper()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(l.bin, "weir-lab"), args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("weir lab %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), log.String())
	}
	return out.String()
}

// kubectl runs kubectl on objects given as YAML.
func (l *running) kubectl(t *testing.T, objects string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(l.bin, "weir-lab"), append([]string{"kubectl"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(objects), &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// apply applies objects and takes them back when the test ends.
func (l *running) apply(t *testing.T, objects string) {
	t.Helper()
	l.kubectl(t, objects, "apply", "-f", "-")
	t.Cleanup(func() {
		cmd := exec.Command(filepath.Join(l.bin, "weir-lab"), "kubectl", "delete", "--ignore-not-found", "-f", "-")
		cmd.Stdin = strings.NewReader(objects)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("take the objects back: %v\n%s", err, out)
		}
	})
}

// snapshot reads both sides while nothing is under way.
func (l *running) snapshot(t *testing.T) snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Take(t.Context(), l.Client, l.run)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Settled {
		t.Error("Weir's counts still changed when they were read")
	}
	return s
}

// agree fails the test if Weir is wrong about any edge since the earlier snapshot. It returns the edges.
func (l *running) agree(t *testing.T, since, now snapshot.Snapshot) map[string]compare.Edge {
	t.Helper()
	edges := now.Edges(since, l.mesh)
	if !compare.Right(edges) {
		var table strings.Builder
		_ = compare.WriteEdges(&table, edges)
		t.Errorf("Weir disagrees with what happened:\n%s", table.String())
	}
	out := map[string]compare.Edge{}
	for _, e := range edges {
		out[e.From+" -> "+e.To] = e
	}
	return out
}

// query asks Weir's ClickHouse for one number.
func (l *running) query(t *testing.T, sql string) float64 {
	t.Helper()
	s, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := clickhouse.Query(t.Context(), clickhouse.Config{Address: s.Addresses["clickhouse"]}, sql, "TSV", &out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var n float64
	if _, err := fmt.Sscan(out.String(), &n); err != nil {
		t.Fatalf("%s: %q is no number", sql, out.String())
	}
	return n
}

// await asks until the answer is yes.
func await(t *testing.T, what string, within time.Duration, ask func() (bool, string)) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, why := ask()
		if ok {
			return time.Since(began)
		}
		if time.Since(began) > within {
			t.Fatalf("%s did not happen within %s: %s", what, within, why)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		case <-tick.C:
		}
	}
}

// get asks the gateway for a path, as somebody outside the lab's ledger would. Only tests that do not compare counts may use it.
func (l *running) get(t *testing.T, method, path string, headers ...string) int {
	t.Helper()
	s, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addresses["gateway"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = s.Name + ".lab"
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// pod returns an instance of a service.
func (l *running) pod(t *testing.T, service string) control.Instance {
	t.Helper()
	s, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range s.Instances {
		if i.Service == service && i.State == "serving" {
			return i
		}
	}
	t.Fatalf("%s has no instance that serves", service)
	return control.Instance{}
}

// received sums what the instances of a version answered.
func (l *running) received(t *testing.T, service, version string) (n uint64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.run, "ledger", service+"-"+version+"-*"+ledger.Extension))
	if err != nil || len(files) == 0 {
		t.Fatalf("no ledgers of %s %s: %v", service, version, err)
	}
	for _, f := range files {
		_, counts, err := ledger.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for k, c := range counts {
			if k.Side == ledger.Received {
				n += c
			}
		}
	}
	return n
}

// is matches a command line that contains all parts.
func is(parts ...string) func(line string) bool {
	return func(line string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) })
	}
}

// kill ends a process of the lab as a crash would.
func (l *running) kill(t *testing.T, what string, match func(line string) bool) {
	t.Helper()
	found, err := process.Find(l.run)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", f.Pid))
		if err != nil || !match(strings.ReplaceAll(string(line), "\x00", " ")) {
			continue
		}
		p, err := os.FindProcess(f.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process is %s", what)
}

// pass lets time pass while the load goes on: what is tested is what the mesh does meanwhile.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	case <-timer.C:
	}
}
