// Package plan turns a forecast and a capacity fit into decisions about replicas, or into a decline that says why there is none.
//
// Adding replicas is the safe direction: it needs two hours of observation, a forecast and a fit. Taking them away needs a whole day:
// complete telemetry, nothing rejected, nothing acted on, no finding, every instance heard of; and then it only goes down to what the
// busiest minute of that day needs, never on a forecast alone (AWS predictive scaling never scales in at all for that reason), in steps.
// Whatever forbids it is named, with its numbers, in the decline.
//
// A Planner remembers what it said last about each target, so that decisions are renewed while they hold and do not flap. The package is
// pure: time is Input.At, and the same inputs in the same order give the same decisions.
package plan

import (
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/schemas"
)

// Input is what is known about one workload at one version when a minute is closed. What is not known is NaN or false, never 0.
type Input struct {
	Target   schemas.Workload
	At       time.Time // the end of the last closed minute
	Load     float64   // schemas.ServiceWindow.Load now, calls per second without repeated attempts; NaN = no window
	Replicas int       // distinct instances that reported in the last closed minutes; 0 = not known
	Outlook  Outlook
	History  History
	Day      Day
	Fit      capacity.Fit      // of use only where Refusal is nil
	Refusal  *capacity.Refusal // why there is no fit
	Window   string            // id of the last window the input rests on
	Replay   bool              // made from windows of the past
}

// Outlook is the forecast of Load at the step within the horizon whose upper bound is highest.
type Outlook struct {
	At                  time.Time // the time it is about
	Expected, Low, High float64   // calls per second; High is the quantile Config.Quantile
	OK                  bool      // false while there is too little history for a forecast
}

// History says how much has been seen of the target.
type History struct {
	Span    time.Duration // since its first window
	Present int           // minutes of the last 24 h that have a window
}

// Day is what the last 24 h were like.
type Day struct {
	PeakLoad     float64 // the highest Load of a minute, calls per second; NaN = none known
	Completeness float64 // the lowest of all windows, 0..1
	InstancesMax int     // the most instances that reported at once
	Rejected     bool    // calls were rejected, by the workload or by one that calls it, directly or not
	Unnamed      bool    // calls of the workload came whose version was one too many to be kept, see schemas.Overflow
	ActedOn      bool    // an action or limit of Weir touched a window
	Finding      bool    // a finding on the workload was firing
}

// Decide says what is to be emitted for the target at in.At: a proposal, a decline, or nothing (false) where what was said last still
// stands. For one target, At must not go back. Without a forecast, Expected, Low and High of the decision are the load of now, and the
// evidence has no load_forecast_high.
func (p *Planner) Decide(in Input) (schemas.Decision, bool) {
	if in.At.IsZero() || in.Target.Name == "" || in.Target.Name == schemas.UnknownCaller || in.Target.Overflowed() {
		return schemas.Decision{}, false
	}
	in.Replicas = min(max(in.Replicas, 0), most)
	in.Outlook = in.Outlook.tidy()
	said, ok := p.settle(in, p.judge(in))
	if !ok {
		return schemas.Decision{}, false
	}
	d := p.decision(in, said)
	p.Remember(d)
	return d, true
}

func (p *Planner) decision(in Input, said verdict) schemas.Decision {
	d := schemas.Decision{
		MadeAt: in.At, ValidUntil: in.At.Add(said.valid), Kind: schemas.Scale, Verdict: schemas.Propose, Target: in.Target,
		Current: float64(in.Replicas), Proposed: float64(said.replicas), Signal: schemas.SignalLoad,
		Code: said.code, Reason: said.reason, Counterfactual: said.otherwise,
		Replay: in.Replay, Evidence: p.evidence(in, said), Model: p.cfg.Model,
	}
	if said.decline {
		d.Verdict = schemas.Decline
	}
	if in.Window != "" {
		d.Inputs = []string{in.Window}
	}
	switch {
	case in.Outlook.OK:
		d.Expected, d.Low, d.High = in.Outlook.Expected, in.Outlook.Low, in.Outlook.High
	case known(in.Load):
		d.Expected, d.Low, d.High = in.Load, in.Load, in.Load
	}
	d.ID = d.Identity()
	return d
}

// tidy takes a forecast that cannot be one as none, and puts its bounds in order.
func (o Outlook) tidy() Outlook {
	if !o.OK || o.At.IsZero() || !known(o.Expected) || !known(o.High) {
		return Outlook{}
	}
	o.High = max(o.High, o.Expected)
	if !known(o.Low) || o.Low > o.Expected {
		o.Low = 0
	}
	return o
}
