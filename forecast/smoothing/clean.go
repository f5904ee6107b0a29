package smoothing

import (
	"math"
	"slices"
)

const (
	clipAt      = 4.0       // robust standard deviations, Huber's bound
	clipFloor   = 0.01      // of the mean size of the values: a series without noise has no standard deviation to clip at
	recentSteps = 15        // a change of level is believed when it holds for more than half of these
	scaleRate   = 1.0 / 240 // a memory of four hours of minutes
)

// cleaner bounds the influence of single values. The bound is around the season plus the median of the last deviations from it, so that a
// spike of a few steps is cut off, and a new level is believed after recentSteps/2 steps. A spike that was there a day before at the same
// step belongs to the season and passes.
type cleaner struct {
	recent   []float64 // ring of the last deviations from the season
	next     int
	known    bool      // whether there was a season to deviate from
	sorted   []float64 // scratch
	previous []float64 // deviation at each step of the day, one day ago
	scale    float64   // robust standard deviation of the deviations from the median
	size     float64   // mean absolute value
	count    float64   // values taken
}

func newCleaner(period int) *cleaner {
	return &cleaner{previous: make([]float64, period), sorted: make([]float64, 0, recentSteps)}
}

// clean gives the value that the slow parts learn from.
func (c *cleaner) clean(t int, value float64, around reading) float64 {
	if around.ok != c.known { // deviations from nothing and from a season are not alike
		c.known, c.recent, c.next = around.ok, c.recent[:0], 0
	}
	season, base := around.values[weekSharp], c.median()
	dev := value - season - base
	limit := max(clipAt*c.scale, clipFloor*c.size)
	kept := math.Copysign(min(math.Abs(dev), limit), dev)
	if len(c.recent) < recentSteps {
		kept = dev
	}
	at := &c.previous[t%len(c.previous)]
	if *at*dev > 0 && math.Abs(*at) > math.Abs(kept) {
		kept = math.Copysign(min(math.Abs(*at), math.Abs(dev)), dev)
	}
	*at = dev
	c.follow(value, math.Abs(dev), limit)
	c.push(value - season)
	return season + base + kept
}

// follow updates the scale and the size; a deviation counts up to the limit, so that one spike does not open the gate for the next.
func (c *cleaner) follow(value, dev, limit float64) {
	c.count++
	if c.count <= recentSteps || c.scale == 0 {
		limit = dev
	}
	rate := max(scaleRate, 1/c.count)
	c.scale += rate * (math.Sqrt(math.Pi/2)*min(dev, limit) - c.scale)
	c.size += rate * (math.Abs(value) - c.size)
}

func (c *cleaner) push(dev float64) {
	if len(c.recent) < recentSteps {
		c.recent = append(c.recent, dev)
		return
	}
	c.recent[c.next] = dev
	c.next = (c.next + 1) % recentSteps
}

func (c *cleaner) median() float64 {
	if len(c.recent) == 0 {
		return 0
	}
	c.sorted = append(c.sorted[:0], c.recent...)
	slices.Sort(c.sorted)
	return c.sorted[len(c.sorted)/2]
}
