package recording_test

import (
	"path/filepath"
	"testing"

	"github.com/weirmesh/weir/ingest/recording"
	sim "github.com/weirmesh/weir/sim/recording"
)

// counts is what reading found, in the words of the independent counter.
type counts struct{ rows, spans, calls, orphans, bad int }

// readCounts applies the Nezha rules (contracts 2.8) to what was read.
func readCounts(t *testing.T, path string, format recording.Format) counts {
	t.Helper()
	reqs, bad := readAll(t, open(t, path, format), 0)
	c := counts{bad: len(bad)}
	type seen struct {
		parent identity
		pod    string
	}
	spans := map[identity]seen{}
	for _, r := range reqs {
		c.rows += r.Traces.SpanCount()
		for _, rs := range r.Traces.ResourceSpans().All() {
			pod, _ := rs.Resource().Attributes().Get("k8s.pod.name")
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					spans[identity{s.TraceID(), s.SpanID()}] = seen{identity{s.TraceID(), s.ParentSpanID()}, pod.Str()}
				}
			}
		}
	}
	c.spans = len(spans)
	for _, s := range spans {
		parent, known := spans[s.parent]
		switch {
		case s.parent.span.IsEmpty(), known && parent.pod != s.pod:
			c.calls++
		case !known:
			c.orphans++
		}
	}
	return c
}

// TestAgainstSim reads generated and damaged recordings and compares with a counter that shares no code with reading.
func TestAgainstSim(t *testing.T) {
	day, err := sim.Generate(sim.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	dir, rough := t.TempDir(), t.TempDir()
	otlp := filepath.Join(dir, "day.jsonl.gz")
	if err := day.WriteNezha(dir); err != nil {
		t.Fatal(err)
	}
	if err := day.WriteOTLP(otlp); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Mutate(dir, rough, 3, sim.DropParents(0.05), sim.Double(0.1), sim.SkewHosts(0.2), sim.Late(0.02), sim.Shuffle()); err != nil {
		t.Fatal(err)
	}
	compareNezha(t, dir)
	compareNezha(t, rough)
	truth, err := sim.CountOTLP(otlp)
	if err != nil {
		t.Fatal(err)
	}
	got := readCounts(t, otlp, recording.OTLPJSON)
	if got.rows != truth.Rows || got.spans != truth.Spans || got.orphans != truth.Orphans || got.bad != truth.Bad {
		t.Errorf("otlp-json: read %+v, want %d rows, %d spans, %d orphans", got, truth.Rows, truth.Spans, truth.Orphans)
	}
}

func compareNezha(t *testing.T, path string) {
	t.Helper()
	truth, err := sim.Count(path)
	if err != nil {
		t.Fatal(err)
	}
	want := counts{truth.Rows, truth.Spans, truth.Calls, truth.Orphans, truth.Bad}
	if got := readCounts(t, path, recording.Nezha); got != want {
		t.Errorf("nezha: read %+v, want %+v", got, want)
	}
}

// TestAgainstSimReal does the same with a damaged real day.
func TestAgainstSimReal(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a whole real day takes seconds")
	}
	out := t.TempDir()
	_, err := sim.Mutate(sharedDay(t, "onlineboutique-2022-08-22"), out, 5,
		sim.DropParents(0.02), sim.Double(0.05), sim.SkewHosts(0.2), sim.Late(0.01), sim.Shuffle())
	if err != nil {
		t.Fatal(err)
	}
	compareNezha(t, out)
}
