package columns

import (
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/weirmesh/weir/schemas"
)

// Windows is the Arrow schema of partial windows: the columns that a flush inserts into the subject's tables, and first_offset, which
// only guards the insert.
func Windows(subject schemas.Subject) *arrow.Schema {
	p := arrow.PrimitiveTypes
	fields := []arrow.Field{column("window_start", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, "ms since the Unix epoch")}
	for _, name := range subject.Dimensions() {
		fields = append(fields, column(name, arrow.BinaryTypes.String, ""))
	}
	fields = append(fields, column("source", arrow.BinaryTypes.String, ""),
		column("first_offset", p.Int64, "Kafka offset"), column("last_offset", p.Int64, "Kafka offset"))
	for _, m := range subject.Measures() {
		fields = append(fields, column(m.String(), p.Uint64, ""))
	}
	fields = append(fields, column("evidence", p.Uint8, "bits, see schemas.Evidence"),
		column("histogram", arrow.MapOf(p.Int16, p.Uint64), "calls / 65536 by bucket"))
	if subject == schemas.ServiceWindows {
		fields = append(fields, column("callers", arrow.ListOf(arrow.BinaryTypes.String), ""))
	}
	return arrow.NewSchema(fields, nil)
}

// EncodePartials returns one Arrow IPC stream of one record batch: the unit that ClickHouse stores whole or not at all.
func EncodePartials(subject schemas.Subject, rows []schemas.Partial) ([]byte, error) {
	dimensions := subject.Dimensions()
	for i := range rows {
		if len(rows[i].Dimensions) != len(dimensions) {
			return nil, fmt.Errorf("encode %s windows: %d dimensions, want %d", subject, len(rows[i].Dimensions), len(dimensions))
		}
	}
	value, err := encode(Windows(subject), partialArrays(subject, rows), len(rows))
	if err != nil {
		return nil, fmt.Errorf("encode %d %s windows: %w", len(rows), subject, err)
	}
	return value, nil
}

// partialArrays makes the columns in the order of Windows.
func partialArrays(subject schemas.Subject, rows []schemas.Partial) []arrow.Array {
	p := arrow.PrimitiveTypes
	arrays := []arrow.Array{fixed(&arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"},
		each(rows, func(r *schemas.Partial) int64 { return r.Start / int64(time.Millisecond) }))}
	for i := range subject.Dimensions() {
		arrays = append(arrays, texts(rows, func(r *schemas.Partial) string { return r.Dimensions[i] }))
	}
	arrays = append(arrays, texts(rows, func(r *schemas.Partial) string { return r.Source }),
		fixed(p.Int64, each(rows, func(r *schemas.Partial) int64 { return r.FirstOffset })),
		fixed(p.Int64, each(rows, func(r *schemas.Partial) int64 { return r.LastOffset })))
	for _, m := range subject.Measures() {
		arrays = append(arrays, fixed(p.Uint64, each(rows, func(r *schemas.Partial) uint64 { return r.Measures[m] })))
	}
	arrays = append(arrays, fixed(p.Uint8, each(rows, func(r *schemas.Partial) uint8 { return uint8(r.Evidence) })), histograms(rows))
	if subject == schemas.ServiceWindows {
		arrays = append(arrays, callers(rows))
	}
	return arrays
}

func each[R, T any](rows []R, value func(*R) T) []T {
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = value(&rows[i])
	}
	return out
}

func texts[R any](rows []R, value func(*R) string) arrow.Array {
	words := make([]string, len(rows))
	for i := range rows {
		words[i] = value(&rows[i])
	}
	return stringsOf(words)
}

func histograms(rows []schemas.Partial) arrow.Array {
	offsets := []int32{0}
	var buckets []int16
	var counts []uint64
	for i := range rows {
		for _, c := range rows[i].Histogram {
			buckets, counts = append(buckets, int16(c.Bucket)), append(counts, c.Count)
		}
		offsets = append(offsets, int32(len(buckets)))
	}
	keys := fixed(arrow.PrimitiveTypes.Int16, buckets)
	defer keys.Release()
	items := fixed(arrow.PrimitiveTypes.Uint64, counts)
	defer items.Release()
	return mapArray(arrow.MapOf(arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint64), offsets, keys, items)
}

func callers(rows []schemas.Partial) arrow.Array {
	offsets := []int32{0}
	var names []string
	for i := range rows {
		names = append(names, rows[i].Callers...)
		offsets = append(offsets, int32(len(names)))
	}
	values := stringsOf(names)
	defer values.Release()
	return listArray(arrow.ListOf(arrow.BinaryTypes.String), offsets, values)
}
