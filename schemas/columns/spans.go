package columns

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/weirmesh/weir/schemas"
)

// Span is one row of a weir.calls message: one end's record of a piece of work. Two of them, or one at the edge of what is seen, make
// a schemas.Call.
type Span struct {
	Trace     schemas.TraceID
	ID        schemas.SpanID
	Parent    schemas.SpanID // zero = none
	Kind      schemas.Kind
	Origin    int // index into the batch's Origins
	Peer      int // index into the batch's Peers; the empty Peer = none declared
	Route     string
	Protocol  string // http, grpc, messaging, db or ""
	HasParent bool   // the sender named a parent
	schemas.Measure
}

// Peer is the workload a CLIENT or PRODUCER span says it called.
type Peer struct {
	Namespace, Name string
}

// text is a string column: dictionary-encoded, because a batch repeats few values.
var text = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.BinaryTypes.String}

func column(name string, t arrow.DataType, unit string) arrow.Field {
	return arrow.Field{Name: name, Type: t, Metadata: arrow.NewMetadata([]string{"unit"}, []string{unit})}
}

// Positions of the columns of calls/1. The order is part of the schema: new columns go to the end.
const (
	spanTrace = iota
	spanID
	spanParent
	spanEnd
	spanDuration
	spanKind
	spanFlags
	spanHTTP
	spanGRPC
	spanStatus
	spanWeight
	spanRequestBytes
	spanResponseBytes
	spanTenant
	spanCluster
	spanRegion
	spanNamespace
	spanWorkload
	spanVersion
	spanInstance
	spanPeerNamespace
	spanPeerWorkload
	spanRoute
	spanProtocol
	spanColumns
)

// Spans is the Arrow schema calls/1.
func Spans() *arrow.Schema {
	p := arrow.PrimitiveTypes
	return arrow.NewSchema([]arrow.Field{
		spanTrace:         column("trace_id", &arrow.FixedSizeBinaryType{ByteWidth: 16}, "W3C trace id"),
		spanID:            column("span_id", &arrow.FixedSizeBinaryType{ByteWidth: 8}, "W3C span id"),
		spanParent:        column("parent_span_id", &arrow.FixedSizeBinaryType{ByteWidth: 8}, "W3C span id, zero = none"),
		spanEnd:           column("end_time", p.Int64, "ns since the Unix epoch"),
		spanDuration:      column("duration", p.Uint64, "ns"),
		spanKind:          column("kind", p.Uint8, "OTLP span kind"),
		spanFlags:         column("flags", p.Uint16, "bits, see schemas.Flags"),
		spanHTTP:          column("http_status", p.Uint16, "HTTP status code, 0 = not known"),
		spanGRPC:          column("grpc_status", p.Int16, "gRPC status code, -1 = not known"),
		spanStatus:        column("span_status", p.Uint8, "OTLP status code"),
		spanWeight:        column("weight", p.Uint32, "calls / 65536"),
		spanRequestBytes:  column("request_bytes", p.Uint64, "bytes"),
		spanResponseBytes: column("response_bytes", p.Uint64, "bytes"),
		spanTenant:        column("tenant", text, ""),
		spanCluster:       column("cluster", text, ""),
		spanRegion:        column("region", text, ""),
		spanNamespace:     column("namespace", text, ""),
		spanWorkload:      column("workload", text, ""),
		spanVersion:       column("version", text, ""),
		spanInstance:      column("instance", text, ""),
		spanPeerNamespace: column("peer_namespace", text, "declared by the caller"),
		spanPeerWorkload:  column("peer_workload", text, "declared by the caller"),
		spanRoute:         column("route", text, "template, never a path"),
		spanProtocol:      column("protocol", text, ""),
	}, nil)
}
