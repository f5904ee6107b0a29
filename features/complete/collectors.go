package complete

import (
	"cmp"
	"math"
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// silentCollectors finds the rows that would have come through collectors that died. Of each workload the share is what its silent senders
// were of all its senders before.
func (t *tallies) silentCollectors(in Input) (out []schemas.Gap) {
	dead := slices.DeleteFunc(slices.Clone(in.Heartbeats), func(h schemas.Heartbeat) bool {
		silent := in.Now - h.Last
		return h.Stopped || silent <= int64(SilentAfter) || silent > int64(GoneAfter)
	})
	slices.SortFunc(dead, func(a, b schemas.Heartbeat) int {
		return cmp.Or(cmp.Compare(a.Last, b.Last), cmp.Compare(a.Collector, b.Collector))
	})
	claimed := map[schemas.Origin]bool{}
	for _, h := range dead {
		for w, senders := range byWorkload(t.through[h.Collector]) {
			// What senders held when the collector died may be lost too, so doubt begins a window earlier.
			b := bereft{tallies: t, first: schemas.Shortest().Start(h.Last) - window}
			for _, s := range senders {
				if !claimed[s] {
					b.senders, claimed[s] = append(b.senders, s), true
				}
			}
			out = append(out, b.gaps(in, w, h)...)
		}
	}
	return out
}

func byWorkload(senders map[schemas.Origin]bool) map[schemas.Workload][]schemas.Origin {
	out := map[schemas.Workload][]schemas.Origin{}
	for s := range senders {
		out[s.Workload] = append(out[s.Workload], s)
	}
	return out
}

// bereft are the senders of one workload whose collector died.
type bereft struct {
	*tallies
	first   int64 // window from which on rows may be missing
	senders []schemas.Origin
}

func (b *bereft) gaps(in Input, w schemas.Workload, h schemas.Heartbeat) (out []schemas.Gap) {
	var all float64
	for s := range b.tallies.senders[w] {
		usual, _ := b.usual(s, b.first)
		all += usual
	}
	b.keepTheMissed(w)
	for start := max(b.first, in.From); start < in.To && start+window+int64(Settled) <= in.Now; start += window {
		var rows float64
		for _, s := range b.senders {
			rows += b.missing(s, start)
		}
		if g, ok := missing(start, w.Scope(), rows, all); ok {
			g.Hop, g.Kind, g.Source = HopCollector, schemas.GapCollectorSilent, h.Collector
			g.Detail = "the collector stopped without a word, and senders that it heard are heard by no other"
			out = append(out, g)
		}
	}
	return out
}

// usual is how many rows of a sender came in a window before first, on average, and whether it spoke steadily.
func (t *tallies) usual(s schemas.Origin, first int64) (rows float64, steady bool) {
	spoke := 0
	for i := int64(1); i <= BaselineWindows; i++ {
		if n := t.counted[s][first-i*window]; n > 0 {
			rows += n
			spoke++
		}
	}
	return rows / BaselineWindows, spoke >= Steady
}

// keepTheMissed leaves the senders that spoke steadily and were not replaced: each sender of the workload that is new since takes the place of
// one that is silent, the one that said most.
func (b *bereft) keepTheMissed(w schemas.Workload) {
	newcomers := 0
	for s := range b.tallies.senders[w] {
		early, late := false, false
		for start, n := range b.counted[s] {
			early = early || n > 0 && start < b.first+2*window
			late = late || n > 0 && start >= b.first+2*window
		}
		if late && !early {
			newcomers++
		}
	}
	b.senders = slices.DeleteFunc(b.senders, func(s schemas.Origin) bool {
		_, steady := b.usual(s, b.first)
		return !steady
	})
	slices.SortFunc(b.senders, func(a, c schemas.Origin) int {
		ra, _ := b.usual(a, b.first)
		rc, _ := b.usual(c, b.first)
		return cmp.Or(cmp.Compare(rc, ra), cmp.Compare(a.Instance, c.Instance))
	})
	silent := slices.DeleteFunc(slices.Clone(b.senders), func(s schemas.Origin) bool { return b.heardAgain(s) != math.MaxInt64 })
	gone := silent[:min(newcomers, len(silent))]
	b.senders = slices.DeleteFunc(b.senders, func(s schemas.Origin) bool { return slices.Contains(gone, s) })
}

// heardAgain is the first window after that of the collector's death in which a sender was heard.
func (b *bereft) heardAgain(s schemas.Origin) int64 {
	again := int64(math.MaxInt64)
	for start, n := range b.counted[s] {
		if n > 0 && start >= b.first+2*window {
			again = min(again, start)
		}
	}
	return again
}

// missing is how many rows of a sender are missing from a window: all that are usual while it is silent. In the windows in which it falls
// silent and is heard again it is what is less than usual, unless chance alone may have made it (two standard deviations of a count).
func (b *bereft) missing(s schemas.Origin, start int64) float64 {
	again := b.heardAgain(s)
	if start > again {
		return 0
	}
	usual, _ := b.usual(s, b.first)
	counted := b.counted[s][start]
	if counted == 0 {
		return usual
	}
	if less := usual - counted; less > 2*math.Sqrt(usual) {
		return less
	}
	return 0
}
