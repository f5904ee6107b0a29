// Package wire says how Weir's data travels on Kafka: topics, message headers, partition keys and the progress record.
// docs/formats/kafka.md describes the same for readers in other languages.
package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Topics.
const (
	TopicCalls      = "weir.calls"
	TopicSamples    = "weir.samples"
	TopicProgress   = "weir.progress"
	TopicDeadLetter = "weir.deadletter"
	TopicAlerts     = "weir.alerts"    // events of type TypeAlert
	TopicDecisions  = "weir.decisions" // events of type TypeDecision
	TopicOutcomes   = "weir.outcomes"  // events of type TypeOutcome
)

// Headers of every data message.
const (
	HeaderSchema   = "weir-schema"   // name/major, for example calls/1
	HeaderProducer = "weir-producer" // who wrote it
	HeaderSeq      = "weir-seq"      // decimal, rises by one for each message of a producer
	HeaderSent     = "weir-sent"     // decimal Unix ns by the producer's clock
	HeaderEvents   = "weir-events"   // "first,last" event time of the rows, decimal Unix ns
	HeaderRows     = "weir-rows"     // decimal number of rows
)

// HeaderControl marks a control message: it has no rows, its value is empty.
const HeaderControl = "weir-control"

// ControlWatermark says that no event before the time in HeaderEventTime follows in this partition.
const (
	ControlWatermark = "watermark"
	HeaderEventTime  = "weir-event-time" // decimal Unix ns
)

// Headers of a dead letter. Its value is what is kept of what could not be read: of a span its ids, times and origin, of anything else what
// Unreadable says.
const (
	HeaderReason = "weir-reason"
	HeaderStage  = "weir-stage"
	HeaderSource = "weir-source"
	HeaderOffset = "weir-offset"
)

// DeadLetterBytes is how long a dead letter may be.
const DeadLetterBytes = 64 << 10

// Schemas by topic. A reader refuses another major and ignores columns it does not know.
const (
	SchemaCalls   = "calls/1"
	SchemaSamples = "samples/1"
)

// CheckSchema returns an error unless got names the same schema and major as want.
func CheckSchema(got, want string) error {
	if got == want {
		return nil
	}
	if got == "" {
		return fmt.Errorf("message has no %s header, want %s", HeaderSchema, want)
	}
	if len(got) > 32 { // reasons are kept, and a forged header may hold anything
		got = got[:0]
	}
	return fmt.Errorf("schema %q is not readable here, want %s", got, want)
}

// Header is one key and value of a Kafka message.
type Header struct {
	Key, Value string
}

// Find returns the value of the first header with this key.
func Find(headers []Header, key string) (string, bool) {
	for _, h := range headers {
		if h.Key == key {
			return h.Value, true
		}
	}
	return "", false
}

// FindInt returns the header as a decimal integer.
func FindInt(headers []Header, key string) (int64, bool) {
	text, ok := Find(headers, key)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// Events formats the value of HeaderEvents.
func Events(first, last int64) string {
	return strconv.FormatInt(first, 10) + "," + strconv.FormatInt(last, 10)
}

// FindEvents returns the event-time range that the headers tell, if they do.
func FindEvents(headers []Header) (first, last int64, ok bool) {
	text, ok := Find(headers, HeaderEvents)
	if !ok {
		return 0, 0, false
	}
	a, b, ok := strings.Cut(text, ",")
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	return first, last, ok && err1 == nil && err2 == nil
}

// PartitionOfTrace is the partition of weir.calls that holds all spans of a trace.
func PartitionOfTrace(id schemas.TraceID, partitions int) int {
	return PartitionOf(id[:], partitions)
}

// PartitionOf places a key as Kafka's own clients do: murmur2, sign bit cleared, modulo the number of partitions (at least 1).
func PartitionOf(key []byte, partitions int) int {
	return int(murmur2(key)&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed that Kafka's Java client uses.
func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := seed ^ uint32(len(data))
	for len(data) >= 4 {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> r
		h = h*m ^ k*m
		data = data[4:]
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
