package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
)

// objection is one rule that forbids taking replicas away, as the second half of a sentence.
type objection struct{ code, words string }

// objections lists every rule that speaks against taking replicas away, the most basic first. What is not known counts against it.
func (p *Planner) objections(in Input) []objection {
	var out []objection
	object := func(when bool, code, format string, args ...any) {
		if when {
			out = append(out, objection{code, fmt.Sprintf(format, args...)})
		}
	}
	day, least := in.Day, p.cfg.MinCompleteness
	minutes := int(math.Ceil(p.cfg.MinPresent * minutesOfDay))
	object(in.History.Span < p.cfg.MinHistoryIn, InsufficientHistory, "only %s of %s of history have been seen",
		hours(in.History.Span), hours(p.cfg.MinHistoryIn))
	object(in.History.Present < minutes, MissingMinutes, "only %d of the last 24 h's %d minutes have been seen, and %d are needed",
		in.History.Present, minutesOfDay, minutes)
	object(day.Completeness < least, IncompleteTelemetry, "telemetry was %s complete at its worst in the last 24 h, and %s are needed",
		capacity.Percent(day.Completeness), capacity.Percent(least))
	object(math.IsNaN(day.Completeness), IncompleteTelemetry, "how complete telemetry was in the last 24 h is not known")
	object(day.Unnamed, IncompleteTelemetry, "more versions were named in the last 24 h than can be told apart, and some calls count for none of them")
	object(!known(in.Load), IncompleteTelemetry, "no load has been seen in the last minute")
	object(!known(day.PeakLoad), IncompleteTelemetry, "the busiest minute of the last 24 h is not known")
	object(in.Replicas < day.InstancesMax, InstancesSilent, "only %d of the %d instances that ran at once in the last 24 h report",
		in.Replicas, day.InstancesMax)
	object(day.Rejected, CallsRejected, "calls were rejected here or upstream in the last 24 h, so more was asked for than arrived")
	object(day.ActedOn, ActedOn, "an action of Weir touched the last 24 h")
	object(day.Finding, FindingInDay, "a finding was firing in the last 24 h")
	return out
}

// beyond is the objection that so many replicas would each get more than any has been seen to carry.
func (p *Planner) beyond(in Input, left int) objection {
	each := p.needed(in.day(), 1) / float64(left)
	return objection{OutOfRange, fmt.Sprintf("%s would get up to %s calls/s each%s, and no more than %s have been seen", replicas(left),
		capacity.Number(each), p.headroom(), capacity.Number(in.Fit.LoadHigh))}
}

func hours(d time.Duration) string { return capacity.Number(d.Hours()) + " h" }
