package service

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// chance is the randomness of one instance: instances of one lab differ, and each has the same in every run. Safe for concurrent use.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newChance(seed uint64, pod string) *chance {
	name := fnv.New64a()
	name.Write([]byte(pod))
	return &chance{rng: rand.New(rand.NewPCG(seed, name.Sum64()))}
}

// happens reports true with a probability.
func (c *chance) happens(p float64) bool {
	if p <= 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64() < p
}

// times returns a whole number whose mean is x.
func (c *chance) times(x float64) int {
	whole, rest := math.Modf(max(x, 0))
	n := int(whole)
	if c.happens(rest) {
		n++
	}
	return n
}

func (c *chance) intn(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// lognormal returns a time of a mean and a coefficient of variation.
func (c *chance) lognormal(mean time.Duration, variation float64) time.Duration {
	if variation == 0 || mean == 0 {
		return mean
	}
	variance := math.Log1p(variation * variation)
	c.mu.Lock()
	z := c.rng.NormFloat64()
	c.mu.Unlock()
	return time.Duration(float64(mean) * math.Exp(z*math.Sqrt(variance)-variance/2))
}
