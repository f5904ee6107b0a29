package join

import (
	"cmp"
	"math"
	"slices"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

const forever = math.MaxInt64

// pending is a span whose story is not told yet: it waits for its parent, or for an answer from its peer, or, as a call that is counted,
// for the span above its sender.
type pending struct {
	key     uint64 // its identity; 0 if it is counted
	origin  int32
	caller  int32 // who sent it, if it is counted
	next    int32 // next that waits for the same span, or none
	kind    schemas.Kind
	done    bool
	sent    bool // waits for an answer
	counted bool // was a call already
	trace   uint64
	peer    columns.Peer
	measure schemas.Measure
}

// generation is what was learnt from one stretch of the log. It is dropped as a whole.
type generation struct {
	spans   table
	origins origins
	pending []pending // in order of arrival, so that what they become is emitted in that order
	waiting int       // of pending, how many are not done
}

func newGeneration() *generation {
	return &generation{origins: origins{index: map[schemas.Origin]int32{}}}
}

func (g *generation) find(key uint64) *entry { return g.spans.find(key) }

func (g *generation) keepWaiting(parent uint64, p pending) {
	e := g.spans.put(parent)
	p.next = e.waiting
	e.waiting = g.keep(p)
}

func (g *generation) keepSent(p pending) {
	p.sent, p.next = true, none
	g.spans.put(p.key).sent = g.keep(p)
}

// keepCounted lets a call that was counted wait for the span above its sender.
func (g *generation) keepCounted(above uint64, c *schemas.Call) {
	g.keepWaiting(above, pending{counted: true, caller: g.origins.number(c.From), origin: g.origins.number(c.To), measure: c.Measure})
}

func (g *generation) keep(p pending) int32 {
	g.pending = append(g.pending, p)
	g.waiting++
	return int32(len(g.pending) - 1)
}

func (g *generation) done(i int32) {
	if !g.pending[i].done {
		g.pending[i].done = true
		g.waiting--
	}
}

// waitingFor returns the first that waits for the span under key, or none. It is not asked for again.
func (g *generation) waitingFor(key uint64) int32 {
	e := g.spans.find(key)
	if e == nil {
		return none
	}
	first := e.waiting
	e.waiting = none
	return first
}

// answer drops the call to a declared peer that the span under key stands for.
func (g *generation) answer(key uint64) {
	if e := g.spans.find(key); e != nil && e.sent != none {
		g.done(e.sent)
		e.sent = none
	}
}

// endBefore ends the spans that still wait and whose time is before end.
func (g *generation) endBefore(end int64, out Output) {
	if g.waiting == 0 {
		return
	}
	callers := g.callers(end)
	for i := range g.pending {
		p := &g.pending[i]
		if p.done || p.measure.End >= end {
			continue
		}
		g.done(int32(i))
		from := g.origins.known[p.origin]
		switch {
		case p.counted:
			continue
		case p.sent:
			out.Call(callOf(from, peerOf(from, p.peer), p.measure, schemas.ClientSpan))
			continue
		}
		counted := p.kind.Receives()
		if counted {
			out.Call(g.orphaned(i, callers))
		}
		out.Orphan(from, p.measure.End, counted)
	}
}

// callers returns, for each span that received and whose parent never came, the span of the same trace that sent to its workload and was
// never answered. The two are one call: what lay between them, such as the callee's proxy, has not reported. Where there are several,
// they pair up in the order in which they ended, so that the order of arrival plays no part.
func (g *generation) callers(end int64) map[int]int {
	sent, received := g.unpaired(end)
	var callers map[int]int
	for at, senders := range sent {
		receivers := received[at]
		g.sortByEnd(senders)
		g.sortByEnd(receivers)
		for i := range min(len(senders), len(receivers)) {
			if callers == nil {
				callers = map[int]int{}
			}
			callers[receivers[i]] = senders[i]
			g.done(int32(senders[i]))
		}
	}
	return callers
}

// meeting is where a sender and a receiver of the same call meet.
type meeting struct {
	trace           uint64
	namespace, name string // of the callee
}

// unpaired sorts the spans that end by where they may meet: who sent and was not answered, who received and has no parent.
func (g *generation) unpaired(end int64) (sent, received map[meeting][]int) {
	for i := range g.pending {
		if p := &g.pending[i]; p.sent && !p.done && p.measure.End < end {
			peer := peerOf(g.origins.known[p.origin], p.peer)
			at := meeting{p.trace, peer.Namespace, peer.Name}
			if sent == nil {
				sent, received = map[meeting][]int{}, map[meeting][]int{}
			}
			sent[at] = append(sent[at], i)
		}
	}
	if sent == nil {
		return nil, nil
	}
	for i := range g.pending {
		if p := &g.pending[i]; !p.sent && !p.counted && !p.done && p.measure.End < end && p.kind.Receives() {
			here := g.origins.known[p.origin]
			if at := (meeting{p.trace, here.Namespace, here.Name}); sent[at] != nil {
				received[at] = append(received[at], i)
			}
		}
	}
	return sent, received
}

func (g *generation) sortByEnd(pending []int) {
	slices.SortStableFunc(pending, func(a, b int) int { return cmp.Compare(g.pending[a].measure.End, g.pending[b].measure.End) })
}

// orphaned is the call that a span received whose parent never came.
func (g *generation) orphaned(i int, callers map[int]int) schemas.Call {
	p := &g.pending[i]
	here := g.origins.known[p.origin]
	sender, ok := callers[i]
	if !ok {
		return callOf(schemas.Origin{Workload: schemas.Workload{Tenant: here.Tenant, Name: schemas.UnknownCaller}}, here, p.measure, schemas.ServerSpan)
	}
	sent := &g.pending[sender]
	call := callOf(g.origins.known[sent.origin], here, p.measure, schemas.ServerSpan)
	call.Flags |= sent.measure.Flags & schemas.FlagRetry
	return call
}

// peerOf is the callee as its caller describes it. Without a namespace of its own it is looked for in the caller's.
func peerOf(from schemas.Origin, p columns.Peer) schemas.Origin {
	namespace := p.Namespace
	if namespace == "" {
		namespace = from.Namespace
	}
	return schemas.Origin{Workload: schemas.Workload{Tenant: from.Tenant, Cluster: from.Cluster, Namespace: namespace, Name: p.Name}}
}

// origins numbers the instances a generation heard from.
type origins struct {
	index map[schemas.Origin]int32
	known []schemas.Origin
}

// add returns the number of each of the batch's origins.
func (o *origins) add(batch []schemas.Origin) []int32 {
	out := make([]int32, len(batch))
	for i, origin := range batch {
		out[i] = o.number(origin)
	}
	return out
}

// number returns the number of an origin.
func (o *origins) number(origin schemas.Origin) int32 {
	n, ok := o.index[origin]
	if !ok {
		n = int32(len(o.known))
		o.index[origin] = n
		o.known = append(o.known, origin)
	}
	return n
}
