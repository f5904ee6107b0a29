package rows

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// spanRun is the work on one request of spans.
type spanRun struct {
	*Converter
	at      Layout
	clock   clock
	open    []openMessage // by partition
	routes  map[routeFacts]string
	route   lastRoute
	peers   map[peerFacts]admittedPeer
	peer    lastPeer
	senders map[sender]admitted
	sender  sender
	from    admitted // sender, if it is known
	letters int
	written written
	batch   Batch
}

// openMessage is a message rows are being added to; rows is nil while there are none.
type openMessage struct {
	rows *columns.SpanBuilder
	key  schemas.TraceID
}

// Spans turns a request of spans into messages: at most one for each partition, unless one is full. received is the time of receipt.
func (c *Converter) Spans(td ptrace.Traces, at Layout, received time.Time) (Batch, error) {
	r := &spanRun{Converter: c, at: at, clock: c.clock(received), open: make([]openMessage, at.Calls), written: newWritten(received)}
	for _, rs := range td.ResourceSpans().All() {
		resource := c.origin(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if err := r.add(span, &resource); err != nil {
					return Batch{}, err
				}
			}
		}
	}
	for p := range r.open {
		if err := r.close(p); err != nil {
			return Batch{}, err
		}
	}
	r.batch.Written = r.written.all()
	return r.batch, nil
}

func (r *spanRun) add(span ptrace.Span, resource *schemas.Origin) error {
	r.batch.Read++
	var f facts
	f.read(span)
	from := r.sent(resource, &f.istio)
	over := from.over
	if reason := r.unusable(span); reason != "" {
		over.Count(&r.batch.Overflowed)
		return r.lose(span, from.Origin, reason)
	}
	row := r.row(span, &f)
	peer := r.called(&f, row.Kind)
	over |= peer.over
	if over != 0 {
		over.Count(&r.batch.Overflowed)
	}
	r.batch.Rows++
	return r.put(wire.PartitionOfTrace(row.Trace, r.at.Calls), row, from.Origin, peer.Peer)
}

// unusable says why a span cannot become a row, or "".
func (r *spanRun) unusable(span ptrace.Span) string {
	switch end := uint64(span.EndTimestamp()); {
	case span.TraceID().IsEmpty():
		return "zero_trace_id"
	case span.SpanID().IsEmpty():
		return "zero_span_id"
	case end == 0:
		return "no_end_time"
	case end >= uint64(schemas.LatestEvent):
		return "end_time_out_of_range"
	default:
		return r.clock.absurd(int64(end))
	}
}

func (r *spanRun) row(span ptrace.Span, f *facts) columns.Span {
	row := columns.Span{
		Trace:    schemas.TraceID(span.TraceID()),
		ID:       schemas.SpanID(span.SpanID()),
		Parent:   schemas.SpanID(span.ParentSpanID()),
		Kind:     kindOf(span),
		Protocol: f.protocol(),
		Route:    r.template(f),
		Measure: schemas.Measure{
			End:           int64(span.EndTimestamp()),
			Status:        f.status(span),
			Flags:         f.flags(),
			Weight:        weightOf(span.TraceState().AsRaw()),
			RequestBytes:  uint64(f.requestBytes.size),
			ResponseBytes: uint64(f.responseBytes.size),
		},
	}
	// A start of 0 was never set; the time since 1970 is no duration.
	if start, end := span.StartTimestamp(), span.EndTimestamp(); start > end || start == 0 {
		row.Flags |= schemas.FlagClockSkew
	} else {
		row.Duration = uint64(end - start)
	}
	return row
}

// kindOf returns the span's kind; what OTLP does not define is unspecified.
func kindOf(span ptrace.Span) schemas.Kind {
	if k := span.Kind(); k >= ptrace.SpanKindUnspecified && k <= ptrace.SpanKindConsumer {
		return schemas.Kind(k)
	}
	return schemas.KindUnspecified
}

// put adds a row to its partition's message.
func (r *spanRun) put(partition int, row columns.Span, from schemas.Origin, peer columns.Peer) error {
	m := &r.open[partition]
	if m.rows != nil && m.rows.Full() {
		if err := r.close(partition); err != nil {
			return err
		}
	}
	if m.rows == nil {
		m.rows = r.builder()
		m.key = row.Trace
	}
	m.rows.Append(row, from, peer)
	r.written.add(&from, row.End)
	return nil
}

// close turns the rows gathered for a partition into a message.
func (r *spanRun) close(partition int) error {
	m := &r.open[partition]
	if m.rows == nil {
		return nil
	}
	n := m.rows.Len()
	first, last := m.rows.Events()
	value, err := m.rows.Encode()
	r.builders.Put(m.rows)
	m.rows = nil
	if err != nil {
		return err
	}
	key := m.key
	r.batch.Records = append(r.batch.Records, ingest.Record{
		Topic: wire.TopicCalls, Partition: partition, Key: key[:], Value: value,
		Headers: dataHeaders(wire.SchemaCalls, first, last, n),
	})
	return nil
}
