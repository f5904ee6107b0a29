package columns

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// readRecord opens a message and calls read with its only record, which is valid until read returns. The Arrow library panics on some
// malformed input; here that is an error like any other.
func readRecord(value []byte, read func(arrow.Record) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed arrow stream: %v", r)
		}
	}()
	if err := checkStream(value); err != nil {
		return err
	}
	r, err := ipc.NewReader(bytes.NewReader(value), ipc.WithAllocator(memory.NewGoAllocator()))
	if err != nil {
		return fmt.Errorf("malformed arrow stream: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return fmt.Errorf("arrow stream without a record: %w", orEmpty(r.Err()))
	}
	if err := read(r.Record()); err != nil {
		return err
	}
	if r.Next() {
		return fmt.Errorf("arrow stream with more than one record")
	}
	return r.Err()
}

func orEmpty(err error) error {
	if err == nil {
		return fmt.Errorf("empty")
	}
	return err
}

// reader reads the columns of one record by name and remembers the first error.
type reader struct {
	record arrow.Record
	err    error
}

func (r *reader) column(name string) arrow.Array {
	if r.err != nil {
		return nil
	}
	at := r.record.Schema().FieldIndices(name)
	if len(at) != 1 {
		r.err = fmt.Errorf("column %s: found %d times", name, len(at))
		return nil
	}
	a := r.record.Column(at[0])
	switch {
	case a.NullN() > 0:
		r.err = fmt.Errorf("column %s: has nulls", name)
	case int64(a.Len()) != r.record.NumRows():
		r.err = fmt.Errorf("column %s: has %d values for %d rows", name, a.Len(), r.record.NumRows())
	default:
		return a
	}
	return nil
}

func (r *reader) wrong(name string, a arrow.Array) {
	if r.err == nil {
		r.err = fmt.Errorf("column %s: has type %s", name, a.DataType())
	}
}

// numbers is an Arrow array of one primitive type.
type numbers[T any] interface {
	arrow.Array
	Value(int) T
}

func values[T any, A numbers[T]](r *reader, name string) []T {
	a := r.column(name)
	if a == nil {
		return nil
	}
	typed, ok := a.(A)
	if !ok {
		r.wrong(name, a)
		return nil
	}
	out := make([]T, typed.Len())
	for i := range out {
		out[i] = typed.Value(i)
	}
	return out
}

// binary copies a column of fixed-size binary values; each must be width bytes.
func (r *reader) binary(name string, width int, put func(i int, value []byte)) {
	a := r.column(name)
	if a == nil {
		return
	}
	typed, ok := a.(*array.FixedSizeBinary)
	if !ok || !arrow.TypeEqual(typed.DataType(), &arrow.FixedSizeBinaryType{ByteWidth: width}) {
		r.wrong(name, a)
		return
	}
	for i := range typed.Len() {
		put(i, typed.Value(i))
	}
}

// textColumn is a decoded dictionary column: a value's index for each row.
type textColumn struct {
	values []string
	rows   []uint16
}

func (c textColumn) at(row int) string { return c.values[c.rows[row]] }

func (r *reader) text(name string) textColumn {
	a := r.column(name)
	if a == nil {
		return textColumn{}
	}
	dict, ok := a.(*array.Dictionary)
	if !ok {
		r.wrong(name, a)
		return textColumn{}
	}
	indices, ok1 := dict.Indices().(*array.Uint16)
	words, ok2 := dict.Dictionary().(*array.String)
	if !ok1 || !ok2 || words.Len() > 1<<16 {
		r.wrong(name, a)
		return textColumn{}
	}
	c := textColumn{values: make([]string, words.Len()), rows: make([]uint16, indices.Len())}
	for i := range c.values {
		c.values[i] = string([]byte(words.Value(i)))
	}
	for i := range c.rows {
		c.rows[i] = indices.Value(i)
		if int(c.rows[i]) >= len(c.values) {
			r.err = fmt.Errorf("column %s: row %d points at word %d of %d", name, i, c.rows[i], len(c.values))
			return textColumn{}
		}
	}
	return c
}
