// Package complete finds out what telemetry is missing, by counters that do not depend on each other: what collectors say about
// themselves and about their senders, what senders say about themselves, what callers say about those they call, and what was counted.
//
// It judges windows of ten seconds, one gap for each window, workload and reason. It is a function of its input, and what it found before is
// part of that: what has turned up since is taken back by the same gap with a share of 0. So windows may be judged again as often as one
// likes, by anybody. Only windows with wall-clock times are judged: collectors tell nothing of older ones.
package complete

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Hops, from the sender on.
const (
	HopSource    = "source"    // before telemetry came to a collector
	HopCollector = "collector" // in a collector
	HopKafka     = "kafka"     // between a collector and the windows
)

const (
	window = int64(10 * time.Second) // the length of the windows judged
	// BaselineWindows is how many windows before an event say what was usual, and Steady in how many of them a sender must have spoken
	// for its silence to mean anything.
	BaselineWindows = 6
	Steady          = 4
	// SilentAfter is how long a collector says nothing before it is taken to be dead: two and a half intervals, so that one lost heartbeat
	// does no harm.
	SilentAfter = schemas.HeartbeatInterval * 5 / 2
	// GoneAfter is how long the senders of a dead collector are waited for. Whoever says nothing for longer is gone.
	GoneAfter = time.Hour
	// Settled is how long after its end a window of senders that speak is counted: they send every five seconds, features flush every second.
	Settled = 6 * time.Second
	// Arrived is how long after a window's end whatever was written for it must have been counted.
	Arrived = time.Minute
	// least is the smallest share that is said: below it is rounding.
	least = 1e-4
)

// Input is what is known at some time. Rows and totals may be in any order.
type Input struct {
	Now        int64 // Unix ns
	From, To   int64 // the windows with From <= start < To are judged; the rest says what is usual
	Heartbeats []schemas.Heartbeat
	Written    []schemas.WrittenRows
	Counted    []schemas.CountedRows // may say the same twice
	Totals     []schemas.RunningTotal
	Called     []schemas.CalledWindow
	Known      []schemas.Gap // found before, of the kinds of this package, that begin in [From, To)
}

// Find returns the gaps that are new or have another share than before, in a fixed order; those that were none after all have share 0.
func Find(in Input) []schemas.Gap {
	t := tally(in)
	var all []schemas.Gap
	all = append(all, t.silentCollectors(in)...)
	all = append(all, t.dropped(in)...)
	all = append(all, t.lost(in)...)
	all = append(all, t.silentSources(in, all)...)
	return t.changes(all, in.Known)
}

// key is what a stored gap is replaced by.
type key struct {
	from, to           int64
	scope, hop, source string
	kind               schemas.GapKind
}

func keyOf(g schemas.Gap) key { return key{g.From, g.To, g.Scope, g.Hop, g.Source, g.Kind} }

// changes is what has to be written so that what is stored says what was found.
func (t *tallies) changes(found, known []schemas.Gap) []schemas.Gap {
	return changed(found, known, t.turnedUp)
}

// changed is what has to be written so that what is stored, known, says what was found; turnedUp reports whether a gap that was not found
// again is none.
func changed(found, known []schemas.Gap, turnedUp func(schemas.Gap) bool) (out []schemas.Gap) {
	before := map[key]schemas.Gap{}
	for _, g := range known {
		before[keyOf(g)] = g
	}
	for _, g := range found {
		old, said := before[keyOf(g)]
		delete(before, keyOf(g))
		if d := g.Share - old.Share; !said || d > least || d < -least {
			out = append(out, g)
		}
	}
	for _, g := range before {
		if g.Share > 0 && turnedUp(g) {
			g.Share, g.Records, g.Detail = 0, 0, "what was missing has come"
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b schemas.Gap) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source))
	})
	return out
}

// turnedUp reports whether the rows that a gap misses have come. That nothing shows the gap any more is not enough: the collector may speak
// again, or what was usual before may lie too far back.
func (t *tallies) turnedUp(g schemas.Gap) bool {
	counted := t.scopes[g.Scope][g.From]
	switch g.Kind {
	case schemas.GapCollectorSilent:
		missing := float64(g.Records)
		return counted >= missing/g.Share-missing/2
	case schemas.GapSourceSilent:
		return counted > 0
	}
	return g.Kind == schemas.GapLost // a drop that was counted stays one
}

// missing says that rows of a workload are missing from a window, of as many as there should be; false if it is too little to say.
func missing(start int64, scope string, rows, of float64) (schemas.Gap, bool) {
	g := schemas.Gap{From: start, To: start + window, Scope: scope, Records: uint64(rows + 0.5)}
	if of > 0 {
		g.Share = min(rows/of, 1)
	}
	return g, g.Share >= least
}
