package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/sim/recording"
)

// countReport is what `weir why --count -o json` says.
type countReport struct {
	Total struct {
		Calls, Spans, Duplicates, Orphans uint64
	}
	Sampled      bool
	Completeness float64
	ByEvidence   []struct{ Calls uint64 } `json:"by_evidence"`
	BySource     []struct {
		Calls, Duplicates uint64
		LastFlush         int64 `json:"last_flush"`
		Mark              int64
	} `json:"by_source"`
	Instances []struct{ Calls uint64 }
	Callers   []struct {
		Name  string
		Calls uint64
	}
	Agreement []struct {
		Table  string
		Agrees bool
	}
	Gaps []struct{ Kind string }
	Log  struct {
		Closed      bool
		DeadLetters []struct{ Reason string } `json:"dead_letters"`
		Messages    []struct{ Spans int }
	}
}

func whyCount(t *testing.T, dir string, args ...string) (r countReport) {
	t.Helper()
	out, _ := runWeir(t, 0, append([]string{"why", "--data-dir", dir, "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("why %q: %v", out, err)
	}
	return r
}

// TestWhyCount compares what is said of each number with a recording whose calls, repetitions and orphans are known.
func TestWhyCount(t *testing.T) {
	path, truth := generate(t, "nezha", func(c *recording.Config) {
		c.Calls, c.Minutes, c.Duplicates, c.Orphans, c.Skewed = 3_000, 5, 0.05, 0.02, 0
	})
	dir := t.TempDir()
	startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	broken := truth.Windows[0]
	begin := time.Unix(broken.Start, 0).UTC()
	writeBroken(t, at.Kafka, begin)
	replay(t, dir, "nezha", path)

	var duplicates, orphans uint64
	hours := map[string]bool{}
	for _, w := range truth.Windows {
		if w.Seconds != 3600 {
			continue
		}
		hours[w.Workload] = true
		when := time.Unix(w.Start+1800, 0).UTC().Format(time.RFC3339)
		r := whyCount(t, dir, "--count", w.Workload, "--window", "1h", "--at", when)
		duplicates, orphans = duplicates+r.Total.Duplicates, orphans+r.Total.Orphans
		checkWhyCount(t, fmt.Sprintf("%s at %s", w.Workload, when), r, uint64(w.Calls))
	}
	if len(hours) < 3 {
		t.Fatalf("%d workloads: too few to show anything", len(hours))
	}
	if duplicates != uint64(truth.Duplicates) || orphans != uint64(truth.Orphans) {
		t.Errorf("%d duplicates and %d orphans, want %d and %d", duplicates, orphans, truth.Duplicates, truth.Orphans)
	}
	checkWhyEdge(t, dir, truth)

	r := whyCount(t, dir, "--count", broken.Workload, "--window", "10s", "--at", begin.Format(time.RFC3339), "--spans", "3")
	if len(r.Log.DeadLetters) != 1 || len(r.Gaps) != 1 || r.Gaps[0].Kind != "dead_letter" || r.Completeness >= 1 || !r.Log.Closed {
		t.Errorf("the window of the message that cannot be read is %+v", r)
	}
	if n := len(r.Log.Messages); n == 0 || n > 3 || r.Log.Messages[0].Spans == 0 {
		t.Errorf("its messages are %+v", r.Log.Messages)
	}
	text, _ := runWeir(t, 0, "why", "--data-dir", dir, "--count", broken.Workload, "--window", "10s", "--at", begin.Format(time.RFC3339))
	for _, want := range []string{fmt.Sprintf("%d calls of", broken.Calls), "agrees", "dead letters of that time: 1", "is closed", "gap (dead_letter)"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	_, stderr := runWeir(t, 1, "why", "--data-dir", dir, "--count", "nobody", "--at", begin.Format(time.RFC3339))
	if !strings.Contains(stderr, "there is no call of nobody") {
		t.Errorf("about nobody it says %q", stderr)
	}
	// A number whose tables differ is said to be so.
	runSQL(t, at, "INSERT INTO edge_1h (window_start, destination_workload, source, calls, observed) VALUES ('%s', '%s', 'x', 65536, 1)",
		begin.Truncate(time.Hour).Format(time.DateTime), broken.Workload)
	for _, a := range whyCount(t, dir, "--count", broken.Workload, "--window", "1h", "--at", begin.Format(time.RFC3339)).Agreement {
		if a.Agrees != (a.Table != "edge_1h") {
			t.Errorf("with a row too many in edge_1h, %s agrees: %v", a.Table, a.Agrees)
		}
	}
}

func checkWhyCount(t *testing.T, what string, r countReport, calls uint64) {
	t.Helper()
	var evidence, sources, instances, callers uint64
	for _, p := range r.ByEvidence {
		evidence += p.Calls
	}
	for _, p := range r.BySource {
		sources += p.Calls
		if p.LastFlush > p.Mark {
			t.Errorf("%s: a row includes offset %d, beyond the mark %d", what, p.LastFlush, p.Mark)
		}
	}
	for _, p := range r.Instances {
		instances += p.Calls
	}
	for _, p := range r.Callers {
		callers += p.Calls
	}
	if r.Total.Calls != calls || evidence != calls || sources != calls || instances != calls || callers != calls || r.Sampled {
		t.Errorf("%s: %d calls; by evidence %d, source %d, instance %d, caller %d; want %d", what, r.Total.Calls, evidence, sources, instances, callers, calls)
	}
	if len(r.Agreement) != 4 { // 10 s, 1 min, edges, instances
		t.Errorf("%s: compared with %+v, want 4 tables", what, r.Agreement)
	}
	for _, a := range r.Agreement {
		if !a.Agrees {
			t.Errorf("%s: %s differs", what, a.Table)
		}
	}
}

func checkWhyEdge(t *testing.T, dir string, truth recording.Truth) {
	t.Helper()
	for i, e := range truth.EdgeWindows {
		if i%100 != 0 {
			continue
		}
		window := map[int64]string{10: "10s", 60: "1m", 3600: "1h"}[e.Seconds]
		r := whyCount(t, dir, "--edge", e.Source+">"+e.Destination, "--window", window, "--at", time.Unix(e.Start, 0).UTC().Format(time.RFC3339))
		if r.Total.Calls != uint64(e.Calls) {
			t.Errorf("edge %s>%s at %d: %d calls, want %d", e.Source, e.Destination, e.Start, r.Total.Calls, e.Calls)
		}
		for _, a := range r.Agreement {
			if !a.Agrees {
				t.Errorf("edge %s>%s at %d: %s differs", e.Source, e.Destination, e.Start, a.Table)
			}
		}
		if i > 400 {
			return
		}
	}
}

// writeBroken puts a message that nobody can read into the log, about 1 s of event time.
func writeBroken(t *testing.T, address string, begin time.Time) {
	t.Helper()
	k, err := kafka.New(kafka.Config{Addresses: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	err = k.Produce(t.Context(), ingest.Record{Topic: wire.TopicCalls, Partition: 1, Value: []byte("no Arrow"), Headers: []wire.Header{
		{Key: wire.HeaderSchema, Value: wire.SchemaCalls},
		{Key: wire.HeaderRows, Value: "3"},
		{Key: wire.HeaderEvents, Value: wire.Events(begin.UnixNano(), begin.Add(time.Second).UnixNano())},
	}})
	if err != nil {
		t.Fatal(err)
	}
}
