package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Signal names a series of a workload that is forecast or watched.
type Signal string

// The signals.
const (
	SignalLoad      Signal = "offered"    // calls per second asked for, without repeated attempts; see ServiceWindow.Load
	SignalErrorRate Signal = "error_rate" // share of calls with a known outcome that failed, 0..1
	SignalLatency   Signal = "mean_ms"    // mean latency in milliseconds
)

// Model names what computed something, and its version: the same model and version give the same answer from the same inputs.
type Model struct {
	Name    string `json:"model"`
	Version string `json:"model_version"`
}

// Forecast is one quantile of what a signal will be.
type Forecast struct {
	MadeAt, TargetTime time.Time // both the end of a window
	Workload           Workload  // without version and region
	Signal             Signal
	Quantile, Value    float64
	Model              Model
	Inputs             string // the last window it rests on: WindowID
}

// Horizon is how far ahead the forecast looks.
func (f Forecast) Horizon() time.Duration { return f.TargetTime.Sub(f.MadeAt) }

// Fact is one number that a finding or decision rests on. Names are listed in docs/formats/events.md.
type Fact struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // finite
	Unit  string  `json:"unit,omitempty"`
}

// FindingKind says what is wrong.
type FindingKind string

// The kinds of findings.
const (
	FindingErrors  FindingKind = "errors"  // more calls fail than expected
	FindingLatency FindingKind = "latency" // calls take longer than expected
)

// FindingState is where a finding is in its life.
type FindingState string

// The states of a finding. A pending one that does not fire ends without a word.
const (
	Pending  FindingState = "pending"
	Firing   FindingState = "firing"
	Resolved FindingState = "resolved"
)

// Severity orders findings, with the names and numbers of OpenTelemetry's log severities.
type Severity int

// The severities.
const (
	SeverityInfo     Severity = 9
	SeverityWarning  Severity = 13
	SeverityCritical Severity = 21
)

func (s Severity) String() string {
	switch {
	case s >= SeverityCritical:
		return "FATAL"
	case s >= SeverityWarning:
		return "WARN"
	}
	return "INFO"
}

// Finding is one state of something that is wrong with a workload at a version. A new state is a new revision of the same finding.
type Finding struct {
	ID         string // FindingID
	IncidentID string // what belongs to one cause; the finding's own id while nothing groups them
	Revision   int    // 1 for the first
	Kind       FindingKind
	State      FindingState
	StartedAt  time.Time // start of the first window that was out of bounds
	UpdatedAt  time.Time // end of the window that brought this revision
	ResolvedAt time.Time // zero while it is not
	Workload   Workload
	Signal     Signal
	// Observed is the signal in the window of this revision, Expected with its interval what had been expected there.
	Observed, Expected, Low, High float64
	Score, Threshold              float64 // fires where |Score| >= Threshold
	Severity                      Severity
	Explanation                   string
	Evidence                      []Fact
	Inputs                        []string // window ids
	Model                         Model
}

// FindingID is the identity of a finding: what, where and since when.
func FindingID(kind FindingKind, w Workload, signal Signal, started time.Time, m Model) string {
	return "f-" + digest(string(kind), w.Tenant, w.Region, w.Versioned(), string(signal), stamp(started), m.Name, m.Version)
}

// DecisionKind says what a decision is about.
type DecisionKind string

// The kinds of decisions.
const (
	Scale DecisionKind = "scale" // number of replicas of a workload at a version
	Shift DecisionKind = "shift" // share of a workload's traffic that a version gets, in percent
)

// Unit is what Current and Proposed of a decision count.
func (k DecisionKind) Unit() string {
	if k == Shift {
		return "percent"
	}
	return "replicas"
}

// Verdict says whether a decision asks for something.
type Verdict string

const (
	// Propose asks for Proposed.
	Propose Verdict = "propose"
	// Decline says that nothing is proposed, and why: not enough history, say. It asks for nothing and supersedes nothing.
	Decline Verdict = "decline"
)

// Decision is a level-based proposal for one target: "8 replicas for checkout until 12:10". It is data; nothing acts but the actuator.
type Decision struct {
	ID                string // ID of the rest, see Identity
	MadeAt            time.Time
	ValidUntil        time.Time
	Kind              DecisionKind
	Verdict           Verdict
	Target            Workload // with its version where one is known
	Current, Proposed float64  // in Kind.Unit; Current is what was observed, Proposed = Current where Verdict is Decline
	// Expected, with Low and High, is what Signal will be at the target when the decision matters.
	Signal              Signal
	Expected, Low, High float64
	Code                string // why, as one word for machines: load_ahead, over_provisioned, finding, insufficient_history, ...
	Reason              string // why, as a sentence
	Counterfactual      string // what would happen, or be decided, otherwise
	Cause               string // id of the finding that led to it; "" for none
	Replay              bool   // made from windows of the past: it may be reported, never applied
	Evidence            []Fact
	Inputs              []string // window ids
	Model               Model
}

// Identity is the id that belongs to the decision's content: what is asked, of whom, when, until when, and by which model.
func (d Decision) Identity() string {
	return "d-" + digest(string(d.Kind), string(d.Verdict), d.Target.Tenant, d.Target.Region, d.Target.Versioned(), stamp(d.MadeAt),
		stamp(d.ValidUntil), number(d.Current), number(d.Proposed), d.Code, d.Cause, d.Model.Name, d.Model.Version)
}

// Reduces reports whether the decision takes capacity away.
func (d Decision) Reduces() bool {
	return d.Kind == Scale && d.Verdict == Propose && d.Proposed < d.Current
}

// Validate reports what makes the decision unusable, whoever sent it.
func (d Decision) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(d.Kind == Scale || d.Kind == Shift, "kind %q is not known", d.Kind)
	check(d.Verdict == Propose || d.Verdict == Decline, "verdict %q is not known", d.Verdict)
	check(d.Target.Name != "" && d.Target.Name != UnknownCaller, "it names no target")
	check(!d.MadeAt.IsZero() && d.ValidUntil.After(d.MadeAt), "it is valid until %s, before it was made", d.ValidUntil.UTC().Format(time.RFC3339))
	for _, v := range []float64{d.Current, d.Proposed} {
		check(v >= 0 && v == math.Trunc(v) && v < 1e6, "%v %s cannot be", v, d.Kind.Unit())
	}
	check(d.Kind != Shift || d.Current <= 100 && d.Proposed <= 100, "a share above 100 percent cannot be")
	check(d.Kind != Scale || d.Verdict != Propose || d.Proposed >= 1, "it would take the last replica")
	check(d.ID == d.Identity(), "its id is %s, its content says %s", d.ID, d.Identity())
	return errors.Join(errs...)
}

// Stage is how far an outcome has come with a decision.
type Stage string

// The stages of an outcome.
const (
	StageReported   Stage = "reported"   // it would have been done: dry run
	StageDeclined   Stage = "declined"   // the decision itself asks for nothing
	StageRefused    Stage = "refused"    // a check or guardrail stopped it
	StageSuperseded Stage = "superseded" // another decision won
	StageExpired    Stage = "expired"    // it came too late
)

// DecisionOutcome is what became of a decision. Later issues add stages; a decision has at most one outcome for each.
type DecisionOutcome struct {
	DecisionID string
	Target     Workload  // of the decision; the event is keyed by it, the table does not repeat it
	At         time.Time // in the time of the decision: event time in a replay
	Stage      Stage
	By         string // who: actuator, a person
	Rule       string // the rule that decided, one word
	Reason     string
	Object     string // what would be changed, for example Deployment shop/cart-v1; "" where it is not known
	Before     string // the object as it is, YAML; "" = current state not read
	After      string // the object as it would be, YAML
	Patch      string // JSON Patch (RFC 6902) that leads from Before to After
	Inverse    string // JSON Patch that leads back
	Diff       string // unified diff from Before to After
	Validation string // what checking After said: "valid", or what is wrong
	ReadFrom   string // server or folder that Before was read from
}

// digest is a short, stable hash of fields. 80 bits: a collision among a billion ids has a chance of about 1 in 2 million.
func digest(fields ...string) string {
	h := sha256.New()
	for _, f := range fields {
		h.Write([]byte(strconv.Itoa(len(f)) + ":" + f))
	}
	return hex.EncodeToString(h.Sum(nil)[:10])
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func number(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', -1, 64), ".0") }

// SignedDecision is a decision with the signature over its event, see schemas/wire.
type SignedDecision struct {
	Decision
	Signature string // base64
	KeyID     string
}
