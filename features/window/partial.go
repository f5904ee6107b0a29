package window

import (
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

const (
	// maxDuration bounds one call's duration in a window's sum, so that a few absurd records do not drown the rest.
	maxDuration = uint64(7 * 24 * time.Hour)
	// maxAdded bounds what one record adds to a sum, so that a few absurd ones cannot overflow it.
	maxAdded = uint64(1) << 56
)

// partial is what was added up for one window.
type partial struct {
	measures  [schemas.MeasureCount]uint64
	evidence  schemas.Evidence
	histogram histogram
	callers   map[string]struct{} // at most schemas.MaxCallers
	more      bool                // there are callers besides those
	late      bool
}

// measures are what one call adds to any window it belongs to, its duration and bytes aside.
func measures(m *schemas.Measure) [schemas.MeasureCount]uint64 {
	var out [schemas.MeasureCount]uint64
	weigh := func(what schemas.MeasureID, yes bool) {
		if yes {
			out[what] = uint64(m.Weight)
		}
	}
	var o schemas.Outcome
	if served(m) { // how a refusal looked to the caller is no outcome of the callee's
		o = m.Status.Outcome(m.Flags)
	}
	out[schemas.Observed] = 1
	weigh(schemas.Calls, served(m))
	weigh(schemas.RejectedMesh, m.Flags&schemas.FlagRejectedMesh != 0)
	weigh(schemas.RejectedWeir, m.Flags&schemas.FlagRejectedWeir != 0)
	weigh(schemas.Errors, o.Error)
	weigh(schemas.Errors4xx, o.HTTP4xx)
	weigh(schemas.Errors5xx, o.HTTP5xx)
	weigh(schemas.ErrorsGRPC, o.GRPC)
	weigh(schemas.ErrorsTransport, o.Transport)
	weigh(schemas.StatusKnown, o.Known)
	weigh(schemas.Retries, m.Flags&schemas.FlagRetry != 0)
	if m.Flags&schemas.FlagClockSkew != 0 {
		out[schemas.ClockSkew] = 1
	}
	return out
}

// served reports whether the call reached its workload.
func served(m *schemas.Measure) bool {
	return m.Flags&(schemas.FlagRejectedMesh|schemas.FlagRejectedWeir) == 0
}

func (p *partial) call(m *[schemas.MeasureCount]uint64, c *schemas.Call) {
	for i := range m {
		p.measures[i] += m[i]
	}
	p.evidence |= c.Evidence
	p.measures[schemas.RequestBytes] += weighted(c.RequestBytes, c.Weight)
	p.measures[schemas.ResponseBytes] += weighted(c.ResponseBytes, c.Weight)
	if served(&c.Measure) {
		p.measures[schemas.DurationNS] += weighted(min(c.Duration, maxDuration), c.Weight)
		p.histogram.add(schemas.BucketOf(c.Duration), uint64(c.Weight))
	}
}

// merge adds what q holds.
func (p *partial) merge(q *partial) {
	for i := range q.measures {
		p.measures[i] += q.measures[i]
	}
	p.evidence |= q.evidence
	for _, c := range q.histogram {
		p.histogram.add(c.Bucket, c.Count)
	}
	for name := range q.callers {
		p.caller(name)
	}
	p.more = p.more || q.more
}

func (p *partial) caller(name string) {
	if p.callers == nil {
		p.callers = map[string]struct{}{}
	}
	if _, known := p.callers[name]; !known && len(p.callers) >= schemas.MaxCallers {
		p.more = true
		return
	}
	p.callers[name] = struct{}{}
}

func (p *partial) callerNames() []string {
	names := slices.AppendSeq(make([]string, 0, len(p.callers)+1), maps.Keys(p.callers))
	if p.more {
		names = append(names, schemas.More)
	}
	slices.Sort(names)
	return names
}

func (p *partial) measuresWithRevision() [schemas.MeasureCount]uint64 {
	m := p.measures
	if p.late {
		m[schemas.Revision] = 1
	}
	return m
}

// weighted is value*weight/65,536, at most maxAdded.
func weighted(value uint64, w schemas.Weight) uint64 {
	high, low := bits.Mul64(value, uint64(w))
	if high >= maxAdded>>48 {
		return maxAdded
	}
	return high<<48 | low>>16
}
