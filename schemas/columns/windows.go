package columns

import (
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

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
	schema := Windows(subject)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Reserve(len(rows))
	for i := range rows {
		if len(rows[i].Dimensions) != len(subject.Dimensions()) {
			return nil, fmt.Errorf("encode %s windows: %d dimensions, want %d", subject, len(rows[i].Dimensions), len(subject.Dimensions()))
		}
		appendPartial(b, subject, &rows[i])
	}
	record := b.NewRecord()
	defer record.Release()
	value, err := EncodeRecord(record)
	if err != nil {
		return nil, fmt.Errorf("encode %d %s windows: %w", len(rows), subject, err)
	}
	return value, nil
}

// appendPartial walks the columns in the order of Windows.
func appendPartial(b *array.RecordBuilder, subject schemas.Subject, p *schemas.Partial) {
	at := 0
	next := func() array.Builder { at++; return b.Field(at - 1) }
	next().(*array.TimestampBuilder).Append(arrow.Timestamp(p.Start / int64(time.Millisecond)))
	for _, value := range p.Dimensions {
		next().(*array.StringBuilder).Append(value)
	}
	next().(*array.StringBuilder).Append(p.Source)
	next().(*array.Int64Builder).Append(p.FirstOffset)
	next().(*array.Int64Builder).Append(p.LastOffset)
	for _, m := range subject.Measures() {
		next().(*array.Uint64Builder).Append(p.Measures[m])
	}
	next().(*array.Uint8Builder).Append(uint8(p.Evidence))
	histogram := next().(*array.MapBuilder)
	histogram.Append(true)
	for _, c := range p.Histogram {
		histogram.KeyBuilder().(*array.Int16Builder).Append(int16(c.Bucket))
		histogram.ItemBuilder().(*array.Uint64Builder).Append(c.Count)
	}
	if subject == schemas.ServiceWindows {
		callers := next().(*array.ListBuilder)
		callers.Append(true)
		for _, name := range p.Callers {
			callers.ValueBuilder().(*array.StringBuilder).Append(name)
		}
	}
}
