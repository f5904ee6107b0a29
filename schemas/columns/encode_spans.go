package columns

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/weirmesh/weir/schemas"
)

// MaxRows is how many rows one message holds at most: enough to spread an Arrow stream's fixed cost thin, few enough to stay well
// below Kafka's usual limit of 1 MB a message.
const MaxRows = 4096

// maxTextBytes bounds the text of one message, for the same limit.
const maxTextBytes = 256 << 10

// SpanBuilder gathers the rows of one weir.calls message. It is not safe for concurrent use.
type SpanBuilder struct {
	schema      *arrow.Schema
	trace       []schemas.TraceID
	id, parent  []schemas.SpanID
	end         []int64
	duration    []uint64
	kind        []uint8
	flags       []uint16
	http        []uint16
	grpc        []int16
	status      []uint8
	weight      []uint32
	request     []uint64
	response    []uint64
	text        [spanColumns - spanTenant]*dictionary
	first, last int64
}

// NewSpanBuilder returns an empty builder.
func NewSpanBuilder() *SpanBuilder {
	b := &SpanBuilder{schema: Spans()}
	for i := range b.text {
		b.text[i] = newDictionary()
	}
	return b
}

// Len is the number of rows gathered.
func (b *SpanBuilder) Len() int { return len(b.trace) }

// Full reports whether the message should be sent before another row is added.
func (b *SpanBuilder) Full() bool {
	size := 0
	for _, d := range b.text {
		size += len(d.bytes)
	}
	return b.Len() >= MaxRows || size >= maxTextBytes
}

// Events is the range of end times gathered, in Unix ns.
func (b *SpanBuilder) Events() (first, last int64) { return b.first, b.last }

// Append adds one row: a span, the origin it came from and the peer it declares. The Origin and Peer fields of s are not read.
func (b *SpanBuilder) Append(s Span, from schemas.Origin, peer Peer) {
	if b.Len() == 0 || s.End < b.first {
		b.first = s.End
	}
	if b.Len() == 0 || s.End > b.last {
		b.last = s.End
	}
	b.trace = append(b.trace, s.Trace)
	b.id = append(b.id, s.ID)
	b.parent = append(b.parent, s.Parent)
	b.end = append(b.end, s.End)
	b.duration = append(b.duration, s.Duration)
	b.kind = append(b.kind, uint8(s.Kind))
	b.flags = append(b.flags, uint16(s.Flags))
	b.http = append(b.http, s.Status.HTTP)
	b.grpc = append(b.grpc, s.Status.GRPC)
	b.status = append(b.status, s.Status.Span)
	b.weight = append(b.weight, uint32(s.Weight))
	b.request = append(b.request, s.RequestBytes)
	b.response = append(b.response, s.ResponseBytes)
	for i, value := range [...]string{
		from.Tenant, from.Cluster, from.Region, from.Namespace, from.Name, from.Version, from.Instance,
		peer.Namespace, peer.Name, s.Route, s.Protocol,
	} {
		b.text[i].rows = append(b.text[i].rows, b.text[i].intern(value))
	}
}

// Encode returns the message's value and empties the builder.
func (b *SpanBuilder) Encode() ([]byte, error) {
	fields := b.schema.Fields()
	arrays := []arrow.Array{
		fixed(fields[spanTrace].Type, b.trace), fixed(fields[spanID].Type, b.id), fixed(fields[spanParent].Type, b.parent),
		fixed(fields[spanEnd].Type, b.end), fixed(fields[spanDuration].Type, b.duration), fixed(fields[spanKind].Type, b.kind),
		fixed(fields[spanFlags].Type, b.flags), fixed(fields[spanHTTP].Type, b.http), fixed(fields[spanGRPC].Type, b.grpc),
		fixed(fields[spanStatus].Type, b.status), fixed(fields[spanWeight].Type, b.weight),
		fixed(fields[spanRequestBytes].Type, b.request), fixed(fields[spanResponseBytes].Type, b.response),
	}
	for _, d := range b.text {
		arrays = append(arrays, d.array())
	}
	defer b.reset()
	value, err := encode(b.schema, arrays, b.Len())
	if err != nil {
		return nil, fmt.Errorf("encode %d spans: %w", b.Len(), err)
	}
	return value, nil
}

func (b *SpanBuilder) reset() {
	b.trace, b.id, b.parent = b.trace[:0], b.id[:0], b.parent[:0]
	b.end, b.duration, b.kind, b.flags = b.end[:0], b.duration[:0], b.kind[:0], b.flags[:0]
	b.http, b.grpc, b.status, b.weight = b.http[:0], b.grpc[:0], b.status[:0], b.weight[:0]
	b.request, b.response = b.request[:0], b.response[:0]
	for _, d := range b.text {
		d.reset()
	}
}

// encode writes one self-contained Arrow IPC stream and releases the arrays.
func encode(schema *arrow.Schema, arrays []arrow.Array, rows int) ([]byte, error) {
	record := array.NewRecord(schema, arrays, int64(rows))
	for _, a := range arrays {
		a.Release()
	}
	defer record.Release()
	return EncodeRecord(record)
}

// EncodeRecord writes the record as one self-contained Arrow IPC stream of one batch.
func EncodeRecord(record arrow.Record) ([]byte, error) {
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(record.Schema()))
	if err := w.Write(record); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
