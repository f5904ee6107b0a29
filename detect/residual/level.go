package residual

import (
	"math"

	"github.com/weirmesh/weir/schemas"
)

const (
	levelMemory = 180 // windows: half an hour, so that it follows the time of day
	lastPercent = 100 // from so many calls on the 99th percentile is not the slowest call
	furthest    = 2   // a window pulls the level as if it were at most 1 + furthest times as high as expected
	leastSlope  = -0.2
	mostSlope   = 0.5
)

// sample is what a window says about latency, without its slowest call.
type sample struct {
	typical float64 // mean in ms of the others
	weight  float64 // their number
	load    float64 // logarithm of the number of calls
	mean    float64 // mean in ms of all
	tail    float64 // logarithm of mean / 99th percentile, NaN where there are fewer than 100 calls
}

// level is what a latency is expected to be: log-linear in the logarithm of the number of calls, followed by the gamma quasi-score.
type level struct {
	log, slope  float64 // logarithm of the typical latency at load, and its change with load
	load        float64 // fading mean of sample.load
	total       float64 // weight of what was learned, fading
	information float64 // about the slope
	lift        float64 // mean of all calls / typical, fading mean
	tail        float64 // fading mean of sample.tail; 0 = never seen
}

// sample sets the slowest call aside. Below 100 calls it is the 99th percentile. Above, a single call moves the mean little unless it is
// extreme, and then the percentile, which it does not move, limits the mean.
func (v *level) sample(w schemas.ServiceWindow) sample {
	n := float64(w.Calls)
	s := sample{typical: w.MeanMs, weight: n, load: math.Log(n), mean: w.MeanMs, tail: math.NaN()}
	switch {
	case !(w.P99Ms >= shortestMs && w.P99Ms <= longestMs):
	case n < lastPercent:
		s.weight = n - 1
		s.typical = max((n*w.MeanMs-w.P99Ms)/s.weight, 0.05*w.MeanMs)
	default:
		s.tail = math.Log(w.MeanMs / w.P99Ms)
		if v.tail != 0 {
			s.typical = min(w.MeanMs, w.P99Ms*math.Exp(v.tail))
		}
	}
	return s
}

// at is the typical latency to expect, in ms.
func (v *level) at(load float64) float64 { return math.Exp(v.log + v.slope*(load-v.load)) }

// mean is the mean over all calls to expect, in ms.
func (v *level) mean(load float64) float64 { return v.at(load) * v.lift }

// learn moves the level towards s; windows is how many it has learned before.
func (v *level) learn(s sample, windows int) {
	if windows == 0 {
		*v = level{log: math.Log(s.typical), load: s.load, lift: s.mean / s.typical}
	}
	const fade = 1 - 1.0/levelMemory
	gain := 1 / min(float64(windows+1), levelMemory)
	expected := v.at(s.load)
	pull := min(s.typical/expected-1, furthest)
	off := s.load - v.load

	v.total = fade*v.total + s.weight
	v.information = fade*v.information + s.weight*off*off
	v.log += s.weight/v.total*pull + v.slope*gain*off // the second part: the line stays where it is while its origin moves
	v.load += gain * off
	v.slope = min(max(v.slope+s.weight*off*pull/(v.information+v.total*0.01), leastSlope), mostSlope)
	v.lift += gain * (min(s.mean/expected, 1+furthest) - v.lift)
	if !math.IsNaN(s.tail) {
		if v.tail == 0 {
			v.tail = s.tail
		}
		v.tail += (s.tail - v.tail) / levelMemory
	}
}
