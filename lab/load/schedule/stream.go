package schedule

import (
	"math"
	"math/rand/v2"
	"time"
)

// never is later than anything.
const never = time.Duration(math.MaxInt64)

// stream is one Poisson process and what its requests ask for.
type stream struct {
	curve  Curve
	factor float64
	rng    *rand.Rand
	make   func(rng *rand.Rand, n int) Request // n counts from 0
	n      int
	at     time.Duration // of the next request; never = there is none
}

// newStream returns a stream that begins at from.
func newStream(c Curve, factor float64, from time.Duration, rng *rand.Rand, make func(*rand.Rand, int) Request) *stream {
	s := &stream{curve: c, factor: factor, rng: rng, make: make}
	s.draw(from)
	return s
}

// draw finds the first request after a time. A Poisson process has no memory: it may be drawn anew at any time.
func (s *stream) draw(from time.Duration) {
	highest := s.curve.Max * s.factor
	s.at = never
	if !(highest > 0) {
		return
	}
	for t := from; ; {
		gap := s.rng.ExpFloat64() / highest * float64(time.Second)
		if gap >= float64(never-t) {
			return
		}
		t += time.Duration(gap)
		if s.rng.Float64()*s.curve.Max < s.curve.At(t) {
			s.at = t
			return
		}
	}
}

// pop returns the next request and draws the one after it. There must be one.
func (s *stream) pop() Request {
	r := s.make(s.rng, s.n)
	r.At = s.at
	s.n++
	s.draw(s.at)
	return r
}

// rate is what the stream sends at a time, in requests a second.
func (s *stream) rate(at time.Duration) float64 { return s.curve.At(at) * s.factor }
