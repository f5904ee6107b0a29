package chart

import (
	"maps"
	"math"
	"slices"
	"time"
)

// shortest is the shortest distance between two of the times (Unix ns), at least a second.
func shortest(times map[int64]bool) time.Duration {
	sorted := slices.Sorted(maps.Keys(times))
	step := time.Duration(0)
	for i := 1; i < len(sorted); i++ {
		if d := time.Duration(sorted[i] - sorted[i-1]); step == 0 || d < step {
			step = d
		}
	}
	return max(step, time.Second)
}

// round is the shortest length of time, at least d, that people count in.
func round(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Minute} {
		for _, n := range []time.Duration{1, 2, 5, 10, 15, 20, 30} {
			if n*unit >= d {
				return n * unit
			}
		}
	}
	for _, n := range []time.Duration{1, 2, 3, 6, 12} {
		if n*time.Hour >= d {
			return n * time.Hour
		}
	}
	const day = 24 * time.Hour
	return (d + day - 1) / day * day
}

// ceil is the end of the step that t falls into; a time at the end of a step belongs to it.
func ceil(t time.Time, step time.Duration) time.Time {
	end := t.Truncate(step)
	if end.Before(t) {
		end = end.Add(step)
	}
	return end.UTC()
}

// axis is a round upper end, at least top, and the distance of two to five grid lines.
func axis(top float64) (end, step float64) {
	if top <= 0 || math.IsInf(top, 0) || math.IsNaN(top) {
		return 1, 0.5
	}
	power := math.Pow(10, math.Floor(math.Log10(top)))
	for _, m := range []float64{0.2, 0.25, 0.5, 1, 2, 2.5, 5} {
		if step = m * power; step*4 >= top {
			break
		}
	}
	return math.Ceil(top/step-1e-9) * step, step
}
