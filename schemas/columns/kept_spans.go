package columns

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/weirmesh/weir/schemas"
)

// KeptSpans are spans of one message that are to be stored as they came. Nobody changes them after they were handed on.
type KeptSpans struct {
	Source string // the topic partition
	Offset int64  // of the message
	SpanBatch
}

// keptRow is a span together with what its message says of it.
type keptRow struct {
	*Span
	message *KeptSpans
}

func (r *keptRow) started() int64 { return max(0, r.End-int64(min(r.Duration, uint64(max(0, r.End))))) }

// keptColumn is a column of an insert into weir.spans.
type keptColumn struct {
	field  arrow.Field
	values func(rows []keptRow) arrow.Array
}

// keptColumns lists the columns: when the span started (Unix ns, at least 0), what calls/1 says but the end, the message.
func keptColumns() []keptColumn {
	calls := Spans().Fields()
	all := []keptColumn{
		number(column("started", &arrow.TimestampType{Unit: arrow.Nanosecond}, "ns since the Unix epoch"), func(r *keptRow) int64 { return r.started() }),
		number(calls[spanDuration], func(r *keptRow) uint64 { return r.Duration }),
		number(calls[spanTrace], func(r *keptRow) schemas.TraceID { return r.Trace }),
		number(calls[spanID], func(r *keptRow) schemas.SpanID { return r.ID }),
		number(calls[spanParent], func(r *keptRow) schemas.SpanID { return r.Parent }),
		number(calls[spanKind], func(r *keptRow) uint8 { return uint8(r.Kind) }),
		number(calls[spanFlags], func(r *keptRow) uint16 { return uint16(r.Flags) }),
		number(calls[spanHTTP], func(r *keptRow) uint16 { return r.Status.HTTP }),
		number(calls[spanGRPC], func(r *keptRow) int16 { return r.Status.GRPC }),
		number(calls[spanStatus], func(r *keptRow) uint8 { return r.Status.Span }),
		number(calls[spanWeight], func(r *keptRow) uint32 { return uint32(r.Weight) }),
		number(calls[spanRequestBytes], func(r *keptRow) uint64 { return r.RequestBytes }),
		number(calls[spanResponseBytes], func(r *keptRow) uint64 { return r.ResponseBytes }),
	}
	for i, value := range []func(*keptRow) string{
		func(r *keptRow) string { return r.origin().Tenant },
		func(r *keptRow) string { return r.origin().Cluster },
		func(r *keptRow) string { return r.origin().Region },
		func(r *keptRow) string { return r.origin().Namespace },
		func(r *keptRow) string { return r.origin().Name },
		func(r *keptRow) string { return r.origin().Version },
		func(r *keptRow) string { return r.origin().Instance },
		func(r *keptRow) string { return r.message.Peers[r.Peer].Namespace },
		func(r *keptRow) string { return r.message.Peers[r.Peer].Name },
		func(r *keptRow) string { return r.Route },
		func(r *keptRow) string { return r.Protocol },
	} {
		all = append(all, word(calls[spanTenant+i].Name, value))
	}
	return append(all, word("source", func(r *keptRow) string { return r.message.Source }),
		number(column("last_offset", arrow.PrimitiveTypes.Int64, "Kafka offset"), func(r *keptRow) int64 { return r.message.Offset }))
}

func (r *keptRow) origin() *schemas.Origin { return &r.message.Origins[r.Origin] }

func number[T any](field arrow.Field, value func(*keptRow) T) keptColumn {
	return keptColumn{field, func(rows []keptRow) arrow.Array { return fixed(field.Type, each(rows, value)) }}
}

func word(name string, value func(*keptRow) string) keptColumn {
	return keptColumn{column(name, arrow.BinaryTypes.String, ""), func(rows []keptRow) arrow.Array { return texts(rows, value) }}
}

// KeptSpanNames are the columns of EncodeKeptSpans, in their order.
func KeptSpanNames() []string {
	var names []string
	for _, c := range keptColumns() {
		names = append(names, c.field.Name)
	}
	return names
}

// EncodeKeptSpans returns one Arrow IPC stream of one record batch: the unit that ClickHouse stores whole or not at all.
func EncodeKeptSpans(messages []KeptSpans) ([]byte, error) {
	var rows []keptRow
	for i := range messages {
		for k := range messages[i].Spans {
			rows = append(rows, keptRow{&messages[i].Spans[k], &messages[i]})
		}
	}
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, c := range keptColumns() {
		fields, arrays = append(fields, c.field), append(arrays, c.values(rows))
	}
	value, err := encode(arrow.NewSchema(fields, nil), arrays, len(rows))
	if err != nil {
		return nil, fmt.Errorf("encode %d kept spans: %w", len(rows), err)
	}
	return value, nil
}
