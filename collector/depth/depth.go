// Package depth finds messages that would end the process if they were decoded. OTLP's decoders call themselves for every array in an array,
// and Go gives up a process whose stack is full; and two bytes on the wire are a span that takes hundreds in memory, so that a request of a
// few kilobytes may unpack to gigabytes. It looks at bytes before anything decodes them, in one pass and without knowing the schema.
package depth

import "google.golang.org/protobuf/encoding/protowire"

// Max is how deep a message may be nested. OTLP itself needs a dozen levels; the rest is for attributes that hold lists of lists.
const Max = 128

// Harmless is a size of messages in bytes that need not be looked at: with the three bytes that a level takes at least, and the kilobyte of
// stack that decoding it takes at most, they cannot fill a stack.
const Harmless = 64 << 10

// What decoding a part of a message and making rows of it takes in memory, in bytes and at most: pdata v1.67 has 240 for a span, in a slice
// that may have grown to twice its length, and a lost one leaves a row and a letter of as much again. Parts further in are attributes,
// values, points, events and texts.
const (
	recordSize = 512
	partSize   = 112
)

// Levels of a message down to which a part may be a span, a metric or a log record.
const (
	recordLevel     = 3
	recordLevelJSON = 7 // there, lists are levels, too
)

// Worst is how many times its own size a message takes when decoded, at most: a record needs two bytes.
const Worst = recordSize / 2

// Shape is what a message is like before it is decoded.
type Shape struct {
	Deep bool // nested deeper than Max; Size is of what comes before
	Size int  // bytes that it takes when decoded, without its texts: an estimate, rather too large
}

// Protobuf looks at a message. A text that reads as a message counts as one.
func Protobuf(message []byte) Shape {
	var s Shape
	s.protobuf(message, 1)
	return s
}

func (s *Shape) protobuf(message []byte, level int) {
	if level > Max {
		s.Deep = true
	}
	for len(message) > 0 && !s.Deep {
		_, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return // what a decoder made of it up to here was not too deep
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = skip(message, kind); n < 0 {
				return
			}
			message = message[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return
		}
		s.part(level <= recordLevel)
		if len(inner) > 1 {
			s.protobuf(inner, level+1)
		}
		message = message[n:]
	}
}

func (s *Shape) part(record bool) {
	if record {
		s.Size += recordSize
	} else {
		s.Size += partSize
	}
}

// skip returns the length of a value that holds no message; -1 if there is none. OTLP has no groups.
func skip(message []byte, kind protowire.Type) int {
	switch kind {
	case protowire.VarintType:
		_, n := protowire.ConsumeVarint(message)
		return n
	case protowire.Fixed32Type:
		_, n := protowire.ConsumeFixed32(message)
		return n
	case protowire.Fixed64Type:
		_, n := protowire.ConsumeFixed64(message)
		return n
	}
	return -1
}

// JSON looks at a text: at its brackets outside of strings.
func JSON(text []byte) Shape {
	var s Shape
	level, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			if level++; level > Max {
				s.Deep = true
				return s
			}
			s.part(level <= recordLevelJSON)
		case c == '}' || c == ']':
			level--
		}
	}
	return s
}
