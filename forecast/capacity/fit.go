package capacity

import (
	"fmt"
	"math"
	"strconv"
)

// Unit is what busy is measured in.
type Unit string

// The units.
const (
	CPU      Unit = "cpu"       // share of the limit
	InFlight Unit = "in_flight" // calls under way in one replica
)

func (u Unit) words() string {
	if u == CPU {
		return "CPU"
	}
	return "the number of calls under way"
}

func (u Unit) amount(v float64) string {
	if u == CPU {
		return Percent(v)
	}
	return Number(v)
}

// Fit is the line Busy = Intercept + Slope*Load, and what follows from it.
type Fit struct {
	Unit Unit
	// Intercept is Busy without load, in Unit; Slope is Unit per call per second.
	Intercept, Slope float64
	// R2 is the share of the variance of mean Busy between the Bins levels of load that the line explains. Single minutes scatter more.
	R2           float64
	Points, Bins int // minutes it rests on, and levels of load they were averaged into
	// LoadLow and LoadHigh are the 1st and 99th percentile of load per replica that was seen, in calls per second.
	LoadLow, LoadHigh float64
	// RatedLoad is the load one replica may get, in calls per second. By CPU it is the load at which the line reaches Target, but never
	// further than a small margin beyond the loads seen. Where only calls under way are known, no ceiling is, and it is the 99th percentile
	// of the loads that were seen while latency was healthy.
	RatedLoad float64
	Target    float64 // the share of CPU that RatedLoad aims at; 0 where Unit is InFlight
	// RangeLimited says that RatedLoad is limited by what was seen and not by a ceiling: the target, or loads at which latency suffered.
	RangeLimited bool
}

// Busy is what the line says for a load per replica in calls per second, in Unit. Outside LoadLow..LoadHigh it is a guess.
func (f Fit) Busy(load float64) float64 { return max(0, f.Intercept+f.Slope*load) }

// Stretched is the load that one replica may turn out to carry, in calls per second, when the range is taken to go on by a share of itself.
// It is at least RatedLoad, and never beyond a known ceiling. It tells when replicas are too few, never that they are too many.
func (f Fit) Stretched(share float64) float64 {
	if !f.RangeLimited {
		return f.RatedLoad
	}
	limit := f.LoadHigh * (1 + share)
	if f.Unit == CPU {
		limit = min(limit, (f.Target-f.Intercept)/f.Slope)
	}
	return max(f.RatedLoad, limit)
}

// Seen reports whether replicas have had such a load, in calls per second.
func (f Fit) Seen(load float64) bool { return load >= f.LoadLow && load <= f.LoadHigh }

// String is the fit as a report shows it.
func (f Fit) String() string {
	return fmt.Sprintf("%s = %s + %s per call/s; R2 %s between %d levels of load, %s to %s calls/s per replica, from %d minutes; %s",
		f.Unit, f.Unit.amount(f.Intercept), f.Unit.amount(f.Slope), Number(f.R2), f.Bins, Number(f.LoadLow), Number(f.LoadHigh), f.Points,
		f.Rating())
}

// Rating is RatedLoad as half a sentence.
func (f Fit) Rating() string {
	switch load := Number(f.RatedLoad); {
	case f.Unit == InFlight && !f.RangeLimited:
		return fmt.Sprintf("one replica has carried %s calls/s before latency suffered (its CPU is not known)", load)
	case f.Unit == InFlight:
		return fmt.Sprintf("one replica has carried %s calls/s with healthy latency (its CPU is not known)", load)
	case f.RangeLimited:
		return fmt.Sprintf("one replica is trusted with %s calls/s, because only %s to %s have been seen",
			load, Number(f.LoadLow), Number(f.LoadHigh))
	default:
		return fmt.Sprintf("one replica carries %s calls/s at %s CPU", load, Percent(f.Target))
	}
}

// The codes of refusals.
const (
	InsufficientHistory = "insufficient_history" // too few minutes
	LoadHardlyVaried    = "load_hardly_varied"   // a line needs two different loads
	PoorFit             = "poor_fit"             // load does not explain how busy the replicas were
	NoSlope             = "no_slope"             // more load did not make replicas busier
	IdleAboveTarget     = "idle_above_target"    // the CPU target is exceeded without any load
)

// Refusal says why there is no fit.
type Refusal struct {
	Code   string // one of the codes above
	Reason string // half a sentence with the numbers, without a full stop
}

func (r *Refusal) Error() string { return r.Reason }

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// Number writes v for people: three significant digits, and no exponent.
func Number(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	if unit >= 1 {
		return strconv.FormatFloat(math.Round(v/unit)*unit, 'f', 0, 64)
	}
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // what was just written can be read
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// Percent writes a share for people.
func Percent(share float64) string { return Number(share*100) + " %" }
