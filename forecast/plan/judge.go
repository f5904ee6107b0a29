package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
)

// The codes of decisions, beside those of capacity's refusals.
const (
	LoadAhead           = "load_ahead"           // proposed: more replicas
	OverProvisioned     = "over_provisioned"     // proposed: fewer replicas
	Hold                = "hold"                 // the replicas that run are right
	InsufficientHistory = "insufficient_history" // too short a time, or too few minutes, for this direction
	NoForecast          = "no_forecast"
	ReplicasUnknown     = "replicas_unknown"     // no instance reported
	MissingMinutes      = "missing_minutes"      // too many minutes of the day have no window
	IncompleteTelemetry = "incomplete_telemetry" // part of what happened in the day was not reported
	InstancesSilent     = "instances_silent"     // fewer instances report than did within the day
	CallsRejected       = "calls_rejected"       // load was higher than what arrived
	ActedOn             = "acted_on"             // the day shows what Weir did, not what was asked for
	FindingInDay        = "finding"              // something was wrong in the day
	OutOfRange          = "out_of_range"         // fewer replicas would carry more than has been seen
)

// most replicas that a decision can be about, see schemas.Decision.Validate.
const most = 999_999

// verdict is what is to be said about a target, before it is decided whether to say it.
type verdict struct {
	decline   bool
	replicas  int // proposed; those that run where nothing is proposed
	code      string
	reason    string
	otherwise string // the counterfactual
	valid     time.Duration
	flip      float64 // the load at which the verdict would be another, calls per second; NaN where load does not matter
	needed    float64 // replicas' worth of load, not rounded; NaN where it is not known
}

// judge depends on the input alone. More load never gives fewer replicas.
func (p *Planner) judge(in Input) verdict {
	if v, ok := p.impossible(in); ok {
		return v
	}
	running, out := float64(in.Replicas), p.needed(in.ahead(), p.trusted(in))
	if out > running*(1+p.cfg.Tolerance) {
		return p.add(in, out)
	}
	if day := p.needed(in.day(), in.Fit.RatedLoad); day < running*(1-p.cfg.Tolerance) && math.Ceil(day) < running {
		if fewest := max(int(math.Ceil(day)), p.cfg.MinReplicas); fewest < in.Replicas {
			return p.remove(in, day, fewest)
		}
	}
	return p.hold(in, out)
}

// impossible declines where the number of replicas that are needed cannot be known.
func (p *Planner) impossible(in Input) (verdict, bool) {
	switch {
	case in.Replicas == 0:
		return p.declined(in, ReplicasUnknown,
			fmt.Sprintf("No instance of %s reported in the last closed minutes, so how many run is not known.", name(in)),
			"A proposal is possible when instances report."), true
	case in.History.Present < p.cfg.MinMinutesOut:
		return p.declined(in, InsufficientHistory, fmt.Sprintf("Only %d minutes of %s have been seen in the last 24 h; a proposal needs %d.",
			in.History.Present, name(in), p.cfg.MinMinutesOut),
			fmt.Sprintf("A proposal is possible after %d more minutes.", p.cfg.MinMinutesOut-in.History.Present)), true
	case !in.Outlook.OK:
		return p.declined(in, NoForecast, fmt.Sprintf("There is no forecast of the load of %s yet.", name(in)),
			"A proposal is possible when there is one."), true
	case in.Refusal != nil:
		return p.declined(in, in.Refusal.Code,
			fmt.Sprintf("How much load one replica of %s carries is not known: %s.", name(in), in.Refusal.Reason),
			remedy(in.Refusal.Code)), true
	case !known(in.Fit.RatedLoad) || in.Fit.RatedLoad == 0:
		return p.declined(in, capacity.NoSlope, fmt.Sprintf("How much load one replica of %s carries is not known.", name(in)),
			remedy(capacity.NoSlope)), true
	}
	return verdict{}, false
}

// add proposes replicas for the load ahead.
func (p *Planner) add(in Input, needed float64) verdict {
	want := min(math.Ceil(needed), most)
	step := max(math.Floor(float64(in.Replicas)*p.cfg.MaxStepOut), float64(in.Replicas)+1)
	v := verdict{
		replicas: int(min(want, step)), code: LoadAhead, valid: p.cfg.ValidOut, needed: needed,
		flip: p.loadFor(float64(in.Replicas)*(1+p.cfg.Tolerance), p.trusted(in)),
	}
	if v.replicas <= in.Replicas { // more cannot be expressed
		return p.hold(in, needed)
	}
	v.reason, v.otherwise = p.addReason(in, v), p.addOtherwise(in, v)
	return v
}

// remove proposes fewer replicas, or says what forbids it. At least `fewest`, fewer than those that run, carry the day by the rating.
func (p *Planner) remove(in Input, needed float64, fewest int) verdict {
	step := max(1, int(float64(in.Replicas)*p.cfg.MaxStepIn))
	v := verdict{replicas: max(fewest, in.Replicas-step), code: OverProvisioned, valid: p.cfg.ValidIn, needed: needed}
	seen := max(0, min(in.Fit.RatedLoad, in.Fit.LoadHigh)) // a rating may exceed what replicas have carried by a margin; this must not
	ranged := math.Ceil(p.needed(in.day(), seen))
	objections := p.objections(in)
	if ranged < float64(in.Replicas) {
		v.replicas = max(v.replicas, int(ranged))
	} else {
		objections = append(objections, p.beyond(in, v.replicas))
	}
	if len(objections) > 0 {
		return p.forbidden(in, v, fewest, objections)
	}
	v.flip = min(p.loadFor(float64(in.Replicas)*(1-p.cfg.Tolerance), in.Fit.RatedLoad), p.loadFor(float64(in.Replicas)-1, seen))
	v.reason, v.otherwise = p.removeReason(in, v, fewest), p.removeOtherwise(in, v)
	return v
}

func (p *Planner) forbidden(in Input, v verdict, fewest int, objections []objection) verdict {
	d := p.declined(in, objections[0].code, forbiddenReason(in, fewest, objections),
		fmt.Sprintf("Otherwise %s would be proposed.", replicas(v.replicas)))
	d.needed = v.needed
	return d
}

func (p *Planner) hold(in Input, needed float64) verdict {
	v := p.declined(in, Hold, "", "")
	v.needed, v.flip = needed, p.loadFor(float64(in.Replicas)*(1+p.cfg.Tolerance), p.trusted(in))
	v.reason, v.otherwise = p.holdReason(in, v), p.holdOtherwise(in, v)
	if in.Replicas < in.Day.InstancesMax { // nobody may be told that all is well while half of the telemetry may be missing
		v.code = InstancesSilent
		v.reason = fmt.Sprintf("Only %d of the %d instances of %s that ran at once in the last 24 h report: unless the others were taken away, "+
			"telemetry is missing. For what is seen, %s", in.Replicas, in.Day.InstancesMax, name(in), v.reason)
	}
	return v
}

func (p *Planner) declined(in Input, code, reason, otherwise string) verdict {
	return verdict{
		decline: true, replicas: in.Replicas, code: code, reason: reason, otherwise: otherwise, valid: p.cfg.ValidDecline,
		flip: math.NaN(), needed: math.NaN(),
	}
}

// trusted is the load per replica up to which none are added; none are taken away above its rating, which is lower.
func (p *Planner) trusted(in Input) float64 { return in.Fit.Stretched(p.stretch(in)) }

// closely is the R2 from which CPU use follows load closely.
const closely = 0.9

// stretch is how far beyond the loads that were seen replicas are trusted.
func (p *Planner) stretch(in Input) float64 {
	if in.Fit.Unit == capacity.CPU && in.Fit.R2 >= closely {
		return p.cfg.StretchCPU
	}
	return p.cfg.Stretch
}

// needed is how many replicas' worth a load is.
func (p *Planner) needed(load, rated float64) float64 { return load * (1 + p.cfg.Headroom) / rated }

// loadFor is the load that so many replicas carry: the inverse of needed.
func (p *Planner) loadFor(replicas, rated float64) float64 {
	return replicas * rated / (1 + p.cfg.Headroom)
}

// ahead is the load to be ready for: that of now, or the upper bound of the forecast.
func (in Input) ahead() float64 { return highest(in.Load, in.Outlook.High) }

// day is the load below which nothing is ever taken away: what is ahead, or the busiest minute of the day.
func (in Input) day() float64 { return highest(in.ahead(), in.Day.PeakLoad) }

func highest(a, b float64) float64 {
	if !known(a) || b > a && known(b) {
		a = b
	}
	return a
}

func known(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
