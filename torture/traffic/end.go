package traffic

import (
	"strconv"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/wire"
)

// End is behind every event time.
func (g *Generator) End() time.Time {
	return g.cfg.Start.Add(g.cfg.Span + Skew + MaxLate)
}

// EndOfStream are the messages that say on each partition that nothing older than end follows: what waits for a parent or an answer is
// decided. They belong into the log behind everything that was sent; `weir replay` ends a recording in the same way.
func EndOfStream(end time.Time, partitions map[string]int) []ingest.Record {
	var out []ingest.Record
	for _, topic := range []string{wire.TopicCalls, wire.TopicSamples} {
		for p := range partitions[topic] {
			out = append(out, ingest.Record{Topic: topic, Partition: p, Headers: []wire.Header{
				{Key: wire.HeaderControl, Value: wire.ControlWatermark},
				{Key: wire.HeaderEventTime, Value: strconv.FormatInt(end.UnixNano(), 10)},
				{Key: wire.HeaderProducer, Value: "torture"},
			}})
		}
	}
	return out
}
