package rows

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// maxRoutes bounds the RPC routes one request remembers; with more of them, each is put together anew.
const maxRoutes = 1024

// spanRun is the work on one request of spans.
type spanRun struct {
	*Converter
	at       Layout
	received int64
	open     []openMessage // by partition
	routes   map[[2]string]string
	from     sender
	letters  int
	written  written
	batch    Batch
}

// sender is whom the spans of a resource come from. Most spans of a proxy name the same one as the span before, so the last is kept.
type sender struct {
	resource schemas.Origin
	tags     istioTags
	tagged   schemas.Origin // resource with tags
}

// is returns the sender of a span with these tags. It is valid until the next call.
func (s *sender) is(tags *istioTags) *schemas.Origin {
	switch {
	case *tags == istioTags{}:
		return &s.resource
	case *tags != s.tags:
		s.tags, s.tagged = *tags, tags.origin(s.resource)
	}
	return &s.tagged
}

// openMessage is a message rows are being added to; rows is nil while there are none.
type openMessage struct {
	rows *columns.SpanBuilder
	key  schemas.TraceID
}

// Spans turns a request of spans into messages: at most one for each partition, unless one is full. received is the time of receipt.
func (c *Converter) Spans(td ptrace.Traces, at Layout, received time.Time) (Batch, error) {
	r := &spanRun{Converter: c, at: at, received: received.UnixNano(), open: make([]openMessage, at.Calls), written: newWritten(received)}
	for _, rs := range td.ResourceSpans().All() {
		r.from = sender{resource: c.origin(rs.Resource())}
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if err := r.add(span); err != nil {
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

func (r *spanRun) add(span ptrace.Span) error {
	r.batch.Read++
	var f facts
	f.read(span)
	from := r.from.is(&f.istio)
	if reason := unusable(span); reason != "" {
		return r.lose(span, *from, reason)
	}
	row := r.row(span, &f)
	r.batch.Rows++
	return r.put(wire.PartitionOfTrace(row.Trace, r.at.Calls), row, *from, f.peer(row.Kind))
}

// unusable says why a span cannot become a row, or "".
func unusable(span ptrace.Span) string {
	switch end := uint64(span.EndTimestamp()); {
	case span.TraceID().IsEmpty():
		return "zero_trace_id"
	case span.SpanID().IsEmpty():
		return "zero_span_id"
	case end == 0:
		return "no_end_time"
	case end > math.MaxInt64:
		return "end_time_out_of_range"
	}
	return ""
}

func (r *spanRun) row(span ptrace.Span, f *facts) columns.Span {
	row := columns.Span{
		Trace:    schemas.TraceID(span.TraceID()),
		ID:       schemas.SpanID(span.SpanID()),
		Parent:   schemas.SpanID(span.ParentSpanID()),
		Kind:     kindOf(span),
		Protocol: f.protocol(),
		Route:    r.route(f),
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

// route puts service and method of an RPC together once for all spans of the request that share them.
func (r *spanRun) route(f *facts) string {
	service, method := f.route()
	if service == "" || method == "" {
		return name(method)
	}
	key := [2]string{service, method}
	if known, ok := r.routes[key]; ok {
		return known
	}
	route := name(cut(service, schemas.MaxName) + "/" + cut(method, schemas.MaxName))
	if r.routes == nil {
		r.routes = map[[2]string]string{}
	}
	if len(r.routes) < maxRoutes {
		r.routes[key] = route
	}
	return route
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
