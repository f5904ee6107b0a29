package join

import (
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// noteRetry remembers of a span that sends whether it repeats a call, and who else may know.
func (j *Joiner) noteRetry(e *entry, s *columns.Span) {
	e.retry = s.Flags&schemas.FlagRetry != 0
	if !s.HasParent {
		return
	}
	above := fingerprint(s.Trace, s.Parent)
	parent, known := j.origin(above)
	if !known {
		e.above = above
		return
	}
	e.under = j.repeats(above) && sameInstance(&parent, &j.newer.origins.known[e.origin])
}

// repeats reports whether the span under key sends and says itself that it repeats a call.
func (j *Joiner) repeats(key uint64) bool {
	for _, g := range [...]*generation{j.newer, j.older} {
		if e := g.find(key); e != nil && e.retry {
			return true
		}
	}
	return false
}

// retry marks the call that the span under key sent as a retry, if it is one. If the span above that one may still say so, the call waits
// for it, counted as it is.
func (j *Joiner) retry(key uint64, call *schemas.Call) {
	var above uint64
	for _, g := range [...]*generation{j.newer, j.older} {
		e := g.find(key)
		if e == nil {
			continue
		}
		if e.retry || e.under {
			call.Flags |= schemas.FlagRetry
			return
		}
		above = max(above, e.above)
	}
	if above == 0 {
		return
	}
	if parent, known := j.origin(above); !known {
		j.newer.keepCounted(above, call)
	} else if j.repeats(above) && sameInstance(&parent, &call.From) {
		call.Flags |= schemas.FlagRetry
	}
}

// tell says of a call that was counted that it was a retry, if the span under key says so, which has come from the instance above.
func (j *Joiner) tell(p *pending, key uint64, above, caller, here schemas.Origin, out Output) {
	if j.repeats(key) && sameInstance(&above, &caller) {
		out.Retried(callOf(caller, here, p.measure, schemas.ServerSpan))
	}
}

// inherit lets the call that p has sent be a retry if the span above it says so.
func (j *Joiner) inherit(p *pending, above uint64, parent, here schemas.Origin) {
	if !j.repeats(above) || !sameInstance(&parent, &here) {
		return
	}
	for _, g := range [...]*generation{j.newer, j.older} {
		if e := g.find(p.key); e != nil && e.sent != none {
			g.pending[e.sent].measure.Flags |= schemas.FlagRetry
		}
	}
}

// keepSent lets a span with a declared peer wait for an answer.
func (j *Joiner) keepSent(p pending) {
	if e := j.newer.find(p.key); e.retry || e.under {
		p.measure.Flags |= schemas.FlagRetry
	}
	j.newer.keepSent(p)
}
