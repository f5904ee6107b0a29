package traffic

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
)

// spanID is block and place in the block, each 32 bits, from 1: no id is 0.
func spanID(block int, i int32) pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(block+1)<<32|uint64(i+1))
	return id
}

// traceID is 64 mixed bits, so that traces spread over partitions, then block and number, from 1.
func traceID(seed uint64, block int, trace uint32) pcommon.TraceID {
	var id pcommon.TraceID
	low := uint64(block+1)<<32 | uint64(trace+1)
	binary.BigEndian.PutUint64(id[:8], mix(seed^mix(low)))
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Number tells the spans of a run apart: the upper 32 bits are the block, counted from 1, the lower ones run from 1 within it. It is
// false of ids that no Generator with this seed makes.
func Number(seed uint64, trace schemas.TraceID, id schemas.SpanID) (number uint64, ok bool) {
	number = binary.BigEndian.Uint64(id[:])
	low := binary.BigEndian.Uint64(trace[8:])
	ok = uint32(number) != 0 && number>>32 != 0 && low>>32 == number>>32 && binary.BigEndian.Uint64(trace[:8]) == mix(seed^mix(low))
	return number, ok
}

// Numbers are those of a request's spans, in its order.
func Numbers(td ptrace.Traces) []uint64 {
	out := make([]uint64, 0, td.SpanCount())
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				id := s.SpanID()
				out = append(out, binary.BigEndian.Uint64(id[:]))
			}
		}
	}
	return out
}
