package smoothing

import "math"

// form says how a member joins its state to the season.
type form int

const (
	additive       form = iota // season + state
	multiplicative             // season x ratio: growth scales the peak with the rest
)

// member is one set of smoothing parameters. An additive member is Taylor's model with its season shared: the state is the level where keep
// is 1, and the AR(1) error where gain is 1 and keep below it; the others lie between, for series that are noisier than that.
type member struct {
	shape shape
	form  form
	gain  float64 // weight of the newest value in the state
	keep  float64 // share of the state that is left after a step: phi
	raw   bool    // takes values as they are; the slower ones take cleaned ones
}

// members is the grid. It was thinned out one by one on real request rates (NASA, World Cup 98, Crane); twice as many were no better. The
// first one is the last value, which the pool falls back on.
func members() []member {
	return []member{
		{flat, additive, 1, 1, true},
		{flat, additive, 0.5, 1, true},
		{flat, additive, 0.2, 1, false},
		{flat, additive, 0.02, 1, false},
		{daySharp, additive, 1, 0.995, true},
		{daySharp, multiplicative, 0.2, 1, false},
		{day, multiplicative, 0.05, 1, false},
		{dayBroad, multiplicative, 0.2, 1, false},
		{dayBroad, multiplicative, 0.015, 1, false},
		{dayBroad, additive, 0.015, 0.98, false},
		{weekSharp, additive, 1, 0.98, true},
		{weekSharp, additive, 0.2, 0.98, false},
		{weekBroad, multiplicative, 0.2, 1, false},
	}
}

// maxRatio bounds a ratio: a season says little about a load that is more than this times off it.
const maxRatio = 10

// tracker is the state of a member.
type tracker struct {
	member
	state       float64 // deviation from the season, or level
	value, base float64 // forgotten sums of values and of the season, multiplicative only; their quotient is the ratio
	count       float64 // values taken
}

// pass lets a step without a value go by.
func (k *tracker) pass() { k.state *= k.keep }

// observe takes the next value; raw is as measured, clean without what is believed to be a spike.
func (k *tracker) observe(raw, clean float64, season reading) {
	x, s := clean, season.values[k.shape]
	if k.raw {
		x = raw
	}
	if k.form == multiplicative {
		if season.ok {
			k.value = k.value*(1-k.gain) + x
			k.base = k.base*(1-k.gain) + s
		}
		return
	}
	if k.shape != flat && !season.ok {
		return
	}
	k.pass()
	k.count++
	k.state += max(k.gain, 1/k.count) * (x - s - k.state)
}

// forecast looks some steps ahead, where the season is as given. It returns NaN where the member knows nothing. Loads are never negative.
func (k *tracker) forecast(steps int, season reading) float64 {
	if k.shape != flat && !season.ok {
		return math.NaN()
	}
	s := season.values[k.shape]
	if k.form == multiplicative {
		if k.base <= 0 {
			return s
		}
		return s * min(max(k.value/k.base, 1.0/maxRatio), maxRatio)
	}
	if k.keep == 1 {
		return max(0, s+k.state)
	}
	return max(0, s+math.Pow(k.keep, float64(steps))*k.state)
}
