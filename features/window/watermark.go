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
// credible if another instance has come within a minute of it, or if there is no other. Many that are ahead together vouch for each other, so
// where events are of now none is believed to be later than now. Watermarks never influence counts.
type Clock struct {
	future   time.Duration // how far ahead of now a stream may be said to be over; 0 = events are of any time
	heard    map[string]heard
	credible int64
	arrived  time.Time
}

type heard struct {
	event   int64
	arrived time.Time
}

// NewClock returns a Clock that has heard of nobody. With a future of 0 it believes events that are later than now, as those of a simulation may
// be; else no event moves it beyond now, and no control message more than that far beyond.
func NewClock(future time.Duration) *Clock { return &Clock{future: future, heard: map[string]heard{}} }

// Observe says that an instance sent something that happened at event (Unix ns), and that it arrived at now.
func (c *Clock) Observe(instance string, event int64, now time.Time) {
	c.arrived = now
	if c.future > 0 {
		event = min(event, now.UnixNano())
	}
	h, known := c.heard[instance]
	if !known && len(c.heard) >= maxHeard {
		c.forgetEarlier()
	}
	c.heard[instance] = heard{event: max(event, h.event), arrived: now}
}

// Advance moves the clock to at least event, as a control message demands.
func (c *Clock) Advance(event int64, now time.Time) {
	if c.future > 0 {
		event = min(event, now.Add(c.future).UnixNano())
	}
	c.credible, c.arrived = max(c.credible, event), now
}

// forgetEarlier makes room by forgetting the half of the instances whose events are the earliest: the later ones move the clock.
func (c *Clock) forgetEarlier() {
	events := make([]int64, 0, len(c.heard))
	for _, h := range c.heard {
		events = append(events, h.event)
	}
	slices.Sort(events)
	median, room := events[len(events)/2], len(events)/2
	for name, h := range c.heard {
		if room > 0 && h.event <= median {
			delete(c.heard, name)
			room--
		}
	}
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
