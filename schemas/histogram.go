package schemas

import "math"

// Bucket is an index into the latency histogram all of Weir shares: the buckets of an OpenTelemetry exponential histogram at scale 4,
// unit seconds. Bucket i covers (2^(i/16), 2^((i+1)/16)]. Indices outside [MinBucket, MaxBucket] are clamped; exactly zero has
// a bucket of its own.
type Bucket int16

// The ends of the histogram and the bucket of an exact zero.
const (
	MinBucket  Bucket = -512
	MaxBucket  Bucket = 511
	ZeroBucket Bucket = math.MinInt16
)

// BucketOf returns the bucket of a latency in nanoseconds.
func BucketOf(ns uint64) Bucket {
	if ns == 0 {
		return ZeroBucket
	}
	seconds := float64(ns) / 1e9
	// Ceil(x)-1 makes the upper bound inclusive. The logarithm may be one unit in the last place off at an exact power, so the bounds
	// themselves decide.
	i := int(math.Ceil(math.Log2(seconds)*16)) - 1
	if seconds > math.Exp2(float64(i+1)/16) {
		i++
	} else if seconds <= math.Exp2(float64(i)/16) {
		i--
	}
	return Bucket(min(max(i, int(MinBucket)), int(MaxBucket)))
}

// Seconds is the latency reported for a bucket: its geometric middle, at most 2.2 % from anything in it.
func (b Bucket) Seconds() float64 {
	if b == ZeroBucket {
		return 0
	}
	return math.Exp2((float64(b) + 0.5) / 16)
}
