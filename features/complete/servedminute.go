package complete

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// servedWorkload is the instances of a workload by name, and whether it was known to have told of its calls.
type servedWorkload struct {
	instances map[string]*servedInstance
	told      bool
}

type servedInstance struct {
	totals [][][]schemas.RunningTotal // by family, then series, then time
	calls  map[int64]schemas.InstanceCalls
}

// servedMinute is what is known of a workload's minute.
type servedMinute struct {
	served, missing, all float64 // requests; all are those that were served and those of which only calls tell
	over                 int64   // ns between the samples that were compared, at most
}

// minute judges a minute that begins at start; false if nothing can be said. Nothing missing is said too.
func (w *servedWorkload) minute(start int64) (m servedMinute, ok bool) {
	var certain, estimate, strange, underWay, calls, observed float64
	for _, name := range slices.Sorted(maps.Keys(w.instances)) {
		i := w.instances[name]
		for _, c := range i.calls {
			calls += c.Calls
			observed += float64(c.Observed)
		}
		r, known := i.rise(start)
		if !known {
			s := i.between(rise{from: start - window, to: start + ServedMinute + window})
			strange += s.most
			continue
		}
		ok = true
		s := i.between(r)
		m.served += r.by
		m.over = max(m.over, r.to-r.from)
		certain += max(0, r.by-s.most)
		estimate += max(0, r.by-s.likely)
		underWay += s.underWay
	}
	if calls == 0 && !w.told { // nobody ever told of it: there is no window that lacks something
		return servedMinute{}, false
	}
	m.all = m.served + strange
	each := max(1, calls/max(observed, 1)) // how many calls a record stands for
	chance := sigmas * math.Sqrt(m.served*(each-1))
	if certain-strange > underWay+max(fewUntold, chance) {
		m.missing = min(estimate, m.served) - strange
	}
	return m, ok
}

// rise is by how much an instance's best total rose from the last samples before a minute to the first ones after it.
func (i *servedInstance) rise(minute int64) (sum rise, ok bool) {
	for _, family := range i.totals {
		if len(family) == 0 {
			continue
		}
		sum = rise{from: math.MaxInt64}
		for _, samples := range family {
			r, ok := around(samples, minute)
			if !ok {
				return rise{}, false
			}
			sum = rise{min(sum.from, r.from), max(sum.to, r.to), sum.by + r.by}
		}
		return sum, true
	}
	return rise{}, false
}

// around is the rise of one total around a minute; false where it fell, or where its samples lie too far apart.
func around(samples []schemas.RunningTotal, minute int64) (rise, bool) {
	after := func(s schemas.RunningTotal, t int64) int { return cmp.Compare(s.Time, t) }
	first, exact := slices.BinarySearchFunc(samples, minute, after)
	if !exact {
		first--
	}
	last, _ := slices.BinarySearchFunc(samples, minute+ServedMinute, after)
	if first < 0 || last >= len(samples) || samples[last].Time-samples[first].Time > seldom {
		return rise{}, false
	}
	for i := first; i < last; i++ {
		if samples[i+1].Value < samples[i].Value {
			return rise{}, false
		}
	}
	return rise{samples[first].Time, samples[last].Time, samples[last].Value - samples[first].Value}, true
}

// told is what was counted of an instance between two samples of its totals.
type told struct {
	likely   float64 // as if calls came steadily
	most     float64 // all that the windows hold which the samples touch
	underWay float64 // the most calls that were under way in one of these windows
}

func (i *servedInstance) between(r rise) (t told) {
	for start := schemas.Shortest().Start(r.from); start < r.to; start += window {
		c := i.calls[start]
		t.most += c.Calls
		t.likely += c.Calls * float64(min(r.to, start+window)-max(r.from, start)) / float64(window)
		t.underWay = max(t.underWay, c.InFlight)
	}
	// Calls that were under way at the end are seen in the windows in which they end.
	for start := schemas.Shortest().Start(r.to); start < r.to+ServedMinute; start += window {
		t.underWay = max(t.underWay, i.calls[start].InFlight)
	}
	return t
}
