// Package join turns the spans of one source into calls.
//
// A call is seen by two spans, the caller's and the callee's, which may arrive in any order and more than once. A Joiner remembers
// spans by identity (trace and span id) in two generations, which end at message offsets divisible by the generation length. What
// it remembers is therefore a pure function of the log: a worker that starts again from an earlier offset (see Restart) comes to
// the same calls at the same offsets. Neither time nor chance plays a part.
//
//   - A span whose identity is known is a duplicate.
//   - A span whose parent belongs to another instance is a call from the parent's workload to its own, at the offset where the second
//     of the two arrived. Within one instance it is inner work. Records of one workload with the same instance that do not contradict
//     each other about cluster, region and namespace are of one instance, whatever version they claim.
//   - A span without a parent is a call from outside, unless its kind says that it did not receive anything.
//   - A CLIENT or PRODUCER span that declares its peer, and that no span of another instance answers, is a call to that peer once its
//     generation ends. If a CLIENT or PRODUCER span of the same instance under it declares a peer too, the call is that span's: an
//     application and the proxy beside it both record what leaves them, and the proxy stands closer to the peer.
//   - A call is a retry if its own span says so, or the span that sent it, or the sending span of the same instance above that one: an
//     application knows that it tries again, and the proxy beside it does not. If it turns out after the call was counted, that is told too.
//   - A span whose parent has not come when its generation ends is an orphan: of kind SERVER or CONSUMER a call, else inner work. Its
//     caller is who sent to that workload in the same trace and was never answered, or not known.
//
// Identities are kept as 64-bit fingerprints: with a million spans remembered, two of them collide with a probability of 3e-8.
package join

import (
	"encoding/binary"
	"math/bits"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// DefaultGeneration is how many messages a generation spans.
const DefaultGeneration = 1024

// Output receives what a message leads to. All of it counts with the offset of that message.
type Output interface {
	// Call is one call, counted once.
	Call(schemas.Call)
	// Retried is a call that was counted before, and that turns out to have been a retry.
	Retried(schemas.Call)
	// Seen is one span: every message row ends here exactly once, whatever else it leads to.
	Seen(from schemas.Origin, end int64, what Fate)
	// Orphan is a span that ended without its parent.
	Orphan(from schemas.Origin, end int64, counted bool)
}

// Fate says what became of a row.
type Fate uint8

// The fates of a row.
const (
	Fresh     Fate = iota // first time this identity is seen
	Duplicate             // seen before
	Lost                  // the record could not be used, see schemas.FlagLost
)

// Joiner joins one source. It is not safe for concurrent use.
type Joiner struct {
	length       int64
	generation   int64 // number of the newer generation
	newer, older *generation
}

// New returns a Joiner whose generations span length messages.
func New(length int64) *Joiner {
	return &Joiner{length: length, newer: newGeneration(), older: newGeneration()}
}

// Restart returns the offset from which a new Joiner must read so that it is exact for every message from next on: the beginning of
// the generation three before that of the last message before next, g. What is remembered is g and g-1. A span of g-1 that declared its
// peer waits for an answer unless a child of g-2 had waited for it; and that child had waited unless it, or its parent, was known from
// g-3. Whatever is wrong about the generations before g-1 ends, uncounted, with a message before next.
func Restart(next, length int64) int64 {
	return max(0, (next-1)/length-3) * length
}

// Message takes the spans of the message at offset. Offsets must rise.
func (j *Joiner) Message(offset int64, batch columns.SpanBatch, out Output) {
	j.Advance(offset, out)
	origins := j.newer.origins.add(batch.Origins)
	for i := range batch.Spans {
		s := &batch.Spans[i]
		from := batch.Origins[s.Origin]
		if s.Flags&schemas.FlagLost != 0 {
			out.Seen(from, s.End, Lost)
			continue
		}
		fate := Duplicate
		if j.note(s, origins[s.Origin]) {
			fate = Fresh
			j.join(s, origins[s.Origin], batch.Peers[s.Peer], out)
		}
		out.Seen(from, s.End, fate)
	}
}

// EndBefore ends everything that waits and whose time is before the given one, as a control message at offset demands. Identities
// stay known.
func (j *Joiner) EndBefore(offset, end int64, out Output) {
	j.Advance(offset, out)
	j.older.endBefore(end, out)
	j.newer.endBefore(end, out)
}

// Advance ends the generations that are over before offset. It must be called for messages that hold no spans too, because Restart
// relies on what they end.
func (j *Joiner) Advance(offset int64, out Output) {
	for g := offset / j.length; j.generation < g; j.generation++ {
		j.older.endBefore(forever, out)
		j.older, j.newer = j.newer, newGeneration()
		if j.generation+2 < g { // nothing was remembered in between
			j.generation = g - 2
		}
	}
}

// note remembers a span's identity in the newer generation and reports whether it is new.
func (j *Joiner) note(s *columns.Span, origin int32) bool {
	key := fingerprint(s.Trace, s.ID)
	known := j.older.find(key)
	e := j.newer.spans.put(key)
	if e.origin != none {
		return false
	}
	e.origin = origin
	if s.Kind.Sends() {
		j.noteRetry(e, s)
	}
	return known == nil || known.origin == none
}

// join matches a new span with its parent and with the children that wait for it.
func (j *Joiner) join(s *columns.Span, origin int32, peer columns.Peer, out Output) {
	key := fingerprint(s.Trace, s.ID)
	here := j.newer.origins.known[origin]
	answered := j.resolve(j.older, key, here, out)
	answered = j.resolve(j.newer, key, here, out) || answered
	p := pending{key: key, origin: origin, kind: s.Kind, trace: traceOf(s.Trace), peer: peer, measure: s.Measure}
	if s.Kind.Sends() && peer != (columns.Peer{}) && !answered {
		j.keepSent(p)
	}
	if !s.HasParent {
		if s.Kind.Receives() || s.Kind == schemas.KindUnspecified {
			out.Call(callOf(schemas.Origin{Workload: outside(here)}, here, s.Measure, schemas.ServerSpan))
		}
		return
	}
	parent := fingerprint(s.Trace, s.Parent)
	above, known := j.origin(parent)
	switch {
	case !known:
		j.newer.keepWaiting(parent, p)
	case j.under(parent, above, &p, here, out):
		// The record of whoever is closer to the callee tells more.
		j.newer.answer(parent)
		j.older.answer(parent)
	}
}

// origin returns who sent the span under key, if it is known.
func (j *Joiner) origin(key uint64) (schemas.Origin, bool) {
	for _, g := range [...]*generation{j.newer, j.older} {
		if e := g.find(key); e != nil && e.origin != none {
			return g.origins.known[e.origin], true
		}
	}
	return schemas.Origin{}, false
}

// resolve tells what waited in g for the span under key, which has come from the instance parent, and reports whether one of its children
// tells more than it about the call it may have sent.
func (j *Joiner) resolve(g *generation, key uint64, parent schemas.Origin, out Output) (answered bool) {
	for i := g.waitingFor(key); i != none; i = g.pending[i].next {
		p := g.pending[i]
		if p.done {
			continue
		}
		g.done(i)
		here := g.origins.known[p.origin]
		if p.counted {
			j.tell(&p, key, parent, g.origins.known[p.caller], here, out)
			continue
		}
		answered = j.under(key, parent, &p, here, out) || answered
		if p.kind.Sends() {
			j.inherit(&p, key, parent, here)
		}
	}
	return answered
}

// under emits the call that a span from here with a known parent stands for, if it is one, and reports whether it tells more than the
// parent about the call the parent may have sent. A span that sends shows a call that leaves the callee, not the one that came in.
func (j *Joiner) under(key uint64, parent schemas.Origin, p *pending, here schemas.Origin, out Output) bool {
	if p.kind.Sends() {
		return p.peer != (columns.Peer{}) && sameInstance(&parent, &here)
	}
	if sameInstance(&parent, &here) {
		return false
	}
	call := callOf(parent, here, p.measure, schemas.ServerSpan)
	if call.Flags&schemas.FlagRetry == 0 {
		j.retry(key, &call)
	}
	out.Call(call)
	return true
}

// sameInstance reports whether two records come from one instance. An application and the proxy beside it may know different things about
// where they are, and mean different things by a version; what both say of their place must agree.
func sameInstance(a, b *schemas.Origin) bool {
	if *a == *b {
		return true
	}
	return a.Instance != "" && a.Instance == b.Instance && a.Name == b.Name && a.Tenant == b.Tenant &&
		compatible(a.Cluster, b.Cluster) && compatible(a.Region, b.Region) && compatible(a.Namespace, b.Namespace)
}

func compatible(a, b string) bool { return a == b || a == "" || b == "" }

func callOf(from, to schemas.Origin, m schemas.Measure, e schemas.Evidence) schemas.Call {
	return schemas.Call{From: from, To: to, Measure: m, Evidence: e}
}

// outside is the caller of calls that enter the mesh at o: known only by the tenant whose telemetry shows it.
func outside(o schemas.Origin) schemas.Workload {
	return schemas.Workload{Tenant: o.Tenant, Name: schemas.Outside}
}

// traceOf shortens a trace's identity to 64 bits: ids are random, as W3C trace context asks for.
func traceOf(t schemas.TraceID) uint64 {
	return binary.LittleEndian.Uint64(t[:8]) ^ binary.LittleEndian.Uint64(t[8:])
}

// fingerprint mixes a span's identity into 64 bits that are never 0, by the multiply-and-fold of wyhash.
func fingerprint(trace schemas.TraceID, span schemas.SpanID) uint64 {
	a := binary.LittleEndian.Uint64(trace[:8])
	b := binary.LittleEndian.Uint64(trace[8:])
	c := binary.LittleEndian.Uint64(span[:])
	h := fold(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	h = fold(h^0x8ebc6af09c88c6e3, c^0x589965cc75374cc3)
	return max(h, 1)
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
