package report

import (
	"cmp"

	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

func action(d schemas.Decision) string { return say.Action(d) }

func (b *builder) proposal(rank int, c chain) Proposal {
	d := c.last
	_, urgency := b.urgency(d.Decision)
	p := Proposal{
		Rank: rank, DecisionID: d.ID, Kind: string(d.Kind), Target: b.names.of(d.Target), Action: action(d.Decision),
		Current: plain(d.Current), Proposed: plain(d.Proposed), Unit: d.Kind.Unit(), Urgency: urgency,
		Code: d.Code, Reason: d.Reason, Counterfactual: d.Counterfactual,
		Since: c.since.UTC(), MadeAt: d.MadeAt.UTC(), ValidUntil: d.ValidUntil.UTC(), Renewals: c.renewals,
		Expects: expects(d.Signal, d.Expected, d.Low, d.High), Evidence: say.Facts(d.Evidence), Change: change(c.outcome),
		Model: d.Model.Name, ModelVersion: d.Model.Version, KeyID: d.KeyID, Replay: d.Replay,
	}
	if d.Cause != "" {
		p.Cause = b.cause(d.Cause)
	}
	p.Chart = b.chartOf(d.Decision)
	return p
}

func (b *builder) cause(id string) *Cause {
	f, known := b.findings[id]
	if !known {
		return &Cause{FindingID: id}
	}
	return &Cause{id, string(f.State), say.Severity(f.Severity), utc(f.StartedAt), f.Explanation}
}

// change is what the actuator found it would change.
func change(o *schemas.DecisionOutcome) Change {
	if o == nil {
		return Change{State: ChangeNotChecked}
	}
	c := Change{
		State: ChangeRendered, Object: o.Object, Rule: o.Rule, Reason: o.Reason, Diff: o.Diff, Patch: o.Patch, Inverse: o.Inverse,
		Validation: o.Validation, ReadFrom: o.ReadFrom, Command: say.Patch(o.Object, o.Patch), Undo: say.Patch(o.Object, o.Inverse),
	}
	if o.Before == "" {
		c.State = ChangeNotRead
	}
	return c
}

func expects(s schemas.Signal, expected, low, high float64) Interval {
	i := Interval{string(s), say.Finite(expected), say.Finite(low), say.Finite(high), say.SignalUnit(s), ""}
	if s == "" || i.Expected == nil {
		return i
	}
	i.Text = say.Signal(s) + " " + say.Quantity(expected, i.Unit)
	if i.Low != nil && i.High != nil {
		i.Text += " (" + say.Between(low, high, i.Unit) + ")"
	}
	return i
}

// plain is 0 for what is no number: decisions that were checked have none.
func plain(v float64) float64 {
	if p := say.Finite(v); p != nil {
		return *p
	}
	return 0
}

// chartOf shows what a decision rests on: the signal of the finding that caused it, or the load of its target.
func (b *builder) chartOf(d schemas.Decision) *chart.Chart {
	if f, known := b.findings[d.Cause]; known {
		return b.chartOfFinding(f)
	}
	if d.Signal == "" {
		return nil
	}
	s, known := b.in.Series[Key{d.Target, d.Signal}]
	if !known {
		s, known = b.in.Series[Key{d.Target.Unversioned(), d.Signal}]
	}
	if !known {
		return nil
	}
	return draw(s, chart.Chart{
		Title: say.Signal(d.Signal) + " of " + b.names.of(d.Target).Name, Signal: string(d.Signal),
		Band: "forecast", Marks: []chart.Mark{{At: d.MadeAt.UTC(), Label: "proposed"}},
	})
}

// chartOfFinding shows the signal with what was expected since the finding began.
func (b *builder) chartOfFinding(f schemas.Finding) *chart.Chart {
	s, known := b.in.Series[Key{f.Workload, f.Signal}]
	if !known {
		return nil
	}
	if len(s.Forecast) == 0 {
		s = s.Expect(chart.Bounds{From: f.StartedAt, To: cmp.Or(f.ResolvedAt, f.UpdatedAt), Low: f.Low, Expected: f.Expected, High: f.High})
	}
	marks := []chart.Mark{{At: f.StartedAt.UTC(), Label: "finding began"}}
	if f.State == schemas.Resolved {
		marks = append(marks, chart.Mark{At: utc(f.ResolvedAt), Label: "resolved"})
	}
	return draw(s, chart.Chart{
		Title: say.Signal(f.Signal) + " of " + b.names.of(f.Workload).Versioned(), Signal: string(f.Signal), Band: "expected", Marks: marks,
	})
}

// draw fills the points in; nil if there are none.
func draw(s chart.Series, c chart.Chart) *chart.Chart {
	c.Unit, c.LowQuantile, c.HighQuantile = say.SignalUnit(schemas.Signal(c.Signal)), plain(s.LowQuantile), plain(s.HighQuantile)
	points, step, folded := s.Fold(maxPoints)
	c.Points, c.StepSeconds, c.Folded = points, step.Seconds(), folded
	if len(points) == 0 || step <= 0 {
		return nil
	}
	if len(s.Forecast) == 0 {
		c.Band = ""
	}
	return &c
}
