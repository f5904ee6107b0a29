package mesh

import (
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Origin says who reports. All records of an instance share one, so pointers can be compared.
type Origin struct {
	Index                       int // counts from 0 over all origins of a run
	Cluster, Namespace, Service string
	Version                     string
	Instance                    string // "" = there was none to report: see Span.Flags UH
	Deployment, Route           string
	Collector                   int // 1..Collectors
}

// Span is one finished call, of kind SERVER.
type Span struct {
	Trace      schemas.TraceID
	ID, Parent uint64 // Parent 0 = a request from outside
	Start, End int64  // Unix ns
	Origin     *Origin
	Status     int    // HTTP
	Flags      string // Envoy's response flags; "" for none
	Resend     int    // how often the caller had tried before
}

// Refused reports whether the call never reached a worker.
func (s *Span) Refused() bool { return refused(s.Flags) }

func refused(flags string) bool { return flags != "" && flags != flagGone }

// Envoy's response flags that the mesh uses, see config.access_log in Envoy's documentation.
const (
	flagLimited  = "RL" // rate limited
	flagOverflow = "UO" // upstream overflow: the queue is full
	flagNobody   = "UH" // no healthy upstream
	flagGone     = "UC" // upstream connection termination
)

// Gauge is the CPU use of an instance over the minute that ends just after At, as a share of its limit.
type Gauge struct {
	Origin *Origin
	At     int64 // Unix ns: the last millisecond of the minute
	Value  float64
}

// BatchSpans is the most spans a batch holds.
const BatchSpans = 1000

// Batch is some of what the mesh reported. Its slices are the mesh's, and are valid until yield returns.
type Batch struct {
	Spans  []Span // in the order of their ends, over all batches
	Gauges []Gauge
	Until  time.Time // nothing with an earlier end follows
}
