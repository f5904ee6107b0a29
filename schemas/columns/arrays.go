package columns

import (
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// fixed wraps a slice of fixed-width values as an Arrow array without copying it; the slice must not change while the array lives.
func fixed[T any](t arrow.DataType, values []T) arrow.Array {
	var zero T
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
	data := array.NewData(t, len(values), []*memory.Buffer{nil, memory.NewBufferBytes(raw)}, nil, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// stringArray wraps offsets and bytes as an Arrow string array.
func stringArray(offsets []int32, bytes []byte) arrow.Array {
	buffers := []*memory.Buffer{nil, offsetBuffer(offsets), memory.NewBufferBytes(bytes)}
	data := array.NewData(arrow.BinaryTypes.String, len(offsets)-1, buffers, nil, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// stringsOf copies words into an Arrow string array.
func stringsOf(words []string) arrow.Array {
	offsets := make([]int32, 1, len(words)+1)
	var bytes []byte
	for _, word := range words {
		bytes = append(bytes, word...)
		offsets = append(offsets, int32(len(bytes)))
	}
	return stringArray(offsets, bytes)
}

// listArray wraps values, cut at offsets, as an Arrow list array.
func listArray(t arrow.DataType, offsets []int32, values arrow.Array) arrow.Array {
	data := array.NewData(t, len(offsets)-1, []*memory.Buffer{nil, offsetBuffer(offsets)}, []arrow.ArrayData{values.Data()}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// mapArray wraps keys and items, cut at offsets, as an Arrow map array.
func mapArray(t *arrow.MapType, offsets []int32, keys, items arrow.Array) arrow.Array {
	children := []arrow.ArrayData{keys.Data(), items.Data()}
	entries := array.NewData(t.Elem(), keys.Len(), []*memory.Buffer{nil}, children, 0, 0)
	defer entries.Release()
	data := array.NewData(t, len(offsets)-1, []*memory.Buffer{nil, offsetBuffer(offsets)}, []arrow.ArrayData{entries}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func offsetBuffer(offsets []int32) *memory.Buffer {
	return memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(offsets))), len(offsets)*4))
}

// dictionary collects the values of one text column of a batch.
type dictionary struct {
	index   map[string]uint16
	offsets []int32
	bytes   []byte
	rows    []uint16
}

func newDictionary() *dictionary {
	return &dictionary{index: map[string]uint16{}, offsets: []int32{0}}
}

// intern returns the index of s. A batch has at most MaxRows rows, so 16 bits are always enough.
func (d *dictionary) intern(s string) uint16 {
	if i, ok := d.index[s]; ok {
		return i
	}
	i := uint16(len(d.offsets) - 1)
	d.bytes = append(d.bytes, s...)
	d.offsets = append(d.offsets, int32(len(d.bytes)))
	d.index[s] = i
	return i
}

// array returns the column. It shares memory with d until d is reset.
func (d *dictionary) array() arrow.Array {
	values := stringArray(d.offsets, d.bytes)
	defer values.Release()
	rows := fixed(arrow.PrimitiveTypes.Uint16, d.rows)
	defer rows.Release()
	return array.NewDictionaryArray(text, rows, values)
}

func (d *dictionary) reset() {
	clear(d.index)
	d.offsets = d.offsets[:1]
	d.bytes = d.bytes[:0]
	d.rows = d.rows[:0]
}
