// Package tally counts what became of requests and how long they took, in windows and in the buckets that Weir's windows have, so that
// the two can be held against each other.
package tally

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Histogram counts durations by bucket. As JSON it looks as ClickHouse writes the column histogram of Weir's windows.
type Histogram map[schemas.Bucket]uint64

// Add counts a duration; a negative one counts as zero.
func (h Histogram) Add(d time.Duration) { h[schemas.BucketOf(uint64(max(d, 0)))]++ }

// Merge adds another histogram.
func (h Histogram) Merge(other Histogram) {
	for b, n := range other {
		h[b] += n
	}
}

// N is how many durations were counted.
func (h Histogram) N() (sum uint64) {
	for _, n := range h {
		sum += n
	}
	return sum
}

// Quantile is the nearest rank of q, as the middle of its bucket: at most 2.2 % off. It is 0 if nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := max(1, uint64(math.Ceil(q*float64(h.N())-1e-9)))
	for _, b := range slices.Sorted(maps.Keys(h)) {
		if h[b] >= rank {
			return time.Duration(b.Seconds() * float64(time.Second))
		}
		rank -= h[b]
	}
	return 0
}

// Quantiles are what people ask a histogram for, in milliseconds.
type Quantiles struct {
	N         uint64    `json:"n"`
	P50       float64   `json:"p50_ms"`
	P90       float64   `json:"p90_ms"`
	P95       float64   `json:"p95_ms"`
	P99       float64   `json:"p99_ms"`
	P999      float64   `json:"p999_ms"`
	Histogram Histogram `json:"histogram"`
}

// Quantiles returns them. They share the histogram.
func (h Histogram) Quantiles() Quantiles {
	return Quantiles{
		N: h.N(), P50: Millis(h.Quantile(0.5)), P90: Millis(h.Quantile(0.9)), P95: Millis(h.Quantile(0.95)),
		P99: Millis(h.Quantile(0.99)), P999: Millis(h.Quantile(0.999)), Histogram: h,
	}
}

// Millis is a duration in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
