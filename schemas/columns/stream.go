package columns

import (
	"encoding/binary"
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Positions in the flatbuffer tables of the Arrow IPC format (Message.fbs, Schema.fbs): a field's slot in its vtable is 4 + 2*number.
const (
	messageHeaderType = 6
	messageHeader     = 8
	messageBodyLength = 10

	schemaEndianness = 4
	schemaFields     = 6
	schemaMetadata   = 8
	fieldTypeKind    = 8
	fieldDictionary  = 12
	fieldChildren    = 14
	fieldMetadata    = 16

	encodingID       = 4
	dictionaryID     = 4
	dictionaryData   = 6
	dictionaryDelta  = 8
	batchNodes       = 6 // of two int64: values, nulls
	batchBuffers     = 8 // of two int64: offset, length
	batchCompression = 10

	headerSchema     = 1
	headerDictionary = 2
	headerRecord     = 3
)

// Limits of what a message may describe. Weir's own have two dozen columns with one piece of metadata each.
const (
	maxColumns  = 256
	maxMetadata = 16
	maxValues   = 1 << 16 // of one column or dictionary
)

// checkStream walks the frames of an Arrow IPC stream before the library does. The library allocates whatever a frame claims, follows
// whatever it nests, and reads a frame as what it expects rather than what it is; a process does not survive that. What passes here is
// bounded by the message: a flat schema, one whole dictionary for each column that has one, then records. It panics on broken
// flatbuffers; readRecord turns that into an error.
func checkStream(value []byte) error {
	s := &stream{}
	for len(value) > 0 {
		if len(value) >= 4 && binary.LittleEndian.Uint32(value) == 0xFFFFFFFF {
			value = value[4:]
		}
		if len(value) < 4 {
			return errors.New("arrow stream is cut in a frame's length")
		}
		size := int64(binary.LittleEndian.Uint32(value))
		value = value[4:]
		if size == 0 {
			return nil
		}
		if size < 8 || size > int64(len(value)) {
			return fmt.Errorf("arrow frame of %d bytes in %d that are left", size, len(value))
		}
		body, err := s.frame(value[:size])
		if err != nil {
			return err
		}
		value = value[size:]
		if body < 0 || body > int64(len(value)) {
			return fmt.Errorf("arrow body of %d bytes in %d that are left", body, len(value))
		}
		value = value[body:]
	}
	return nil
}

// stream is how far a stream has been checked.
type stream struct {
	schema  bool          // it came
	columns int           // of a record
	buffers int           // of a record
	missing map[int64]int // dictionaries that must come before a record: the buffers each must have, by id
}

// frame checks the next frame and returns the length of the body that follows it.
func (s *stream) frame(frame []byte) (int64, error) {
	message := flatbuffers.Table{Bytes: frame, Pos: flatbuffers.GetUOffsetT(frame)}
	body := message.GetInt64Slot(messageBodyLength, 0)
	at := message.Offset(messageHeader)
	if at == 0 {
		return 0, errors.New("arrow frame without a header")
	}
	var header flatbuffers.Table
	message.Union(&header, flatbuffers.UOffsetT(at))
	switch kind := message.GetByteSlot(messageHeaderType, 0); {
	case kind == headerSchema && !s.schema:
		s.schema = true
		return body, s.checkSchema(header)
	case kind == headerDictionary && len(s.missing) > 0:
		return body, s.checkDictionary(header, body)
	case kind == headerRecord && s.schema && len(s.missing) == 0:
		return body, checkBatch(header, body, s.columns, s.buffers)
	default:
		return 0, fmt.Errorf("arrow frame of kind %d is out of place", kind)
	}
}

// checkSchema lets only flat schemas of a sane size pass, and notes their dictionaries.
func (s *stream) checkSchema(schema flatbuffers.Table) error {
	if schema.GetInt16Slot(schemaEndianness, 0) != 0 {
		return errors.New("arrow data must be little-endian")
	}
	n := vectorLength(schema, schemaFields)
	if n > maxColumns || vectorLength(schema, schemaMetadata) > maxMetadata {
		return fmt.Errorf("arrow schema of %d columns, at most %d are allowed", n, maxColumns)
	}
	s.columns, s.missing = n, map[int64]int{}
	for i := range n {
		at := schema.Vector(flatbuffers.UOffsetT(schema.Offset(schemaFields))) + flatbuffers.UOffsetT(4*i)
		field := flatbuffers.Table{Bytes: schema.Bytes, Pos: schema.Indirect(at)}
		if vectorLength(field, fieldChildren) > 0 || vectorLength(field, fieldMetadata) > maxMetadata {
			return fmt.Errorf("arrow column %d is nested, or has too much metadata", i)
		}
		if err := s.checkColumn(field); err != nil {
			return fmt.Errorf("arrow column %d: %w", i, err)
		}
	}
	return nil
}

// checkColumn adds up the buffers that the column must have in a record and in its dictionary, if it has one.
func (s *stream) checkColumn(field flatbuffers.Table) error {
	kind := field.GetByteSlot(fieldTypeKind, 0)
	buffers, ok := buffersOf(kind)
	if !ok {
		return fmt.Errorf("type %d is not used here", kind)
	}
	encoding, ok := child(field, fieldDictionary)
	if !ok {
		s.buffers += buffers
		return nil
	}
	id := encoding.GetInt64Slot(encodingID, 0)
	if _, shared := s.missing[id]; shared {
		return errors.New("shares a dictionary")
	}
	s.missing[id] = buffers
	s.buffers += 2 // the indices and which of them are null
	return nil
}

// buffersOf is how many buffers a column has, by the number of its type in Schema.fbs; ok is false for types that are not used here.
func buffersOf(kind byte) (n int, ok bool) {
	const (
		integer, float, binary, utf8, boolean, timestamp, fixedSizeBinary = 2, 3, 4, 5, 6, 10, 15
	)
	switch kind {
	case integer, float, boolean, timestamp, fixedSizeBinary:
		return 2, true
	case binary, utf8:
		return 3, true
	}
	return 0, false
}

func (s *stream) checkDictionary(dictionary flatbuffers.Table, body int64) error {
	id := dictionary.GetInt64Slot(dictionaryID, 0)
	data, ok := child(dictionary, dictionaryData)
	buffers, expected := s.missing[id]
	if !ok || !expected || dictionary.GetBoolSlot(dictionaryDelta, false) {
		return fmt.Errorf("arrow dictionary %d is not expected, or not whole", id)
	}
	delete(s.missing, id)
	return checkBatch(data, body, 1, buffers)
}

// child returns the table in a slot of another.
func child(t flatbuffers.Table, slot flatbuffers.VOffsetT) (flatbuffers.Table, bool) {
	at := t.Offset(slot)
	if at == 0 {
		return flatbuffers.Table{}, false
	}
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(t.Pos + flatbuffers.UOffsetT(at))}, true
}

// checkBatch refuses compressed bodies, whose size nobody can check, columns that are too long, and buffers outside the body. There must be
// as many columns and buffers as will be looked for.
func checkBatch(batch flatbuffers.Table, body int64, columns, buffers int) error {
	if batch.Offset(batchCompression) != 0 {
		return errors.New("arrow bodies must not be compressed: Kafka does that")
	}
	if n, b := vectorLength(batch, batchNodes), vectorLength(batch, batchBuffers); n != columns || b != buffers {
		return fmt.Errorf("arrow batch of %d columns in %d buffers, want %d in %d", n, b, columns, buffers)
	}
	var err error
	eachPair(batch, batchNodes, func(values, nulls int64) {
		if values < 0 || values > maxValues || nulls > values {
			err = fmt.Errorf("arrow column of %d values, at most %d are allowed", values, maxValues)
		}
	})
	eachPair(batch, batchBuffers, func(offset, length int64) {
		if offset < 0 || length < 0 || offset > body || length > body-offset {
			err = fmt.Errorf("arrow buffer of %d bytes at %d in a body of %d", length, offset, body)
		}
	})
	return err
}

// eachPair calls fn with the elements of a vector of structs of two int64.
func eachPair(t flatbuffers.Table, slot flatbuffers.VOffsetT, fn func(a, b int64)) {
	n := vectorLength(t, slot)
	if n == 0 {
		return
	}
	at := t.Vector(flatbuffers.UOffsetT(t.Offset(slot)))
	for range n {
		fn(t.GetInt64(at), t.GetInt64(at+8))
		at += 16
	}
}

func vectorLength(t flatbuffers.Table, slot flatbuffers.VOffsetT) int {
	at := t.Offset(slot)
	if at == 0 {
		return 0
	}
	return t.VectorLen(flatbuffers.UOffsetT(at))
}
