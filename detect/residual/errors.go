package residual

import (
	"math"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const (
	errorMemory   = 1080  // windows: 3 hours. An error rate is known from few errors, so it takes long
	rarest        = 0.002 // a workload that never failed is still believed to fail so often
	minMoreErrors = 0.02  // smaller rises of the share are nobody's concern
	minFailed     = 3     // one or two failed calls say nothing
	strongErrors  = 0.2   // a rise of the share that would be critical
)

// Errors judges the share of failed calls, upwards only. Its expectation is the share among the calls of about three hours, with
// Jeffreys' prior.
type Errors struct {
	history
	failed, calls float64 // of what was learned, fading
	scale         dispersion
	recent        pool
	squares       [pools]float64
	sizes         int
}

var _ detect.Detector = (*Errors)(nil)

// NewErrors returns a detector without history.
func NewErrors() *Errors { return &Errors{scale: newDispersion()} }

// ID implements detect.Detector.
func (*Errors) ID() schemas.Model { return id() }

// Observe implements detect.Detector. A window in which no outcome is known is not judged.
func (e *Errors) Observe(w schemas.ServiceWindow) detect.Score {
	e.sizes = 0
	if !judgeable(w) || w.StatusKnown == 0 {
		return detect.Score{}
	}
	e.recent.add(part{
		start: w.Start.UnixNano(), sum: float64(min(w.Errors, w.StatusKnown)), weight: float64(w.StatusKnown), calls: float64(w.StatusKnown),
	})
	p := e.expected()
	sums, n := e.recent.stretches(p)
	e.sizes = n
	s := detect.Score{
		Observed: min(w.ErrorRate(), 1), Expected: p, Value: math.Inf(-1), Threshold: threshold,
		Pooled: sums[n-1].sum / sums[n-1].weight, Windows: n,
	}
	for m := range n {
		e.judge(&s, sums[m], m)
	}
	if math.IsInf(s.Value, -1) {
		s.Value = min(0, root(e.squares[0]/e.scale[0], sums[0].sum > p*sums[0].weight))
	}
	s.Calls, s.Failed = uint64(sums[s.Windows-1].calls), uint64(sums[s.Windows-1].sum)
	s.Low, s.High = e.usual(p, sums[n-1].weight*pools/float64(n), n)
	s.Known = e.enough(e.recent.last().start)
	return s
}

// judge weighs the pool of m+1 windows and keeps it in s if it is the strongest that matters.
func (e *Errors) judge(s *detect.Score, x stretch, m int) {
	p, rate := s.Expected, x.sum/x.weight
	d := binomialDeviance(x.sum, x.weight, p) * e.calls / (e.calls + x.weight) // the expectation is an estimate itself
	e.squares[m] = d
	if x.sum < minFailed || rate < p+minMoreErrors {
		return
	}
	if !speaksForErrors(e.recent.last(), rate, p) || m > 0 && !speaksForErrors(x.rest, rate, p) {
		return
	}
	limit := threshold
	if rate >= p+strongErrors && x.weight < fewCalls {
		limit = strongThreshold
	}
	if z := root(d/e.scale[m], true); z/limit > s.Value/s.Threshold {
		s.Value, s.Threshold, s.Pooled, s.Windows = z, limit, rate, m+1
	}
}

// speaksForErrors reports whether x is likelier under the raised rate than under the expected one.
func speaksForErrors(x part, rate, p float64) bool {
	return x.sum*math.Log(rate/p)+(x.weight-x.sum)*math.Log((1-rate+1e-9)/(1-p)) > 0
}

// Learn implements detect.Detector.
func (e *Errors) Learn() {
	if e.sizes == 0 {
		return
	}
	for m := range e.sizes {
		e.scale.learn(m, e.squares[m], e.windows)
		e.scale[m] = max(e.scale[m], 1) // calls that fail independently are the least there is
	}
	const fade = 1 - 1.0/errorMemory
	x := e.recent.last()
	e.failed, e.calls = fade*e.failed+x.sum, fade*e.calls+x.weight
	e.learn(x.start)
	e.sizes = 0
}

// expected is the share of failed calls to expect: at least rarest, and below 1 so that its logarithms exist.
func (e *Errors) expected() float64 {
	return min(max((e.failed+0.5)/(e.calls+1), rarest), 0.98)
}

// usual is the range of the share among so many calls: three standard deviations, and no less than what anyone would notice.
func (e *Errors) usual(p, calls float64, size int) (low, high float64) {
	sd := math.Sqrt(p * (1 - p) / calls * e.scale[size-1])
	return max(0, p-3*sd), min(1, p+max(3*sd, minMoreErrors))
}

// binomialDeviance is twice the log likelihood ratio of "k of n" under its own rate and under p.
func binomialDeviance(k, n, p float64) float64 {
	var d float64
	if k > 0 {
		d += k * math.Log(k/(n*p))
	}
	if k < n {
		d += (n - k) * math.Log((n-k)/(n*(1-p)))
	}
	return 2 * d
}
