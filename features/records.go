package features

import (
	"strconv"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/wire"
)

// deadLetter is the record that keeps an unreadable message for people: its first bytes, where it was, and why it could not be read.
func deadLetter(m ingest.Message, reason error) ingest.Record {
	headers := []wire.Header{
		{Key: wire.HeaderReason, Value: reason.Error()},
		{Key: wire.HeaderStage, Value: "features"},
		{Key: wire.HeaderSource, Value: m.Source.String()},
		{Key: wire.HeaderOffset, Value: strconv.FormatInt(m.Offset, 10)},
	}
	for _, key := range []string{wire.HeaderEvents, wire.HeaderRows, wire.HeaderSchema, wire.HeaderProducer, wire.HeaderSeq} {
		if value, ok := wire.Find(m.Headers, key); ok {
			headers = append(headers, wire.Header{Key: key, Value: value})
		}
	}
	return ingest.Record{
		Topic: wire.TopicDeadLetter, Key: []byte(m.Source.String()),
		Value: m.Value[:min(len(m.Value), wire.DeadLetterBytes)], Headers: headers,
	}
}

// progressRecords says how far every source is, once for each partition of weir.progress.
func (r *run) progressRecords(now time.Time) ([]ingest.Record, error) {
	var records []ingest.Record
	for _, s := range r.sources {
		p := wire.Progress{
			Source: s.assigned.Source.String(), Worker: r.cfg.Name, Time: now.UnixNano(), Next: s.next, Durable: s.durable,
			End: max(s.end, s.next), Watermark: r.sourceWatermark(s, now), Idle: r.idle(s, now),
		}
		if !s.lastData.IsZero() {
			p.LastData = s.lastData.UnixNano()
		}
		value, err := p.Encode()
		if err != nil {
			return nil, err
		}
		for partition := range s.assigned.Partitions {
			records = append(records, ingest.Record{
				Topic: wire.TopicProgress, Partition: partition, Key: []byte(p.Source), Value: value,
			})
		}
	}
	return records, nil
}
