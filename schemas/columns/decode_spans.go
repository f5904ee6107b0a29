package columns

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/weirmesh/weir/schemas"
)

// SpanBatch is a decoded weir.calls message.
type SpanBatch struct {
	Spans   []Span
	Origins []schemas.Origin
	Peers   []Peer
}

// DecodeSpans reads a message that SpanBuilder.Encode wrote, possibly by a newer version of Weir with more columns.
func DecodeSpans(value []byte) (SpanBatch, error) {
	var batch SpanBatch
	err := readRecord(value, func(record arrow.Record) error {
		if record.NumRows() > MaxRows {
			return fmt.Errorf("%d rows, at most %d are allowed", record.NumRows(), MaxRows)
		}
		r := &reader{record: record}
		batch = r.spans(int(record.NumRows()))
		return r.err
	})
	if err != nil {
		return SpanBatch{}, fmt.Errorf("decode spans: %w", err)
	}
	return batch, nil
}

func (r *reader) spans(n int) SpanBatch {
	spans := make([]Span, n)
	r.binary("trace_id", 16, func(i int, v []byte) { copy(spans[i].Trace[:], v) })
	r.binary("span_id", 8, func(i int, v []byte) { copy(spans[i].ID[:], v) })
	r.binary("parent_span_id", 8, func(i int, v []byte) { copy(spans[i].Parent[:], v) })
	end := values[int64, *array.Int64](r, "end_time")
	duration := values[uint64, *array.Uint64](r, "duration")
	kind := values[uint8, *array.Uint8](r, "kind")
	flags := values[uint16, *array.Uint16](r, "flags")
	http := values[uint16, *array.Uint16](r, "http_status")
	grpc := values[int16, *array.Int16](r, "grpc_status")
	status := values[uint8, *array.Uint8](r, "span_status")
	weight := values[uint32, *array.Uint32](r, "weight")
	request := values[uint64, *array.Uint64](r, "request_bytes")
	response := values[uint64, *array.Uint64](r, "response_bytes")
	route, protocol := r.text("route"), r.text("protocol")
	origins, peers := r.originColumns(), r.peerColumns()
	if r.err != nil {
		return SpanBatch{}
	}
	for i := range spans {
		s := &spans[i]
		s.HasParent = s.Parent != schemas.SpanID{}
		s.Kind = schemas.Kind(kind[i])
		s.Route, s.Protocol = route.at(i), protocol.at(i)
		s.Origin, s.Peer = origins.row(i), peers.row(i)
		s.Measure = schemas.Measure{
			End: end[i], Duration: duration[i], Flags: schemas.Flags(flags[i]), Weight: schemas.Weight(weight[i]),
			Status:       schemas.Status{HTTP: http[i], GRPC: grpc[i], Span: status[i]},
			RequestBytes: request[i], ResponseBytes: response[i],
		}
	}
	return SpanBatch{Spans: spans, Origins: originsOf(origins), Peers: peersOf(peers)}
}

// tuples numbers the distinct rows of several text columns read together.
type tuples struct {
	columns []textColumn
	index   map[[7]uint16]int
	keys    [][7]uint16
}

func newTuples(columns ...textColumn) *tuples {
	return &tuples{columns: columns, index: map[[7]uint16]int{}}
}

// row returns the number of row i's tuple. Neighbours are mostly alike, because senders group by resource.
func (t *tuples) row(i int) int {
	var key [7]uint16
	for c, column := range t.columns {
		key[c] = column.rows[i]
	}
	if last := len(t.keys) - 1; last >= 0 && t.keys[last] == key {
		return last
	}
	n, ok := t.index[key]
	if !ok {
		n = len(t.keys)
		t.index[key] = n
		t.keys = append(t.keys, key)
	}
	return n
}

func (r *reader) originColumns() *tuples {
	return newTuples(r.text("tenant"), r.text("cluster"), r.text("region"), r.text("namespace"), r.text("workload"),
		r.text("version"), r.text("instance"))
}

func originsOf(t *tuples) []schemas.Origin {
	out := make([]schemas.Origin, len(t.keys))
	for i, key := range t.keys {
		word := func(c int) string { return t.columns[c].values[key[c]] }
		out[i] = schemas.Origin{
			Workload: schemas.Workload{
				Tenant: word(0), Cluster: word(1), Region: word(2), Namespace: word(3), Name: word(4), Version: word(5),
			},
			Instance: word(6),
		}
	}
	return out
}

func (r *reader) peerColumns() *tuples {
	return newTuples(r.text("peer_namespace"), r.text("peer_workload"))
}

func peersOf(t *tuples) []Peer {
	out := make([]Peer, len(t.keys))
	for i, key := range t.keys {
		out[i] = Peer{Namespace: t.columns[0].values[key[0]], Name: t.columns[1].values[key[1]]}
	}
	return out
}
