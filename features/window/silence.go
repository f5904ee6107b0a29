package window

import "time"

const (
	// quietAfter is the shortest jump of event time that may be a silence.
	quietAfter = time.Minute
	// quietFactor is how many times the usual step a jump must be. If messages come at random, with a mean distance m, a jump of 20 m
	// has a probability of e^-20: two in a billion.
	quietFactor = 20
	// stepWeight is the weight of the newest step in the moving average of steps.
	stepWeight = 1.0 / 64
)

// Silence finds stretches of event time in which a source said nothing although it usually does. It depends on the messages alone.
type Silence struct {
	latest int64
	step   float64 // moving average of the steps that event time takes, ns
}

// Observe takes the middle event time of the next message (Unix ns) and returns the silence that it ends, if it ends one.
func (s *Silence) Observe(event int64) (from, to int64, ended bool) {
	before := s.latest
	if event <= before {
		return 0, 0, false
	}
	s.latest = event
	if before == 0 {
		return 0, 0, false
	}
	step := float64(event - before)
	ended = step > float64(quietAfter) && step > quietFactor*s.step
	if !ended {
		s.step += stepWeight * (step - s.step)
	}
	return before, event, ended
}

// End says that the stream was ended on purpose: the next message begins a new one.
func (s *Silence) End() { s.latest = 0 }
