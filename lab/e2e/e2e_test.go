package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/process"
)

// TestE2E runs the parts one after the other on one lab. Each can be run alone: `make e2e E2E=weights`.
func TestE2E(t *testing.T) {
	l := start(t)
	t.Run("counts", l.counts)
	t.Run("weights", l.weights)
	t.Run("policies", l.policies)
	t.Run("capacity", l.capacity)
	t.Run("faults", l.faults)
	t.Run("kills", l.kills)
	t.Run("recording", l.recording)
	t.Run("telemetry", l.telemetry) // leaves calls behind that Weir hears of late
	t.Run("cost", l.cost)           // and so does turning tracing off and on
	t.Run("down", l.down)
}

// counts: on a healthy mesh every edge is exact, and client and gateway agree about latency.
func (l *running) counts(t *testing.T) {
	before := l.snapshot(t)
	pass(t, 20*time.Second)
	now := l.snapshot(t)
	edges := l.agree(t, before, now)
	if n := len(edges); n < 14 {
		t.Errorf("%d edges: the call tree has more", n)
	}
	inexact := 0
	for name, e := range edges {
		if e.Verdict != compare.Exact {
			inexact++
			t.Logf("%s: %s", name, e.Why)
		}
	}
	t.Logf("%d of %d edges are exact", len(edges)-inexact, len(edges))
	for _, q := range compare.Latency(now.Client, now.Entry(), 2*time.Millisecond+now.Lag) {
		t.Logf("p%g: client %.1f ms, Weir %.1f ms", 100*q.Q, q.Client, q.Weir)
		if !q.Agree {
			t.Errorf("p%g: the client waited %.1f ms, Weir says %.1f ms, which allows %.1f to %.1f ms", 100*q.Q, q.Client, q.Weir, q.Low, q.High)
		}
	}
	if n := l.query(t, "SELECT count() FROM samples WHERE metric = 'k8s.pod.cpu_limit_utilization'"); n == 0 {
		t.Error("no kubelet statistics arrived")
	}
	if n := l.query(t, "SELECT uniq(instance) FROM samples WHERE metric LIKE '%upstream_rq%'"); n < 15 {
		t.Errorf("counters of %g proxies arrived", n)
	}
}

const shifted = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalog, namespace: shop}
spec:
  hosts: [catalog]
  http: [{route: [{destination: {host: catalog, subset: v1}, weight: %d}, {destination: {host: catalog, subset: v2}, weight: %d}]}]
`

// weights: what a VirtualService says moves real requests within seconds, and the windows show it.
func (l *running) weights(t *testing.T) {
	before := l.snapshot(t)
	l.kubectl(t, fmt.Sprintf(shifted, 0, 100), "apply", "--server-side", "--force-conflicts", "-f", "-")
	t.Cleanup(func() { l.kubectlCleanup(fmt.Sprintf(shifted, 80, 20)) })
	took := await(t, "all calls going to v2", 10*time.Second, func() (bool, string) {
		v1, v2 := l.received(t, "catalog", "v1"), l.received(t, "catalog", "v2")
		pass(t, time.Second)
		at1, at2 := l.received(t, "catalog", "v1")-v1, l.received(t, "catalog", "v2")-v2
		return at1 == 0 && at2 > 10, fmt.Sprintf("in a second v1 got %d calls and v2 %d", at1, at2)
	})
	t.Logf("moved within %s", took.Round(100*time.Millisecond))
	moved := time.Now().Truncate(10 * time.Second).Add(10 * time.Second)
	pass(t, time.Until(moved.Add(14*time.Second)))
	where := fmt.Sprintf("FROM service_windows WHERE workload = 'catalog' AND window_start = fromUnixTimestamp64Milli(%d)", moved.UnixMilli())
	if v1 := l.query(t, "SELECT sum(calls) "+where+" AND version = 'v1'"); v1 != 0 {
		t.Errorf("the window after the shift has %g calls of v1", v1)
	}
	if v2 := l.query(t, "SELECT sum(calls) "+where+" AND version = 'v2'"); v2 < 100 {
		t.Errorf("the window after the shift has %g calls of v2", v2)
	}
	l.agree(t, before, l.snapshot(t))
}

// capacity: replicas matter. A service that is overloaded refuses calls; with more replicas it no longer does; and pods that go take no
// call with them.
func (l *running) capacity(t *testing.T) {
	t.Cleanup(func() { _ = exec.Command(filepath.Join(l.bin, "weir-lab"), "load", "rate", "1").Run() })
	l.lab(t, "load", "rate", "2.6")
	pass(t, 15*time.Second)
	one := l.waited(t, "recommend")
	l.kubectl(t, "", "scale", "-n", "shop", "deployment/recommend-v1", "--replicas=4")
	l.kubectl(t, "", "rollout", "status", "-n", "shop", "deployment/recommend-v1", "--timeout=30s")
	pass(t, 22*time.Second)
	four := l.waited(t, "recommend")
	t.Logf("mean duration of a call to recommend under load: %.0f ms with one replica, %.0f ms with four", one, four)
	if four > one*0.8 {
		t.Error("replicas added no capacity")
	}
	l.lab(t, "load", "rate", "1")
	before := l.snapshot(t)
	l.kubectl(t, "", "scale", "-n", "shop", "deployment/recommend-v1", "--replicas=1")
	pass(t, 12*time.Second)
	edges := l.agree(t, before, l.snapshot(t))
	if e := edges["web -> recommend"]; e.Errors != 0 || e.Transport != 0 {
		t.Errorf("pods that went took calls with them: %+v", e)
	}
}

// waited is the mean duration, in ms, of calls to a service in the last seconds.
func (l *running) waited(t *testing.T, service string) float64 {
	t.Helper()
	return l.query(t, fmt.Sprintf("SELECT sum(mean_ms * calls) / greatest(1, sum(calls)) FROM service_windows WHERE workload = '%s' AND "+
		"window_start >= now() - INTERVAL 20 SECOND", service))
}

// kills: whatever dies comes back, and no call is lost or counted twice. Only a killed proxy takes with it what it had not reported yet.
func (l *running) kills(t *testing.T) {
	before := l.snapshot(t)
	for _, part := range []struct {
		what  string
		match func(string) bool
	}{
		{"Weir", is("weir up --config")},
		{"the collector of south", is("weir collector --config")},
		{"istiod", is("pilot-discovery")},
		{"the API server", is("kube-apiserver --")},
		{"etcd", is("/etcd ")},
		{"ClickHouse", is("weir clickhouse")},
	} {
		t.Logf("killing %s", part.what)
		l.kill(t, part.what, part.match)
		pass(t, 5*time.Second)
	}
	await(t, "a change after the kills", 60*time.Second, func() (bool, string) {
		out := l.kubectl(t, "", "get", "pods", "-n", "shop", "--no-headers")
		return !strings.Contains(out, "0/1"), out
	})
	l.agree(t, before, l.snapshot(t))

	// An instance that is killed is started again, and calls that it was working on fail; those are counted as what they are.
	before = l.snapshot(t)
	pod := l.pod(t, "reviews")
	l.kill(t, "the process of "+pod.Pod, is("weir-lab service", pod.Pod))
	pass(t, 8*time.Second)
	now := l.snapshot(t)
	l.agree(t, before, now)
	if got := l.pod(t, "reviews"); got.State != "serving" {
		t.Errorf("%s does not serve again", got.Pod)
	}
}

// recording: what is recorded can be replayed into an empty Weir, which then counts the same.
func (l *running) recording(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recording")
	t.Log(l.lab(t, "record", dir, "--for", "10s"))
	for _, name := range []string{"traces.jsonl.gz", "logs.jsonl.gz", "metrics.jsonl.gz", "truth.jsonl", "ledger.json", "lab.yaml"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 && name != "truth.jsonl" {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.replays(t, dir)
}

// cost: what telemetry costs the mesh is measured, and is not nothing.
func (l *running) cost(t *testing.T) {
	out := l.lab(t, "cost", "--pairs", "3", "--slice", "8s")
	t.Log(out)
	if !strings.Contains(out, "cost") {
		t.Error("no cost was printed")
	}
}

// down: nothing is left, also when parts were killed before.
func (l *running) down(t *testing.T) {
	if os.Getenv("WEIR_LAB_E2E_KEEP") != "" {
		t.Skip("WEIR_LAB_E2E_KEEP is set")
	}
	l.kill(t, "the supervisor", func(line string) bool { return strings.Contains(line, "weir-lab supervise") })
	t.Log(l.lab(t, "down"))
	if left, err := process.Find(l.run); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	if _, err := os.Stat(l.run); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", l.run, err)
	}
}

// replays replays a recording into an empty Weir and compares.
func (l *running) replays(t *testing.T, dir string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "again")
	weir := filepath.Join(l.bin, "weir")
	if out, err := exec.CommandContext(t.Context(), weir, "replay", "--data-dir", data, "--format", "otlp-json", dir).CombinedOutput(); err != nil {
		t.Fatalf("replay: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ledger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth ledger.Counts
	if err := json.Unmarshal(text, &truth); err != nil {
		t.Fatal(err)
	}
	var want uint64
	for k, n := range truth {
		if k.Side == ledger.Received {
			want += n
		}
	}
	sql := "SELECT sum(calls) FROM weir.edge_windows WHERE destination_workload != 'istio-ingressgateway'"
	out, err := exec.CommandContext(t.Context(), weir, "query", "--data-dir", data, "-o", "TSV", sql).Output()
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	if got := strings.TrimSpace(string(out)); got != strconv.FormatUint(want, 10) {
		t.Errorf("replayed, Weir counts %s calls between services; there were %d", got, want)
	}
}
