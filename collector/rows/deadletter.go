package rows

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// MaxDeadLetters is how many dead letters one request may leave: a span that cannot be used may be a few bytes, its letter is not.
const MaxDeadLetters = 1000

// Stage names the collector in dead letters.
const Stage = "collector"

// lose records a span that cannot be used: as a dead letter that says why, and as a row that lowers its window's completeness.
func (r *spanRun) lose(span ptrace.Span, from schemas.Origin, reason string) error {
	end := r.clock.received
	if t := uint64(span.EndTimestamp()); t > 0 && t < uint64(schemas.LatestEvent) && r.clock.absurd(int64(t)) == "" {
		end = int64(t)
	}
	kept := r.letters < MaxDeadLetters
	r.batch.lose(Loss{Reason: reason, Count: 1, DeadLetter: kept})
	if kept {
		r.letters++
		letter, err := deadLetter(span, from, reason)
		if err != nil {
			return err
		}
		letter.Partition = wire.PartitionOf(letter.Key, r.at.DeadLetters)
		letter.Headers = append(letter.Headers, wire.Header{Key: wire.HeaderEvents, Value: wire.Events(end, end)})
		r.batch.Records = append(r.batch.Records, letter)
	}
	row := columns.Span{Kind: kindOf(span), Measure: schemas.Measure{
		End: end, Flags: schemas.FlagLost, Weight: schemas.One, Status: schemas.Status{GRPC: schemas.NoGRPC},
	}}
	return r.put(wire.PartitionOf([]byte(from.Key()), r.at.Calls), row, from, columns.Peer{})
}

// deadLetter writes the span as OTLP JSON with its ids, times and kind and who sent it. Its attributes stay behind, and its name, in which
// people put paths and queries.
func deadLetter(span ptrace.Span, from schemas.Origin, reason string) (ingest.Record, error) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	who := rs.Resource().Attributes()
	for _, pair := range [...][2]string{
		{"service.name", from.Name},
		{"service.version", from.Version},
		{"service.instance.id", from.Instance},
		{"k8s.namespace.name", from.Namespace},
		{"k8s.cluster.name", from.Cluster},
		{"cloud.region", from.Region},
	} {
		if pair[1] != "" {
			who.PutStr(pair[0], pair[1])
		}
	}
	out := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	out.SetTraceID(span.TraceID())
	out.SetSpanID(span.SpanID())
	out.SetParentSpanID(span.ParentSpanID())
	out.SetKind(ptrace.SpanKind(kindOf(span)))
	out.SetStartTimestamp(span.StartTimestamp())
	out.SetEndTimestamp(span.EndTimestamp())
	value, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		return ingest.Record{}, fmt.Errorf("encode dead letter: %w", err)
	}
	return ingest.Record{
		Topic: wire.TopicDeadLetter, Key: []byte(from.Key()), Value: value[:min(len(value), wire.DeadLetterBytes)],
		Headers: []wire.Header{{Key: wire.HeaderReason, Value: reason}, {Key: wire.HeaderStage, Value: Stage}},
	}, nil
}
