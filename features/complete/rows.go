package complete

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// lost compares what collectors wrote with what was counted, row by row: both count every row of weir.calls by sender and by the window of
// its end. A request that was written twice after a doubt is counted twice, so that only a loss makes the second number the smaller one.
func (t *tallies) lost(in Input) (out []schemas.Gap) {
	type place struct {
		scope string
		start int64
	}
	type sum struct{ lost, written float64 }
	sums := map[place]sum{}
	for s, windows := range t.written {
		for start, written := range windows {
			if start < in.From || start >= in.To || start+window+int64(Arrived) > in.Now {
				continue
			}
			at := place{s.Scope(), start}
			sum := sums[at]
			sum.lost += max(0, written-t.counted[s][start])
			sum.written += max(written, t.counted[s][start])
			sums[at] = sum
		}
	}
	for at, s := range sums {
		if g, ok := missing(at.start, at.scope, s.lost, s.written); ok {
			g.Hop, g.Kind = HopKafka, schemas.GapLost
			g.Detail = fmt.Sprintf("collectors wrote %.0f rows, %.0f of them were not counted", s.written, s.lost)
			out = append(out, g)
		}
	}
	return out
}

// silentSources finds workloads that say nothing although they did before and their callers go on calling: their calls are counted by the
// word of callers alone. What a dead collector explains is not said twice.
func (t *tallies) silentSources(in Input, explained []schemas.Gap) (out []schemas.Gap) {
	known := map[key]bool{}
	for _, g := range explained {
		if g.Hop == HopCollector {
			known[key{from: g.From, scope: g.Scope}] = true
		}
	}
	for w, windows := range t.called {
		for _, start := range slices.Sorted(maps.Keys(windows)) {
			c, scope := windows[start], w.Scope()
			if c.CallersOnly == 0 || start < in.From || start >= in.To || t.scopes[scope][start] > 0 ||
				known[key{from: start, scope: scope}] || !t.spoke(scope, start) {
				continue
			}
			if g, ok := missing(start, scope, float64(c.CallersOnly), float64(c.Calls)); ok {
				g.Hop, g.Kind = HopSource, schemas.GapSourceSilent
				g.Detail = "it says nothing, and its callers call it"
				out = append(out, g)
			}
		}
	}
	return out
}

// spoke reports whether a workload used to speak before a window.
func (t *tallies) spoke(scope string, before int64) bool {
	n := 0
	for start, rows := range t.scopes[scope] {
		if start < before && rows > 0 {
			n++
		}
	}
	return n >= Steady
}

// rise is by how much a running total rose between two samples.
type rise struct {
	from, to int64
	by       float64
}

// series puts running totals in order of time, each by itself.
func series(all []schemas.RunningTotal) map[schemas.RunningTotal][]schemas.RunningTotal {
	out := map[schemas.RunningTotal][]schemas.RunningTotal{}
	for _, s := range all {
		k := schemas.RunningTotal{From: s.From, Metric: s.Metric}
		out[k] = append(out[k], s)
	}
	for _, samples := range out {
		slices.SortFunc(samples, func(a, b schemas.RunningTotal) int { return cmp.Compare(a.Time, b.Time) })
	}
	return out
}

// rises of running totals. A total that falls began anew.
func rises(all []schemas.RunningTotal) map[schemas.RunningTotal][]rise {
	out := map[schemas.RunningTotal][]rise{}
	for k, samples := range series(all) {
		for i := 1; i < len(samples); i++ {
			r := rise{samples[i-1].Time, samples[i].Time, samples[i].Value - samples[i-1].Value}
			if r.by < 0 {
				r.by = samples[i].Value
			}
			if r.by > 0 && r.to > r.from {
				out[k] = append(out[k], r)
			}
		}
	}
	return out
}

// within is the part of a rise that falls into the window that begins at start, as if it had been steady.
func (r rise) within(start int64) float64 {
	from, to := max(r.from, start), min(r.to, start+window)
	if from >= to {
		return 0
	}
	return r.by * float64(to-from) / float64(r.to-r.from)
}
