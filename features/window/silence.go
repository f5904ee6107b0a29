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
	// stepsToKnow is how many steps a source must have taken before its usual step is known. With fewer than that, chance alone would
	// make a jump of quietFactor steps.
	stepsToKnow = 16
	// tail is the part of a message's events, at either end, that may be hosts with wrong clocks.
	tail = 0.05
)

// Silence finds stretches of event time in which a source said nothing although it usually does. It depends on the messages alone.
type Silence struct {
	latest int64   // event time that was reached, Unix ns
	step   float64 // moving average of the steps that event time takes, ns
	steps  int     // taken so far, up to stepsToKnow
}

// Observe takes the event times of the next message, sorted (Unix ns, at least one), and returns the silence that it ends, if it ends
// one.
func (s *Silence) Observe(events []int64) (from, to int64, ended bool) {
	cut := int(tail * float64(len(events)))
	first, last := events[cut], events[len(events)-1-cut]
	before := s.latest
	s.latest = max(s.latest, last)
	if before == 0 {
		return 0, 0, false
	}
	step := float64(max(0, first-before)) // messages of a busy source overlap
	if s.steps < stepsToKnow {
		s.steps++
		s.step += (step - s.step) / float64(s.steps)
		return 0, 0, false
	}
	// A silence counts as the longest step that is none: one does not change what is usual, but a source that has become slow soon is.
	usual := quietFactor * s.step
	s.step += stepWeight * (min(step, usual) - s.step)
	if step > float64(quietAfter) && step > usual {
		return before, first, true
	}
	return 0, 0, false
}

// End says that the stream was ended on purpose: the next message begins a new one.
func (s *Silence) End() { s.latest = 0 }
