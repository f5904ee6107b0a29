// Package depth finds messages that are nested so deep that decoding them would end the process: OTLP's decoders call themselves for every
// array in an array, and Go gives up a process whose stack is full. It looks at bytes before anything decodes them, in one pass and without
// knowing the schema.
package depth

import "google.golang.org/protobuf/encoding/protowire"

// Max is how deep a message may be nested. OTLP itself needs a dozen levels; the rest is for attributes that hold lists of lists.
const Max = 128

// Harmless is a size of messages in bytes that need not be looked at: with the three bytes that a level takes at least, and the kilobyte of
// stack that decoding it takes at most, they cannot fill a stack.
const Harmless = 64 << 10

// Protobuf reports whether a message is nested deeper than Max. A text that reads as a message counts as one.
func Protobuf(message []byte) bool { return deeper(message, Max) }

func deeper(message []byte, left int) bool {
	if left == 0 {
		return true
	}
	for len(message) > 0 {
		_, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false // what a decoder made of it up to here was not too deep
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = skip(message, kind); n < 0 {
				return false
			}
			message = message[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return false
		}
		if len(inner) > 1 && deeper(inner, left-1) {
			return true
		}
		message = message[n:]
	}
	return false
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

// JSON reports whether a text has brackets nested deeper than Max, outside of its strings.
func JSON(text []byte) bool {
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
				return true
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return false
}
