package why

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// Explanation is why there is a decision or finding. Times are event time in UTC.
type Explanation struct {
	ID             string     `json:"id"`
	Kind           string     `json:"kind"`   // decision or finding
	Title          string     `json:"title"`  // what, of whom
	Status         string     `json:"status"` // how it stands, in a sentence
	Reason         string     `json:"reason"`
	Expects        string     `json:"expects"` // expected against observed, for people
	Counterfactual string     `json:"counterfactual"`
	Chain          []Step     `json:"chain"` // what led to what, the first cause first
	Facts          []say.Fact `json:"facts"`
	Inputs         []string   `json:"inputs"`  // window ids
	Queries        []Query    `json:"queries"` // for `weir query`
	Model          string     `json:"model"`
	ModelVersion   string     `json:"model_version"`
	KeyID          string     `json:"key_id"` // of the key that signed the decision; "" = not signed
	Signature      string     `json:"signature"`
	Replay         bool       `json:"replay"`
}

// Step is one link of the chain.
type Step struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // windows, finding, decision, outcome
	ID   string    `json:"id"`   // of the finding or decision
	Rule string    `json:"rule"` // of an outcome: the rule that decided
	Text string    `json:"text"`
}

// ExplainDecision explains d by the revisions of the finding that caused it, none if none did, and by its outcomes, in any order.
func ExplainDecision(d schemas.SignedDecision, cause []schemas.Finding, outcomes []schemas.DecisionOutcome) Explanation {
	title := d.Target.Versioned() + ": " + say.Action(d.Decision)
	if d.Verdict == schemas.Decline {
		title = d.Target.Versioned() + ": no proposal about its " + say.Subject(d.Kind) + ", " + say.Words(d.Code)
	}
	e := Explanation{
		ID: d.ID, Kind: "decision", Title: title, Status: status(d, outcomes), Reason: d.Reason, Counterfactual: d.Counterfactual,
		Expects: interval(d.Signal, d.Expected, d.Low, d.High), Facts: say.Facts(d.Evidence),
		Inputs: texts(d.Inputs), Queries: queries(d.Inputs),
		Model: d.Model.Name, ModelVersion: d.Model.Version, KeyID: d.KeyID, Signature: d.Signature, Replay: d.Replay, Chain: []Step{},
	}
	if f, known := standing(cause, d.MadeAt); known {
		e.windows(f.Inputs, f.UpdatedAt)
		e.finding(f)
	} else if d.Cause != "" {
		e.step(d.MadeAt, "finding", d.Cause, "the finding itself is not in the store")
	}
	e.windows(d.Inputs, d.MadeAt)
	e.decision(d)
	for _, o := range slices.SortedFunc(slices.Values(outcomes), sooner) {
		e.outcome(o)
	}
	return e
}

// ExplainFinding explains a finding by its revisions, in any order, and the decisions it led to. It fails without a revision.
func ExplainFinding(revisions []schemas.Finding, ledTo []schemas.SignedDecision) (Explanation, error) {
	if len(revisions) == 0 {
		return Explanation{}, errors.New("explain finding: there is no revision of it")
	}
	all := slices.SortedFunc(slices.Values(revisions), func(a, b schemas.Finding) int { return cmp.Compare(a.Revision, b.Revision) })
	f := all[len(all)-1]
	e := Explanation{
		ID: f.ID, Kind: "finding", Title: f.Workload.Versioned() + ": " + say.Words(string(f.Kind)), Reason: f.Explanation,
		Status:  say.Line(string(f.State)) + ", " + say.Severity(f.Severity) + ", since " + say.Moment(f.StartedAt) + " UTC",
		Expects: against(f), Facts: say.Facts(f.Evidence), Inputs: texts(f.Inputs), Queries: queries(f.Inputs),
		Model: f.Model.Name, ModelVersion: f.Model.Version, Chain: []Step{},
	}
	e.windows(all[0].Inputs, all[0].UpdatedAt)
	for _, revision := range all {
		e.finding(revision)
	}
	for _, d := range slices.SortedFunc(slices.Values(ledTo), func(a, b schemas.SignedDecision) int {
		return cmp.Or(a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.ID, b.ID))
	}) {
		e.decision(d)
	}
	slices.SortStableFunc(e.Chain, func(a, b Step) int { return a.At.Compare(b.At) })
	return e, nil
}

// JSON writes an explanation for programs, indented, with a line feed at the end.
func JSON(w io.Writer, e Explanation) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		return fmt.Errorf("write explanation: %w", err)
	}
	return nil
}

// standing is the finding as it stood at the given time.
func standing(revisions []schemas.Finding, at time.Time) (schemas.Finding, bool) {
	var found schemas.Finding
	for _, f := range revisions {
		if !f.UpdatedAt.After(at) && f.Revision > found.Revision {
			found = f
		}
	}
	return found, found.Revision > 0
}

func status(d schemas.SignedDecision, outcomes []schemas.DecisionOutcome) string {
	text := fmt.Sprintf("made at %s, valid until %s UTC", say.Moment(d.MadeAt), say.Clock(d.ValidUntil, d.MadeAt))
	if len(outcomes) == 0 {
		return text + "; the actuator has not come to it"
	}
	last := slices.MaxFunc(outcomes, sooner)
	return text + "; " + stage(last.Stage)
}

// stage says what became of a decision.
func stage(s schemas.Stage) string {
	switch s {
	case schemas.StageReported:
		return "it would have been done, nothing was (dry run)"
	case schemas.StageDeclined:
		return "it asks for nothing"
	case schemas.StageSuperseded:
		return "another decision counts"
	case schemas.StageExpired:
		return "it came too late"
	}
	return say.Words(string(s))
}

func sooner(a, b schemas.DecisionOutcome) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.By, b.By))
}

func interval(s schemas.Signal, expected, low, high float64) string {
	if s == "" {
		return ""
	}
	unit := say.SignalUnit(s)
	return say.Signal(s) + " " + say.Quantity(expected, unit) + " (" + say.Between(low, high, unit) + ")"
}

// against is what was observed beside what had been expected, with the score that decides.
func against(f schemas.Finding) string {
	unit := say.SignalUnit(f.Signal)
	return fmt.Sprintf("%s %s, expected %s (%s); score %s, fires from %s", say.Signal(f.Signal), say.Quantity(f.Observed, unit),
		say.Quantity(f.Expected, unit), say.Between(f.Low, f.High, unit), say.Number(f.Score), say.Number(f.Threshold))
}

func texts(in []string) []string { return append([]string{}, in...) }

func (e *Explanation) step(at time.Time, kind, id, text string) {
	if !at.IsZero() {
		at = at.UTC()
	}
	e.Chain = append(e.Chain, Step{At: at, Kind: kind, ID: id, Text: text})
}

func (e *Explanation) windows(inputs []string, at time.Time) {
	if len(inputs) > 0 {
		e.step(at, "windows", "", span(inputs))
	}
}

func (e *Explanation) finding(f schemas.Finding) {
	text := fmt.Sprintf("revision %d, %s, %s: %s", f.Revision, say.Line(string(f.State)), say.Severity(f.Severity), against(f))
	e.step(f.UpdatedAt, "finding", f.ID, text)
}

func (e *Explanation) decision(d schemas.SignedDecision) {
	text := say.Action(d.Decision)
	if d.Verdict == schemas.Decline {
		text = "nothing is proposed"
	}
	e.step(d.MadeAt, "decision", d.ID, text+" ("+say.Words(d.Code)+"), valid until "+say.Clock(d.ValidUntil, d.MadeAt))
}

func (e *Explanation) outcome(o schemas.DecisionOutcome) {
	text := []string{say.Words(string(o.Stage)) + " by " + say.Line(o.By)}
	if o.Object != "" {
		text = append(text, say.Line(o.Object))
	}
	if o.Reason != "" {
		text = append(text, say.Line(o.Reason))
	}
	if o.Validation != "" {
		text = append(text, "validation: "+say.Line(o.Validation))
	}
	e.step(o.At, "outcome", "", strings.Join(text, "; "))
	e.Chain[len(e.Chain)-1].Rule = o.Rule
}
