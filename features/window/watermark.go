package window

import (
	"slices"
	"time"
)

const (
	// credibleSkew is how far ahead of every other instance one may be and still be believed.
	credibleSkew = time.Minute
	// heardFor is how long an instance that fell silent still counts as "another".
	heardFor = 10 * time.Second
	// maxHeard bounds the instances a Clock remembers.
	maxHeard = 4096
)

// Clock follows how far event time has come in one source. A single host whose clock is ahead does not move it: an event time is
// credible if another instance has come within a minute of it, or if there is no other. Watermarks never influence counts.
type Clock struct {
	heard    map[string]heard
	credible int64
	arrived  time.Time
}

type heard struct {
	event   int64
	arrived time.Time
}

// NewClock returns a Clock that has heard of nobody.
func NewClock() *Clock { return &Clock{heard: map[string]heard{}} }

// Observe says that an instance sent something that happened at event (Unix ns), and that it arrived at now.
func (c *Clock) Observe(instance string, event int64, now time.Time) {
	c.arrived = now
	h, known := c.heard[instance]
	if !known && len(c.heard) >= maxHeard {
		return
	}
	c.heard[instance] = heard{event: max(event, h.event), arrived: now}
}

// Advance moves the clock to at least event, as a control message demands.
func (c *Clock) Advance(event int64, now time.Time) {
	c.credible, c.arrived = max(c.credible, event), now
}

// Event returns the largest credible event time so far in Unix ns; 0 if there is none. It forgets instances that fell silent.
func (c *Clock) Event(now time.Time) int64 {
	latest := make([]int64, 0, len(c.heard))
	for name, h := range c.heard {
		if now.Sub(h.arrived) > heardFor {
			delete(c.heard, name)
			continue
		}
		latest = append(latest, h.event)
	}
	slices.Sort(latest)
	for i := len(latest) - 1; i >= 0; i-- {
		if i == 0 || latest[i]-latest[i-1] <= int64(credibleSkew) {
			c.credible = max(c.credible, latest[i])
			break
		}
	}
	return c.credible
}

// Idle reports whether nothing has arrived for the given time.
func (c *Clock) Idle(now time.Time, after time.Duration) bool {
	return now.Sub(c.arrived) >= after
}
