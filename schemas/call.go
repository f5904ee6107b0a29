package schemas

import "math"

// TraceID and SpanID are W3C trace-context identifiers. The zero value is invalid, and as a parent means "none".
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// Kind is a span's role, numbered as in OTLP.
type Kind uint8

// The span kinds of OTLP.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

// Receives reports whether a span of this kind, seen alone, shows a request that came in. A recording without kinds gives its
// entry points the benefit of the doubt.
func (k Kind) Receives() bool {
	return k == KindServer || k == KindConsumer
}

// Sends reports whether a span of this kind is the sending end of a call.
func (k Kind) Sends() bool {
	return k == KindClient || k == KindProducer
}

// Flags are facts about a record that windows count or that explain it.
type Flags uint16

const (
	// FlagClockSkew: the record ended before it started; its duration is taken as 0.
	FlagClockSkew Flags = 1 << iota
	// FlagRetry: the sender says this was another attempt of an earlier call.
	FlagRetry
	// FlagTransport: the call failed below its protocol (connection refused, reset).
	FlagTransport
	// FlagRejectedMesh: the mesh refused the call before it reached the workload.
	FlagRejectedMesh
	// FlagRejectedWeir: a limit that Weir set refused the call.
	FlagRejectedWeir
	// FlagLost: the record could not be used (its dead letter says why). It only lowers the completeness of its window.
	FlagLost
)

// Weight is how many calls a record stands for, in 1/65,536: a record that was sampled with probability 1/10 weighs 10*One.
type Weight uint32

// One is the weight of an unsampled record.
const One Weight = 1 << 16

// WeightOf turns an adjusted count (calls per record) into a weight. Counts below 1 or not finite are taken as 1; the largest
// weight is 65,535 calls.
func WeightOf(adjusted float64) Weight {
	if !(adjusted > 1) {
		return One
	}
	return Weight(math.Min(math.Round(adjusted*float64(One)), math.MaxUint32))
}

// Status is what is known about how a call ended.
type Status struct {
	HTTP uint16 // HTTP response status code; 0 = not known
	GRPC int16  // gRPC status code; NoGRPC = not known
	Span uint8  // OTLP span status: 0 unset, 1 ok, 2 error
}

// NoGRPC stands for "no gRPC status": 0 is gRPC's OK.
const NoGRPC int16 = -1

// Outcome is a status as windows count it. Known is false if nothing said how the call ended; then it is no error either.
type Outcome struct {
	Known, Error, HTTP4xx, HTTP5xx, GRPC, Transport bool
}

// Outcome classifies the status from the callee's point of view: HTTP 5xx, the gRPC codes that OpenTelemetry counts as server
// errors, and, where no protocol status is known, the span's own status. Failures below the protocol always count.
func (s Status) Outcome(f Flags) Outcome {
	var o Outcome
	switch {
	case s.GRPC != NoGRPC:
		o.Known = true
		o.GRPC = grpcServerError(s.GRPC)
		o.Error = o.GRPC
	case s.HTTP != 0:
		o.Known = true
		o.HTTP4xx = s.HTTP >= 400 && s.HTTP < 500
		o.HTTP5xx = s.HTTP >= 500
		o.Error = o.HTTP5xx
	case s.Span != 0:
		o.Known = true
		o.Error = s.Span == 2
	}
	if f&FlagTransport != 0 {
		o.Known, o.Error, o.Transport = true, true, true
	}
	return o
}

// grpcServerError follows the OpenTelemetry semantic conventions for gRPC server spans: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED,
// INTERNAL, UNAVAILABLE and DATA_LOSS are errors of the callee, the rest are the caller's.
func grpcServerError(code int16) bool {
	switch code {
	case 2, 4, 12, 13, 14, 15:
		return true
	}
	return false
}

// Call is one request from a workload to a workload, as windows count it.
type Call struct {
	From, To Origin // From.Name is Outside or UnknownCaller where there is no known caller
	Measure
	Evidence Evidence
}

// Measure is what one record says about one call, without its ends.
type Measure struct {
	End           int64  // Unix ns; the call belongs to the window of its end
	Duration      uint64 // ns
	Status        Status
	Flags         Flags
	Weight        Weight
	RequestBytes  uint64
	ResponseBytes uint64
}
