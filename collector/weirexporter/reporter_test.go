package weirexporter_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// told reads weir.samples until the collector has stopped and has told of its senders.
func told(t *testing.T, cluster *kfake.Cluster) []columns.Sample {
	t.Helper()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(wire.TopicSamples))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out []columns.Sample
	for stopped, written := false, false; !stopped || !written; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			samples, err := columns.DecodeSamples(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, samples...)
			for _, s := range samples {
				stopped = stopped || s.Metric == schemas.MetricStopped
				written = written || strings.HasPrefix(s.Metric, schemas.MetricRows)
			}
		}
	}
	return out
}

// TestACollectorTellsWhatItWrote: totals of its own, rows of each sender by window of their ends, and a goodbye.
func TestACollectorTellsWhatItWrote(t *testing.T) {
	cluster := startKafka(t, wire.TopicCalls, wire.TopicDeadLetter, wire.TopicSamples)
	e := startTraces(t, cluster.ListenAddrs())
	window := time.Now().Truncate(10 * time.Second).Add(-20 * time.Second)
	td := spans(7)
	rs := td.ResourceSpans().At(0)
	rs.Resource().Attributes().PutStr("service.name", "cart")
	rs.Resource().Attributes().PutStr("service.instance.id", "cart-1")
	rs.Resource().Attributes().PutStr("service.version", "v2")
	for i, s := range rs.ScopeSpans().At(0).Spans().All() {
		end := window.Add(time.Duration(i) * time.Second)
		switch i {
		case 5:
			end = window.Add(11 * time.Second)
		case 6:
			end = window.Add(-time.Hour) // of a recording: nobody checks it
		}
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	}
	if err := e.ConsumeTraces(t.Context(), td); err != nil {
		t.Fatal(err)
	}
	if err := e.ConsumeTraces(t.Context(), ptrace.NewTraces()); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	totals, written := map[string]float64{}, map[int64]float64{}
	for _, s := range told(t, cluster) {
		if s.Origin.Name == schemas.CollectorWorkload {
			totals[s.Metric] = max(totals[s.Metric], s.Value)
			continue
		}
		want := schemas.Origin{Workload: schemas.Workload{Name: "cart"}, Instance: "cart-1"}
		if s.Origin != want || !strings.HasPrefix(s.Metric, schemas.MetricRows+"{collector=") {
			t.Errorf("%+v says %s", s.Origin, s.Metric)
		}
		written[s.Time] = max(written[s.Time], s.Value)
	}
	if totals[schemas.MetricReceived] != 7 || totals[schemas.MetricSent] != 7 || totals[schemas.MetricStopped] != 1 {
		t.Errorf("totals are %v, want 7 received, 7 sent, 1 stopped", totals)
	}
	first, second := window.UnixNano(), window.Add(10*time.Second).UnixNano()
	if len(written) != 2 || written[first] != 5 || written[second] != 1 {
		t.Errorf("rows by window are %v, want 5 at %d and 1 at %d", written, first, second)
	}
}
