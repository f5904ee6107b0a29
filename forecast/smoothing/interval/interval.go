// Package interval turns the past errors of a forecast into quantiles of its next one.
//
// It is conformal prediction as an online procedure: each quantile is followed by the step of pinball loss ("quantile tracking",
// Angelopoulos, Candes and Tibshirani, Conformal PID Control for Time Series Prediction, 2023, after Gibbs and Candes, Adaptive Conformal
// Inference Under Distribution Shift, 2021). Whatever the series does, the share of values below a tracked quantile tends to its level as long as the errors
// stay bounded. Errors are measured in units of a local scale, so that quiet hours get narrow intervals and busy ones wide ones.
//
// It is pure: no clock, no chance, no store.
package interval

import (
	"math"
	"slices"
)

const (
	// rate is the step of a quantile for one error at a horizon of one step, in units of the scale. Larger follows faster and is noisier. It
	// falls with the root of the horizon: errors of overlapping forecasts come in runs as long as the horizon.
	rate = 0.03

	fastHalfLife = 90      // steps: the scale of the last hours, as volatility comes in clusters
	slowHalfLife = 2880    // steps: the scale of the last days, which steadies it
	fastShare    = 2 / 3.0 // of the scale
	maxError     = 10      // scales that one error counts for at most: one spike does not widen the interval for hours
	minErrors    = 30      // before errors are bounded
)

// levels are the tracked quantiles; others are interpolated.
func levels() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995}
}

// Tracker follows the quantiles of the errors of one horizon. It is not safe for concurrent use.
type Tracker struct {
	rate       float64
	median     float64   // of the errors, in units of the calm scale
	levels, at []float64 // quantiles of what the median leaves, in units of the scale; the middle one is 0
	fast, slow mean
}

// Frame is what errors are measured by at the time a forecast is made.
type Frame struct{ Median, Scale, calm float64 }

// New gives a tracker for a horizon of so many steps. It believes in normal errors until it has seen some.
func New(steps int) *Tracker {
	t := &Tracker{rate: rate / math.Sqrt(float64(steps)), levels: levels(), fast: newMean(fastHalfLife), slow: newMean(slowHalfLife)}
	for _, p := range t.levels {
		// The scale is a mean absolute error: sqrt(pi/2) of it is a standard deviation.
		t.at = append(t.at, math.Sqrt(math.Pi/2)*normal(p))
	}
	return t
}

// Ready says whether any error has been seen.
func (t *Tracker) Ready() bool { return t.slow.weight > 0 }

// Frame is that of a forecast made now, in the unit of the series. The median is kept in proportion to the calmer of the two scales: what a
// forecast is off by in an outburst is no habit of it.
func (t *Tracker) Frame() Frame {
	calm := min(t.fast.value, t.slow.value)
	return Frame{Median: t.median * calm, Scale: fastShare*t.fast.value + (1-fastShare)*t.slow.value, calm: calm}
}

// Observe takes an error (actual minus forecast) and the frame of the time the forecast was made.
func (t *Tracker) Observe(err float64, f Frame) {
	size := math.Abs(err)
	if now := t.Frame(); t.slow.weight > minErrors && now.Scale > 0 {
		size = min(size, maxError*now.Scale)
	}
	t.fast.add(size)
	t.slow.add(size)
	if f.calm > 0 {
		t.median += t.step(err/f.calm, t.median, 0.5)
	}
	if f.Scale <= 0 {
		return
	}
	left := (err - f.Median) / f.Scale
	for i, p := range t.levels {
		if i != len(t.levels)/2 {
			t.at[i] += t.step(left, t.at[i], p)
		}
	}
}

// step is how far the p-quantile moves for an error.
func (t *Tracker) step(err, at, p float64) float64 {
	if err <= at {
		return -t.rate * (1 - p)
	}
	return t.rate * p
}

// Quantile is the p-quantile of the next error, 0 < p < 1, in the unit of the series, with an interval around the median that is wider by
// the factor widen. It never falls as p rises.
func (t *Tracker) Quantile(p, widen float64) float64 {
	f := t.Frame()
	return f.Median + widen*f.Scale*t.relative(p)
}

// relative is the p-quantile in units of the scale, from the median.
func (t *Tracker) relative(p float64) float64 {
	last := len(t.levels) - 1
	switch {
	case p < t.levels[0]:
		return t.ordered(0) / normal(t.levels[0]) * normal(p) // the tail of a normal distribution of the same width
	case p > t.levels[last]:
		return t.ordered(last) / normal(t.levels[last]) * normal(p)
	}
	i, found := slices.BinarySearch(t.levels, p)
	if found {
		return t.ordered(i)
	}
	share := (p - t.levels[i-1]) / (t.levels[i] - t.levels[i-1])
	return t.ordered(i-1) + share*(t.ordered(i)-t.ordered(i-1))
}

// ordered is the tracked quantile i, not nearer to the median than those between: each is followed on its own, and they may cross.
func (t *Tracker) ordered(i int) float64 {
	middle := len(t.levels) / 2
	switch {
	case i < middle:
		return min(0, slices.Min(t.at[i:middle]))
	case i > middle:
		return max(0, slices.Max(t.at[middle+1:i+1]))
	}
	return 0
}

// normal is the p-quantile of the standard normal distribution.
func normal(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// mean is an exponentially forgotten mean that starts as a plain one.
type mean struct{ decay, weight, value float64 }

func newMean(halfLife float64) mean { return mean{decay: math.Exp2(-1 / halfLife)} }

func (m *mean) add(x float64) {
	m.weight = m.weight*m.decay + 1
	m.value += (x - m.value) / m.weight
}
