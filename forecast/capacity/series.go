package capacity

import (
	"cmp"
	"math"
	"slices"

	"github.com/sajari/regression"
)

// minute is one point in the unit of the fit.
type minute struct {
	load, busy float64
	age        int // position in time
}

// series is sorted by load, and by time where loads are equal, so that ties say nothing about busy.
type series []minute

// series chooses the unit: CPU where enough minutes have it.
func (m *Model) series() (Unit, series) {
	cpu := m.sorted(func(p Point) float64 { return p.CPU })
	if len(cpu) >= m.cfg.MinPoints {
		return CPU, cpu
	}
	if calls := m.sorted(func(p Point) float64 { return p.InFlight }); len(calls) > len(cpu) {
		return InFlight, calls
	}
	return CPU, cpu
}

func (m *Model) sorted(busy func(Point) float64) series {
	s := make(series, 0, len(m.ring))
	for i := range m.ring {
		p := m.ring[(m.next+i)%len(m.ring)]
		if v := busy(p); known(v) {
			s = append(s, minute{p.Load, v, i})
		}
	}
	slices.SortFunc(s, func(a, b minute) int { return cmp.Or(cmp.Compare(a.load, b.load), a.age-b.age) })
	return s
}

// load is the nearest-rank quantile of load.
func (s series) load(q float64) float64 { return s[rank(q, len(s))].load }

func rank(q float64, n int) int { return min(max(int(math.Ceil(q*float64(n)))-1, 0), n-1) }

func (s series) meanBusy() float64 {
	var sum float64
	for _, m := range s {
		sum += m.busy
	}
	return sum / float64(len(s))
}

// bins averages the series into n equally full bins. Of each bin it takes the half that is neither the busiest nor the least busy, which a
// half hour in which each call cost three times as much does not move.
func (s series) bins(n int) series {
	out := make(series, n)
	for i := range out {
		out[i] = s[i*len(s)/n : (i+1)*len(s)/n].middle()
	}
	return out
}

// middle is the mean of the middle half by busy.
func (s series) middle() minute {
	byBusy := slices.SortedFunc(slices.Values(s), func(a, b minute) int { return cmp.Or(cmp.Compare(a.busy, b.busy), a.age-b.age) })
	half := byBusy[len(s)/4 : len(s)-len(s)/4]
	var mean minute
	for _, m := range half {
		mean.load += m.load / float64(len(half))
		mean.busy += m.busy / float64(len(half))
	}
	return mean
}

// healthyLoad is the 99th percentile of the loads at which latency, by Little's law busy/load, was at most slowdown times its median.
func (s series) healthyLoad(slowdown float64) float64 {
	s = s[slices.IndexFunc(s, func(m minute) bool { return m.load > 0 }):] // the highest is: a series without load is refused earlier
	latencies := make([]float64, len(s))
	for i, m := range s {
		latencies[i] = m.busy / m.load
	}
	slices.Sort(latencies)
	limit := slowdown * latencies[rank(0.5, len(latencies))]
	healthy := slices.DeleteFunc(slices.Clone(s), func(m minute) bool { return m.busy/m.load > limit })
	return healthy.load(0.99)
}

// line is a straight line, with the share of the variance that it explains.
type line struct{ intercept, slope, r2 float64 }

// leastSquares draws the line through the means of the bins. The library builds a square matrix as wide as its input is long (QR), which is
// one more reason to give it bins and not a week of minutes.
func leastSquares(s series) (line, error) {
	r := new(regression.Regression)
	r.SetObserved("busy")
	r.SetVar(0, "load")
	for _, m := range s {
		r.Train(regression.DataPoint(m.busy, []float64{m.load}))
	}
	if err := r.Run(); err != nil {
		return line{}, err
	}
	return line{r.Coeff(0), r.Coeff(1), r.R2}, nil
}
