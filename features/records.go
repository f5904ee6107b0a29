package features

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas/wire"
)

// maxHeader is how long a header may be that a dead letter repeats; Weir's own are shorter.
const maxHeader = 64

// deadLetter is the record that tells people of an unreadable message: where it is, why it could not be read, and how to know it again.
func deadLetter(m ingest.Message, reason error) ingest.Record {
	headers := []wire.Header{
		{Key: wire.HeaderReason, Value: redact.Text(reason.Error())},
		{Key: wire.HeaderStage, Value: "features"},
		{Key: wire.HeaderSource, Value: m.Source.String()},
		{Key: wire.HeaderOffset, Value: strconv.FormatInt(m.Offset, 10)},
	}
	for _, key := range []string{wire.HeaderEvents, wire.HeaderRows, wire.HeaderSchema, wire.HeaderProducer, wire.HeaderSeq} {
		if value, ok := wire.Find(m.Headers, key); ok && len(value) <= maxHeader {
			headers = append(headers, wire.Header{Key: key, Value: redact.Identity(value)})
		}
	}
	return ingest.Record{
		Topic: wire.TopicDeadLetter, Key: []byte(m.Source.String()),
		Value: wire.Unreadable(m.Value), Headers: headers,
	}
}

// progressRecords says how far every source is, once for each partition of weir.progress.
func (r *run) progressRecords(now time.Time) ([]ingest.Record, error) {
	p := wire.Progress{Worker: r.cfg.Name, Time: now.UnixNano()}
	partitions := r.cfg.Shards
	for _, s := range r.sources {
		one := wire.SourceProgress{
			Source: s.assigned.Source.String(), Next: s.next, Durable: s.durable, End: max(s.end, s.next),
			Watermark: r.sourceWatermark(s, now), Idle: r.idle(s, now),
		}
		if !s.lastData.IsZero() {
			one.LastData = s.lastData.UnixNano()
		}
		p.Sources = append(p.Sources, one)
		if r.cfg.Shards == 0 {
			partitions = s.assigned.Partitions
		}
	}
	slices.SortFunc(p.Sources, func(a, b wire.SourceProgress) int { return strings.Compare(a.Source, b.Source) })
	value, err := p.Encode()
	if err != nil {
		return nil, err
	}
	records := make([]ingest.Record, partitions)
	for i := range records {
		records[i] = ingest.Record{Topic: wire.TopicProgress, Partition: i, Key: []byte(p.Worker), Value: value}
	}
	return records, nil
}
