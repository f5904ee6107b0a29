package schedule

import (
	"fmt"
	"math"
	"time"

	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/sim/mesh"
)

// Curve is a rate over time, in requests a second. At is a pure function of the time since the load began.
type Curve struct {
	At  func(after time.Duration) float64
	Max float64 // At is never more
}

// Flat is a rate that does not change.
func Flat(mean float64) Curve {
	return Curve{At: func(time.Duration) float64 { return mean }, Max: mean}
}

// maxPeak is the sharpest day. Beyond it the power series of I0 would need more terms.
const maxPeak = 10

// Daily is a rate with one peak a day, the density of von Mises' distribution:
//
//	rate(t) = mean * e^(k cos(2 pi (t/day - 1/2))) / I0(k)
//
// where k is such that the highest rate is peak times the mean. A day begins at its lowest rate, and its mean is exactly mean.
func Daily(mean, peak float64, day time.Duration) (Curve, error) {
	if !(peak >= 1 && peak <= maxPeak) {
		return Curve{}, fmt.Errorf("peak is %g: it has to be from 1 to %d times the mean", peak, maxPeak)
	}
	if day <= 0 {
		return Curve{}, fmt.Errorf("day is %s: it has to be longer", day)
	}
	k := strength(peak)
	at := func(after time.Duration) float64 {
		return mean * mesh.Curve(k, 12, 24*float64(after%day)/float64(day))
	}
	return Curve{At: at, Max: mean * peak * (1 + 1e-9)}, nil
}

// strength is the k with e^k/I0(k) = peak, by bisection: the left side rises with k.
func strength(peak float64) float64 {
	low, high := 0.0, 24.0
	for range 60 {
		if k := (low + high) / 2; mesh.Curve(k, 0, 0) < peak {
			low = k
		} else {
			high = k
		}
	}
	return (low + high) / 2
}

// Recorded is a rate with the shape of recorded counts, each of which lasts a step; NaN counts as nothing. It is scaled so that its mean,
// gaps included, is mean, and begins anew when it is over.
func Recorded(counts []float64, step time.Duration, mean float64) (Curve, error) {
	if step <= 0 {
		return Curve{}, fmt.Errorf("step is %s: it has to be longer", step)
	}
	rates, sum, top := make([]float64, len(counts)), 0.0, 0.0
	for i, c := range counts {
		if !math.IsNaN(c) {
			rates[i] = c
		}
		sum, top = sum+rates[i], max(top, rates[i])
	}
	if !(sum > 0) {
		return Curve{}, fmt.Errorf("the recorded counts are all zero")
	}
	scale := mean * float64(len(rates)) / sum
	for i := range rates {
		rates[i] *= scale
	}
	at := func(after time.Duration) float64 { return rates[int(after/step)%len(rates)] }
	return Curve{At: at, Max: top * scale}, nil
}

// Crowded is the curve while crowds come: each multiplies the rate for its time.
func (c Curve) Crowded(crowds []spec.Crowd) Curve {
	if len(crowds) == 0 {
		return c
	}
	factor := func(after time.Duration) float64 {
		f := 1.0
		for _, crowd := range crowds {
			if after >= crowd.At && after < crowd.At+crowd.Length {
				f *= crowd.Factor
			}
		}
		return f
	}
	top := 1.0
	for _, crowd := range crowds { // the factor changes only there
		top = max(top, factor(crowd.At), factor(crowd.At+crowd.Length))
	}
	return Curve{At: func(after time.Duration) float64 { return c.At(after) * factor(after) }, Max: c.Max * top}
}

// times is the curve multiplied by a number.
func (c Curve) times(f float64) Curve {
	return Curve{At: func(after time.Duration) float64 { return f * c.At(after) }, Max: f * c.Max}
}
