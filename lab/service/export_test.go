package service

import (
	"context"
	"time"
)

// Work returns the times of n requests, as an instance draws them.
func Work(seed uint64, pod string, n int, mean time.Duration, spread float64) []time.Duration {
	c := newChance(seed, pod)
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = c.lognormal(mean, spread)
	}
	return out
}

// MaxQueued is how many messages a queue holds.
const MaxQueued = maxQueued

// Queued returns how many of n messages a queue takes that delivers none.
func Queued(n int) (taken int) {
	q := &queue{messages: make(chan message, maxQueued)}
	for range n {
		if q.put(context.Background()) == accepted {
			taken++
		}
	}
	return taken
}

// Slots are the workers of an instance and their queue.
type Slots struct{ slots *slots }

// NewSlots makes slots with room for some who wait.
func NewSlots(total, room int) Slots { return Slots{newSlots(total, room)} }

// Take waits for a slot.
func (s Slots) Take(ctx context.Context) error { return s.slots.take(ctx) }

// Free gives one back.
func (s Slots) Free() { s.slots.free() }

// Waiting is how many wait.
func (s Slots) Waiting() int {
	_, waiting, _ := s.slots.state()
	return waiting
}
