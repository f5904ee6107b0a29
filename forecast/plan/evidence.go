package plan

import (
	"math"

	"github.com/weirmesh/weir/schemas"
)

// evidence is the numbers a decision rests on. What is not known is left out. Their names are part of the format of decisions:
//
//	load_now, load_forecast, load_forecast_high, load_day_peak  calls/s of this version
//	history_hours, minutes_present, completeness_lowest         how well the target is known; the last two of the last 24 h
//	instances_day_max                                           the most instances at once in the last 24 h
//	rated_load, trusted_load, load_seen_low, load_seen_high                   calls/s per replica
//	capacity_intercept, capacity_slope, capacity_r2, points     the fit, and the minutes it rests on
//	replicas_needed                                             not rounded
//	load_that_flips                                             the load at which the verdict would be another, calls/s
func (p *Planner) evidence(in Input, said verdict) []schemas.Fact {
	var facts []schemas.Fact
	add := func(name string, value float64, unit string) {
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			facts = append(facts, schemas.Fact{Name: name, Value: value, Unit: unit})
		}
	}
	add("load_now", in.Load, "calls/s")
	if in.Outlook.OK {
		add("load_forecast", in.Outlook.Expected, "calls/s")
		add("load_forecast_high", in.Outlook.High, "calls/s")
	}
	add("load_day_peak", in.Day.PeakLoad, "calls/s")
	add("history_hours", in.History.Span.Hours(), "h")
	add("minutes_present", float64(in.History.Present), "minutes")
	add("completeness_lowest", in.Day.Completeness, "")
	add("instances_day_max", float64(in.Day.InstancesMax), "instances")
	if in.Refusal == nil {
		f := in.Fit
		add("rated_load", f.RatedLoad, "calls/s")
		add("trusted_load", p.trusted(in), "calls/s")
		add("load_seen_low", f.LoadLow, "calls/s")
		add("load_seen_high", f.LoadHigh, "calls/s")
		add("capacity_intercept", f.Intercept, string(f.Unit))
		add("capacity_slope", f.Slope, string(f.Unit)+" per calls/s")
		add("capacity_r2", f.R2, "")
		add("points", float64(f.Points), "minutes")
	}
	add("replicas_needed", said.needed, "replicas")
	add("load_that_flips", said.flip, "calls/s")
	return facts
}
