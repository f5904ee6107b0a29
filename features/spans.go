package features

import (
	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/columns"
)

// keep holds the spans of a message, as they came, until the next flush. What came before is left out, and so are messages that are durable.
// fates has one entry for each span of the batch.
func (s *source) keep(m ingest.Message, batch columns.SpanBatch, fates []join.Fate) {
	if m.Offset < s.assigned.Position.Durable {
		return
	}
	fresh := make([]columns.Span, 0, len(batch.Spans))
	for i, fate := range fates {
		if fate == join.Fresh {
			fresh = append(fresh, batch.Spans[i])
		}
	}
	if len(fresh) == 0 {
		return
	}
	batch.Spans = fresh
	s.kept = append(s.kept, columns.KeptSpans{Source: s.assigned.Source.String(), Offset: m.Offset, SpanBatch: batch})
	s.keptRows += len(fresh)
}
