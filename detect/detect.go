// Package detect is what detectors and those who use them say to each other. A detector watches one signal of one workload at one
// version, window by window; package lifecycle makes findings of its scores, and package shift proposes what to do about a finding.
//
// All of it is pure: time is that of the windows, and the same windows in the same order give the same findings.
package detect

import (
	"fmt"

	"github.com/weirmesh/weir/schemas"
)

// Detector judges the 10-second windows of one signal of one workload at one version. It is not safe for concurrent use.
type Detector interface {
	// ID names the method and its version; it becomes part of the findings' identity.
	ID() schemas.Model
	// Observe judges the window against what was learned before it. It does not learn. Windows come in order of time; one that is missing
	// is no observation.
	Observe(w schemas.ServiceWindow) Score
	// Learn takes the window observed last as normal. Whoever sees that something is wrong does not call it, so that a fault does not
	// become the expectation.
	Learn()
}

// Score is what a detector says about a window.
type Score struct {
	// Known is false where the window could not be judged, or the history is not enough yet. Nothing else is set then.
	Known bool
	// Observed is the signal in the window; Expected what had been expected, and Low to High its usual range over a minute.
	Observed, Expected, Low, High float64
	// Value is the standardised residual: how many standard deviations the signal is above what had been expected. 0 where the
	// difference is too small for anyone to care.
	Value float64
	// Threshold is the Value from which on the difference cannot be chance. It is smaller for differences that would be critical.
	Threshold float64
	// Value rests on the last Windows judged windows: the signal in them (latency: without extremes), their calls, and how many of these
	// failed (error_rate only).
	Pooled        float64
	Windows       int
	Calls, Failed uint64
}

// suspect is the part of its threshold from which on a value is out of bounds.
const suspect = 0.65

// Alarm reports whether the window differs by more than chance explains.
func (s Score) Alarm() bool { return s.Known && s.Value >= s.Threshold }

// OutOfBounds reports whether the window differs by as much as makes a second one of the kind convincing. Every alarm is out of bounds.
func (s Score) OutOfBounds() bool { return s.Known && s.Value >= suspect*s.Threshold }

// Text writes a value of a signal for people: 34 %, 0.4 %, 210 ms, 4.2 ms.
func Text(s schemas.Signal, v float64) string {
	unit := "ms"
	if s == schemas.SignalErrorRate {
		v, unit = 100*v, "%"
	}
	if v > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// Title names a workload for people: checkout@v2.
func Title(w schemas.Workload) string {
	if w.Version == "" {
		return w.Name
	}
	return w.Name + "@" + w.Version
}
