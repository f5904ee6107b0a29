package mesh

import (
	"math"
	"math/rand/v2"
	"time"
)

// rateStep is how long the rate is taken as constant.
const rateStep = 10 * time.Second

// arrivals are the times at which requests come, as ns after the start.
type arrivals struct {
	cfg  *Config
	rng  *rand.Rand
	end  time.Duration
	step time.Duration // length of a step
	over time.Duration // end of the step

	rate  float64 // a second, without a series
	burst bool
	left  int // with a series: requests that this minute still has
}

func newArrivals(cfg *Config, rng *rand.Rand) *arrivals {
	a := &arrivals{cfg: cfg, rng: rng, end: cfg.Length, step: rateStep}
	if cfg.Load.Series != nil {
		a.step = time.Minute
	}
	return a
}

// next is the time of the request that follows one at after; false when there is none before the end. Times must not go back.
func (a *arrivals) next(after time.Duration) (time.Duration, bool) {
	for t := after; t < a.end; t = a.over {
		for t >= a.over {
			a.open()
		}
		if at := t + a.gap(a.over-t); at < a.over {
			return at, true
		}
	}
	return 0, false
}

// open begins the next step.
func (a *arrivals) open() {
	begin := a.over
	a.over += a.step
	if series := a.cfg.Load.Series; series != nil {
		a.left = a.whole(series[begin/a.step])
		return
	}
	a.rate = a.cfg.rate(begin+a.step/2) * a.modulation()
}

// gap is how long the next request takes to come; rest is what is left of the step.
func (a *arrivals) gap(rest time.Duration) time.Duration {
	if a.cfg.Load.Series == nil {
		return seconds(a.rng.ExpFloat64() / a.rate)
	}
	if a.left == 0 {
		return rest
	}
	// The first of n times spread evenly over what is left of the minute.
	part := 1 - math.Pow(a.rng.Float64(), 1/float64(a.left))
	a.left--
	return min(time.Duration(part*float64(rest)), rest-1)
}

// whole rounds a count up or down at random, so that its mean stays.
func (a *arrivals) whole(count float64) int {
	if math.IsNaN(count) {
		return 0
	}
	n := math.Floor(count)
	if a.rng.Float64() < count-n {
		n++
	}
	return int(n)
}

// modulation is what bursts make of the rate in the step that begins.
func (a *arrivals) modulation() float64 {
	b := a.cfg.Load.Bursts
	if b.Factor == 0 {
		return 1
	}
	mean := b.Every
	if a.burst {
		mean = b.Length
	}
	if a.rng.Float64() < -math.Expm1(-float64(a.step)/float64(mean)) {
		a.burst = !a.burst
	}
	share := float64(b.Length) / float64(b.Length+b.Every)
	calm := 1 / (1 - share + share*b.Factor)
	if a.burst {
		return calm * b.Factor
	}
	return calm
}

// seconds is a duration that stays in range whatever the rate was.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, 1e9) * float64(time.Second))
}
