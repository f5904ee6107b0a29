package say

import (
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Action says what a decision asks for, without its workload: "lower v2 from 20 % to 0 % of traffic", "raise from 4 to 6 replicas".
func Action(d schemas.Decision) string {
	whose := ""
	if d.Target.Version != "" {
		whose = Line(d.Target.Version) + " "
	}
	from, to := Exact(d.Current), Exact(d.Proposed)
	unit := " " + d.Kind.Unit()
	if d.Kind == schemas.Shift {
		from, to, unit = from+" %", to+" %", " of traffic"
	} else if d.Proposed == 1 {
		unit = " replica"
	}
	switch {
	case d.Proposed > d.Current:
		return "raise " + whose + "from " + from + " to " + to + unit
	case d.Proposed < d.Current:
		return "lower " + whose + "from " + from + " to " + to + unit
	}
	return "keep " + whose + "at " + to + unit
}

// Subject says what decisions of a kind are about.
func Subject(k schemas.DecisionKind) string {
	if k == schemas.Shift {
		return "share of traffic"
	}
	return string(schemas.Scale.Unit())
}

// Signal names a signal for people.
func Signal(s schemas.Signal) string {
	switch s {
	case schemas.SignalLoad:
		return "offered load"
	case schemas.SignalErrorRate:
		return "error rate"
	case schemas.SignalLatency:
		return "mean latency"
	}
	return Words(string(s))
}

// SignalUnit is the unit of a signal's values.
func SignalUnit(s schemas.Signal) string {
	switch s {
	case schemas.SignalLoad:
		return "calls/s"
	case schemas.SignalErrorRate:
		return "share"
	case schemas.SignalLatency:
		return "ms"
	}
	return ""
}

// Severity names a severity for people.
func Severity(s schemas.Severity) string {
	switch {
	case s >= schemas.SeverityCritical:
		return "critical"
	case s >= schemas.SeverityWarning:
		return "warning"
	}
	return "info"
}

// Words turns the one word of a machine into words for people: insufficient_history, insufficient history.
func Words(code string) string {
	return strings.TrimSpace(strings.NewReplacer("_", " ").Replace(Line(code)))
}

// Sentence makes sure that text ends like one.
func Sentence(s string) string {
	s = strings.TrimSpace(Line(s))
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

// Reason names the code of a decision that proposes nothing.
func Reason(code string) string {
	switch code {
	case "hold":
		return "what runs is right"
	case "finding":
		return "a finding forbids it"
	}
	return Words(code)
}

// Label names a fact for people: those that docs/formats/events.md lists, and others by the words of their name.
func Label(name string) string {
	switch name {
	case "load_now":
		return "load in the newest window"
	case "load_forecast":
		return "load expected"
	case "load_forecast_high":
		return "load expected, upper end"
	case "load_day_peak":
		return "highest load of the last 24 h"
	case "load_that_flips":
		return "load from which the answer would be another"
	case "history_hours":
		return "history"
	case "minutes_present":
		return "minutes of the last 24 h that have a window"
	case "completeness":
		return "completeness of its telemetry meanwhile, 0 to 1"
	case "completeness_lowest":
		return "lowest completeness of them, 0 to 1"
	case "instances_day_max":
		return "most instances at once in the last 24 h"
	case "rated_load":
		return "load that a replica is planned to carry"
	case "trusted_load":
		return "load that a replica is trusted with"
	case "load_seen_low":
		return "lowest load seen in a replica"
	case "load_seen_high":
		return "highest load seen in a replica"
	case "capacity_intercept":
		return "capacity line, without load"
	case "capacity_slope":
		return "capacity line, rise with load"
	case "capacity_r2":
		return "capacity line, R2"
	case "points":
		return "minutes that the line rests on"
	case "replicas_needed":
		return "replicas needed, not rounded"
	case "windows":
		return "windows in the score"
	case "pooled":
		return "over these windows"
	case "usual":
		return "usual"
	}
	return Words(name)
}
