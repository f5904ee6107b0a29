package features_test

import (
	"testing"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// TestWhatCollectorsSayOfThemselvesIsNoData: they speak every few seconds, whether or not telemetry comes.
func TestWhatCollectorsSayOfThemselvesIsNoData(t *testing.T) {
	s := newStage(t)
	said := func(partition int, metrics ...string) ingest.Record {
		var samples []columns.Sample
		for _, m := range metrics {
			samples = append(samples, columns.Sample{Time: base, Origin: origin("front"), Metric: m, Value: 1})
		}
		value, err := columns.EncodeSamples(samples)
		if err != nil {
			t.Fatal(err)
		}
		return ingest.Record{Topic: wire.TopicSamples, Partition: partition, Value: value, Headers: []wire.Header{{Key: wire.HeaderSchema, Value: wire.SchemaSamples}}}
	}
	s.produce(said(0, schemas.MetricReceived, schemas.MetricSent), said(1, schemas.MetricReceived, "queue.depth"), spans(t, 0, checkout(1, base)...))
	stop := s.start(s.worker(config()))
	word := s.awaitDurable()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for source, heard := range map[string]bool{"weir.samples/0": false, "weir.samples/1": true, "weir.calls/0": true, "weir.calls/1": false} {
		if got := word[source].LastData != 0; got != heard {
			t.Errorf("%s: data heard is %v, want %v", source, got, heard)
		}
	}
}
