package residual

import (
	"math"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const (
	minSlower     = 1.5 // smaller rises are nobody's concern,
	minMoreMs     = 5.0 // nor are those of less than this
	strongSlower  = 3.0 // a rise that would be critical
	minOthers     = 8.0 // calls, without the slowest of each window: fewer say nothing
	highest       = 6.0 // a window speaks for no more than this, so that two extreme calls in it do not decide
	smallestShare = 1e-3
	shortestMs    = 1e-6 // what is shorter or longer was not measured
	longestMs     = 1e9
)

// Latency judges the mean latency, upwards only. Its expectation follows the level of about half an hour and how it depends on the
// number of calls. The slowest call of a window is set aside: one call that timed out is not a slow workload.
type Latency struct {
	history
	level   level
	weight  float64 // of a window, fading mean
	scale   dispersion
	recent  pool // sums are of latency relative to what was expected
	squares [pools]float64
	sizes   int
	seen    sample
	tail    tail
	worst   float64 // residual since the last window that was learned
}

var _ detect.Detector = (*Latency)(nil)

// NewLatency returns a detector without history.
func NewLatency() *Latency { return &Latency{scale: newDispersion(), tail: newTail()} }

// ID implements detect.Detector.
func (*Latency) ID() schemas.Model { return id() }

// Observe implements detect.Detector. A window of one call is not judged: nothing is left when its slowest is set aside.
func (l *Latency) Observe(w schemas.ServiceWindow) detect.Score {
	l.sizes = 0
	if !judgeable(w) || w.Calls < 2 || !(w.MeanMs >= shortestMs && w.MeanMs <= longestMs) {
		return detect.Score{}
	}
	l.seen = l.level.sample(w)
	ratio := 1.0
	if l.windows > 0 {
		ratio = max(l.seen.typical/l.level.at(l.seen.load), smallestShare)
	}
	l.recent.add(part{
		start: w.Start.UnixNano(), calls: float64(w.Calls),
		sum: min(ratio, highest) * l.seen.weight, weight: l.seen.weight, raw: ratio * l.seen.weight,
	})
	sums, n := l.recent.stretches(1)
	l.sizes = n
	mean := l.level.mean(l.seen.load)
	s := detect.Score{
		Observed: w.MeanMs, Expected: mean, Value: math.Inf(-1), Threshold: slowThreshold,
		Pooled: mean * sums[n-1].raw / sums[n-1].weight, Windows: n,
	}
	for m := range n {
		l.judge(&s, sums[m], m)
	}
	if math.IsInf(s.Value, -1) {
		s.Value = min(0, root(l.squares[0]/l.dispersion(0), ratio > 1))
	}
	s.Calls = uint64(sums[s.Windows-1].calls)
	s.Low, s.High = l.usual(mean, sums[n-1].weight*pools/float64(n), n)
	s.Known = l.enough(l.recent.last().start)
	return s
}

// judge weighs the pool of m+1 windows and keeps it in s if it is the strongest that matters.
func (l *Latency) judge(s *detect.Score, x stretch, m int) {
	ratio := x.sum / x.weight
	d := gammaDeviance(ratio, x.weight) * l.level.total / (l.level.total + x.weight) // the expectation is an estimate itself
	l.squares[m] = d
	if ratio > 1 {
		l.worst = max(l.worst, root(d/l.dispersion(m), true))
	}
	if x.weight < minOthers || ratio < minSlower || s.Expected*(ratio-1) < minMoreMs {
		return
	}
	if !speaksForLatency(l.recent.last(), ratio) || m > 0 && !speaksForLatency(x.rest, ratio) {
		return
	}
	limit := slowThreshold
	if ratio >= strongSlower && x.weight < fewCalls {
		limit = strongSlowThreshold
	}
	limit *= l.tail.factor()
	if z := root(d/l.dispersion(m), true); z/limit > s.Value/s.Threshold {
		s.Value, s.Threshold, s.Pooled, s.Windows = z, limit, s.Expected*x.raw/x.weight, m+1
	}
}

// speaksForLatency reports whether x is likelier under the raised latency than under the expected one.
func speaksForLatency(x part, ratio float64) bool {
	return x.sum/x.weight*(1-1/ratio) > math.Log(ratio)
}

// dispersion is that of the pool of m+1 windows. With more calls than usual, the part of it that is not due to their number grows.
func (l *Latency) dispersion(m int) float64 {
	if l.weight == 0 {
		return l.scale[m]
	}
	return l.scale[m] * max(1, l.recent.last().weight/l.weight)
}

// Learn implements detect.Detector.
func (l *Latency) Learn() {
	if l.sizes == 0 {
		return
	}
	if l.windows > 0 {
		for m := range l.sizes {
			l.scale.learn(m, l.squares[m], l.windows)
			l.scale[m] = max(l.scale[m], smallestShare)
		}
		l.tail.learn(l.worst)
		l.worst = 0
	}
	l.weight += (l.seen.weight - l.weight) / min(float64(l.windows+1), levelMemory)
	l.level.learn(l.seen, l.windows)
	l.learn(l.recent.last().start)
	l.sizes = 0
}

// usual is the range of the mean among so many calls: three standard deviations, and no less than what anyone would notice.
func (l *Latency) usual(mean, calls float64, size int) (low, high float64) {
	spread := math.Exp(3 * math.Sqrt(l.scale[size-1]/calls))
	return mean / spread, max(mean*max(spread, minSlower), mean+minMoreMs)
}

// gammaDeviance is twice the log likelihood ratio of a mean of n calls that is ratio times what was expected.
func gammaDeviance(ratio, n float64) float64 { return 2 * n * (ratio - 1 - math.Log(ratio)) }
