// Package lifecycle makes findings of scores: pending, firing, resolved.
//
//   - A finding fires when a window raises the alarm and two of the last three judged windows, that one among them, are out of bounds.
//   - An alarm that is the only one of the three makes it pending, which is published too. A pending one that has not fired when its first
//     window is no longer among the last three ends without a word.
//   - While it fires there is a new revision when it becomes critical. It never becomes less.
//   - It resolves after six judged windows in a row within bounds, or when nothing could be judged for ten minutes; that is not called
//     healthy.
//   - A warning that fires for six hours is accepted as how things are now: it resolves, and the detector begins a new history. A
//     critical finding fires for as long as it lasts: nobody gets used to it.
//
// While a finding is pending or firing nothing is learned. Time is that of the windows, so the same windows give the same findings.
package lifecycle

import (
	"math"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const (
	recent      = 3                // judged windows that are looked at,
	needed      = 2                // so many of which must be out of bounds
	quiet       = 6                // judged windows in bounds that resolve
	silence     = 10 * time.Minute // without a judged window that ends a finding
	acceptAfter = 6 * time.Hour    // that a warning fires
	remembered  = 6                // windows whose ids a revision names

	criticalErrors = 0.10 // share of failed calls
	criticalSlower = 3.0  // times the expected latency
)

// Sibling is how another version of the same workload does at the same time.
type Sibling struct {
	Version string
	Value   float64 // the signal over its last windows
}

// Subject is what a Machine watches.
type Subject struct {
	Workload schemas.Workload
	Signal   schemas.Signal
	Model    schemas.Model
}

// Kind of finding that is made of the subject's signal.
func (s Subject) Kind() schemas.FindingKind {
	if s.Signal == schemas.SignalLatency {
		return schemas.FindingLatency
	}
	return schemas.FindingErrors
}

// Machine is the state of one subject. It is not safe for concurrent use.
type Machine struct {
	subject Subject
	judged  [remembered]judged // the newest last
	n       int
	active  *schemas.Finding // as published last; nil = nothing is wrong
	firedAt time.Time
	inARow  int // judged windows in bounds since it fires
}

// judged is what is remembered of a judged window.
type judged struct {
	start    int64 // Unix ns
	length   time.Duration
	revision uint64
	out      bool
}

func (j judged) from() time.Time { return time.Unix(0, j.start).UTC() }
func (j judged) end() time.Time  { return j.from().Add(j.length) }

// NewMachine returns a machine to which nothing has happened.
func NewMachine(s Subject) *Machine { return &Machine{subject: s} }

// Active returns the finding as published last, false if nothing is pending or firing.
func (m *Machine) Active() (schemas.Finding, bool) {
	if m.active == nil {
		return schemas.Finding{}, false
	}
	return *m.active, true
}

// Firing reports whether the finding is firing.
func (m *Machine) Firing() bool { return m.active != nil && m.active.State == schemas.Firing }

// Step takes the score of the next window and returns a new revision of the finding, if there is one. A window that was not judged
// changes nothing. Siblings are only told about in the explanation.
func (m *Machine) Step(w schemas.ServiceWindow, s detect.Score, siblings []Sibling) (schemas.Finding, bool) {
	if !s.Known {
		return schemas.Finding{}, false
	}
	if m.active == nil && m.n > 0 && w.Start.Sub(m.newest().end()) >= silence {
		m.n = 0 // what was judged so long ago confirms nothing
	}
	m.remember(judged{w.Start.UnixNano(), w.Length, w.Revision, s.OutOfBounds()})
	if m.Firing() {
		return m.whileFiring(s, siblings)
	}
	return m.beforeFiring(s, siblings)
}

// Expire ends the finding if nothing was judged in the ten minutes before now.
func (m *Machine) Expire(now time.Time) (schemas.Finding, bool) {
	if m.active == nil || now.Sub(m.newest().end()) < silence {
		return schemas.Finding{}, false
	}
	if !m.Firing() {
		m.reset()
		return schemas.Finding{}, false
	}
	f := m.next(schemas.Resolved, now)
	f.ResolvedAt = now
	f.Explanation = explainSilence(f, m.newest().end())
	m.reset()
	return f, true
}

func (m *Machine) beforeFiring(s detect.Score, siblings []Sibling) (schemas.Finding, bool) {
	out, first := m.outOfBounds()
	switch {
	case s.Alarm() && out >= needed:
		m.firedAt, m.inARow = m.newest().end(), 0
		return m.publish(schemas.Firing, first, s, siblings)
	case m.active != nil && m.active.StartedAt.Before(m.judged[max(0, m.n-recent)].from()):
		m.active = nil // and this window may be the first of another
	}
	if m.active == nil && s.Alarm() {
		return m.publish(schemas.Pending, first, s, siblings)
	}
	return schemas.Finding{}, false
}

func (m *Machine) whileFiring(s detect.Score, siblings []Sibling) (schemas.Finding, bool) {
	m.inARow++
	if s.OutOfBounds() {
		m.inARow = 0
	}
	now := m.newest().end()
	switch {
	case m.inARow >= quiet:
		return m.resolve(s, explainRecovery)
	case s.OutOfBounds() && m.active.Severity < schemas.SeverityCritical && now.Sub(m.firedAt) >= acceptAfter:
		return m.resolve(s, explainAcceptance)
	case s.OutOfBounds() && m.severity(s) > m.active.Severity:
		return m.publish(schemas.Firing, m.active.StartedAt, s, siblings)
	}
	return schemas.Finding{}, false
}

// publish makes the next revision of the finding that started at start.
func (m *Machine) publish(state schemas.FindingState, start time.Time, s detect.Score, siblings []Sibling) (schemas.Finding, bool) {
	f := m.next(state, m.newest().end())
	if m.active == nil {
		f.StartedAt = start
		f.ID = schemas.FindingID(f.Kind, f.Workload, f.Signal, start, f.Model)
		f.IncidentID = f.ID
	}
	f.Severity = max(f.Severity, m.severity(s))
	f = measured(f, s)
	f.Explanation = explain(f, s, siblings)
	m.active = &f
	return f, true
}

func (m *Machine) resolve(s detect.Score, explain func(schemas.Finding, detect.Score) string) (schemas.Finding, bool) {
	f := measured(m.next(schemas.Resolved, m.newest().end()), s)
	f.ResolvedAt = f.UpdatedAt
	f.Explanation = explain(f, s)
	m.reset()
	return f, true
}

// next is the revision after the active one, the first if there is none.
func (m *Machine) next(state schemas.FindingState, at time.Time) schemas.Finding {
	f := schemas.Finding{Kind: m.subject.Kind(), Workload: m.subject.Workload, Signal: m.subject.Signal, Model: m.subject.Model}
	if m.active != nil {
		f = *m.active
	}
	f.Revision++
	f.State, f.UpdatedAt, f.Inputs = state, at, m.inputs()
	return f
}

func (m *Machine) reset() { m.active, m.n, m.inARow = nil, 0, 0 }

func (m *Machine) remember(j judged) {
	if m.n == remembered {
		copy(m.judged[:], m.judged[1:])
		m.n--
	}
	m.judged[m.n] = j
	m.n++
}

func (m *Machine) newest() judged { return m.judged[m.n-1] }

// outOfBounds counts the windows out of bounds among the last three and says when the first began.
func (m *Machine) outOfBounds() (n int, first time.Time) {
	for _, j := range m.judged[max(0, m.n-recent):m.n] {
		if !j.out {
			continue
		}
		if n == 0 {
			first = j.from()
		}
		n++
	}
	return n, first
}

func (m *Machine) inputs() []string {
	ids := make([]string, m.n)
	for i, j := range m.judged[:m.n] {
		ids[i] = schemas.WindowID(schemas.Resolution(j.length), j.from(), m.subject.Workload, j.revision)
	}
	return ids
}

func (m *Machine) severity(s detect.Score) schemas.Severity {
	critical := s.Pooled >= criticalErrors
	if m.subject.Signal == schemas.SignalLatency {
		critical = s.Pooled >= criticalSlower*s.Expected
	}
	if critical {
		return schemas.SeverityCritical
	}
	return schemas.SeverityWarning
}

// measured is f with the numbers of s.
func measured(f schemas.Finding, s detect.Score) schemas.Finding {
	f.Observed, f.Expected, f.Low, f.High = s.Observed, s.Expected, s.Low, s.High
	f.Score, f.Threshold = round(s.Value, 2), s.Threshold
	f.Evidence = facts(f.Signal, s)
	return f
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
