package report_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/schemas"
)

// at is minutes before noon.
func at(minutes int) time.Time { return noon().Add(-time.Duration(minutes) * time.Minute) }

// wish asks for replicas of cart@v1 at some minutes before noon, for 10 minutes.
func wish(minutes int, replicas float64) schemas.SignedDecision {
	d := out()
	d.MadeAt, d.ValidUntil, d.Proposed = at(minutes), at(minutes-10), replicas
	return decision(d)
}

func outcome(d schemas.SignedDecision, stage schemas.Stage, rule string) schemas.DecisionOutcome {
	return schemas.DecisionOutcome{DecisionID: d.ID, At: d.MadeAt, Stage: stage, By: "actuator", Rule: rule, Reason: "because of " + rule}
}

func TestWhatBecomesOfProposals(t *testing.T) {
	no := decision(schemas.Decision{
		Kind: schemas.Scale, Verdict: schemas.Decline, Target: shop("cart", "v1"), MadeAt: at(1), Current: 4, Proposed: 4, Code: "hold",
	})
	cases := []struct {
		name      string
		decisions []schemas.SignedDecision
		outcomes  []schemas.DecisionOutcome
		want      string // proposals with renewals, then refused, superseded, expired, targets without a proposal
		rule      string // of the first row of what was stopped
	}{
		{"one", []schemas.SignedDecision{wish(2, 6)}, nil, "6+0 0 0 0 0", ""},
		{"renewed", []schemas.SignedDecision{wish(2, 6), wish(7, 6), wish(12, 6)}, nil, "6+2 0 0 0 0", ""},
		{
			"renewed, and all of them seen at once",
			[]schemas.SignedDecision{wish(7, 6), wish(2, 6)},
			[]schemas.DecisionOutcome{outcome(wish(7, 6), schemas.StageSuperseded, "newest"), outcome(wish(2, 6), schemas.StageReported, "dry_run")},
			"6+1 0 0 0 0", "",
		},
		{"a gap is no renewal", []schemas.SignedDecision{wish(2, 6), wish(30, 6)}, nil, "6+0 0 0 1 0", ""},
		{"expired", []schemas.SignedDecision{wish(11, 6)}, nil, " 0 0 1 0", ""},
		{"expires now", []schemas.SignedDecision{wish(10, 6)}, nil, " 0 0 1 0", ""},
		{
			"came too late",
			[]schemas.SignedDecision{wish(2, 6)},
			[]schemas.DecisionOutcome{outcome(wish(2, 6), schemas.StageExpired, "expired")},
			" 0 0 1 0", "",
		},
		{"replaced", []schemas.SignedDecision{wish(7, 6), wish(2, 7)}, nil, "7+0 0 1 0 0", "newest"},
		{"there and back", []schemas.SignedDecision{wish(7, 6), wish(5, 7), wish(2, 6)}, nil, "6+0 0 2 0 0", "newest"},
		{
			"refused",
			[]schemas.SignedDecision{wish(2, 6)},
			[]schemas.DecisionOutcome{outcome(wish(2, 6), schemas.StageRefused, "frozen")},
			" 1 0 0 0", "frozen",
		},
		{
			"a refused one replaces nothing",
			[]schemas.SignedDecision{wish(7, 6), wish(2, 7)},
			[]schemas.DecisionOutcome{outcome(wish(2, 7), schemas.StageRefused, "frozen")},
			"6+0 1 0 0 0", "frozen",
		},
		{
			"a refused renewal ends it",
			[]schemas.SignedDecision{wish(7, 6), wish(2, 6)},
			[]schemas.DecisionOutcome{outcome(wish(2, 6), schemas.StageRefused, "frozen")},
			" 1 1 0 0", "frozen",
		},
		{
			"a loser replaces nothing",
			[]schemas.SignedDecision{wish(7, 6), wish(2, 2)},
			[]schemas.DecisionOutcome{outcome(wish(2, 2), schemas.StageSuperseded, "scale_out_first")},
			"6+0 0 1 0 0", "scale_out_first",
		},
		{"a decline supersedes nothing", []schemas.SignedDecision{wish(2, 6), no}, nil, "6+0 0 0 0 0", ""},
		{"declined after it expired", []schemas.SignedDecision{wish(20, 6), no}, nil, " 0 0 1 1", ""},
		{"of the future", []schemas.SignedDecision{wish(-1, 6)}, nil, " 0 0 0 0", ""},
	}
	for _, c := range cases {
		r := report.Build(report.Input{At: noon(), Decisions: c.decisions, Outcomes: c.outcomes})
		got := ""
		for _, p := range r.Proposals {
			got += fmt.Sprintf("%v+%d", p.Proposed, p.Renewals)
		}
		got += fmt.Sprintf(" %d %d %d %d", r.Counts.Refused, r.Counts.Superseded, r.Counts.Expired, r.Counts.Targets)
		rule := ""
		if len(r.Stopped) > 0 {
			rule = r.Stopped[0].Rule
		}
		if got != c.want || rule != c.rule {
			t.Errorf("%s: got %q by %q, want %q by %q", c.name, got, rule, c.want, c.rule)
		}
	}
}

func TestOrderOfUrgency(t *testing.T) {
	scale := func(name string, from, to float64) schemas.SignedDecision {
		d := out()
		d.Target, d.Current, d.Proposed = shop(name, ""), from, to
		return decision(d)
	}
	warned := failing()
	warned.Severity, warned.ID = schemas.SeverityWarning, "f-warned"
	over := failing()
	over.State, over.ID = schemas.Resolved, "f-over"
	caused := func(name, cause string) schemas.SignedDecision {
		d := shift()
		d.Target, d.Cause = shop(name, "v2"), cause
		return decision(d)
	}
	r := report.Build(report.Input{
		At: noon(), Findings: []schemas.Finding{failing(), warned, over},
		Decisions: []schemas.SignedDecision{
			scale("saves-one", 3, 2), scale("saves-three", 9, 6), scale("half-more", 4, 6), scale("doubles", 2, 4), scale("halves", 2, 1),
			caused("warned", "f-warned"), caused("critical", failing().ID),
		},
	})
	var got []string
	for i, p := range r.Proposals {
		got = append(got, p.Target.Name+": "+p.Urgency)
		if p.Rank != i+1 {
			t.Errorf("%s has rank %d", p.Target.Name, p.Rank)
		}
	}
	want := []string{
		"critical: critical finding", "warned: finding", "doubles: more capacity", "half-more: more capacity", "saves-three: less capacity",
		"halves: less capacity", "saves-one: less capacity",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r = report.Build(report.Input{
		At: noon(), Findings: []schemas.Finding{over}, Decisions: []schemas.SignedDecision{caused("over", "f-over")},
	})
	if p := r.Proposals[0]; p.Urgency != report.UrgencyTraffic || p.Cause.State != "resolved" {
		t.Errorf("a finding that is over makes nothing urgent: %s, %s", p.Urgency, p.Cause.State)
	}
}

func TestNamesStandForOne(t *testing.T) {
	named := func(w schemas.Workload) schemas.SignedDecision {
		d := out()
		d.Target = w
		return decision(d)
	}
	east := shop("cart", "v1")
	east.Region = "east"
	other := shop("pay", "v1")
	other.Namespace = "bank"
	far := shop("mail", "")
	far.Cluster = "c2"
	r := report.Build(report.Input{At: noon(), Decisions: []schemas.SignedDecision{
		named(shop("cart", "v1")), named(shop("cart", "v2")), named(east), named(shop("pay", "v1")), named(other), named(shop("ads", "")),
		named(far), named(shop("mail", "")),
	}})
	got := map[string]bool{}
	for _, p := range r.Proposals {
		if got[p.Target.Versioned()] {
			t.Errorf("two targets are called %s", p.Target.Versioned())
		}
		got[p.Target.Versioned()] = true
	}
	for _, want := range []string{
		"//c1/shop/cart@v1", "/east/c1/shop/cart@v1", "bank/pay@v1", "shop/pay@v1", "ads", "c1/shop/mail", "c2/shop/mail",
	} {
		if !got[want] {
			t.Errorf("nothing is called %s: %v", want, got)
		}
	}
}

func TestManyReasonsBecomeFew(t *testing.T) {
	in := report.Input{At: noon(), Limit: 5}
	for i := range 40 {
		code := []string{"poor_fit", "no_slope"}[i%2]
		in.Decisions = append(in.Decisions, decline(shop(fmt.Sprint("w", i), ""), code, fmt.Sprint("R2 is 0.", i)))
	}
	r := report.Build(in)
	if len(r.Declined) != 2 || r.Counts.Targets != 40 {
		t.Fatalf("%d rows for %d targets", len(r.Declined), r.Counts.Targets)
	}
	if d := r.Declined[0]; d.Count != 20 || !d.Example || len(d.Targets) != 6 {
		t.Errorf("%+v", d)
	}
	if text := render(t, report.Markdown, in); !strings.Contains(text, "and 14 more") || !strings.Contains(text, "for example: R2 is") {
		t.Error(text)
	}
}

// TestClaimsOnlyWhatIsKnown has an outcome of a stage that is none of a dry run.
func TestClaimsOnlyWhatIsKnown(t *testing.T) {
	in := demo()
	in.Outcomes = append(in.Outcomes, outcome(in.Decisions[0], "applied", "approved"))
	if r := report.Build(in); strings.Contains(r.Digest, "nothing was changed") {
		t.Error(r.Digest)
	}
}

func TestMissingValuesAreMissing(t *testing.T) {
	d := out()
	d.Expected, d.Low, d.High = math.NaN(), math.NaN(), math.Inf(1)
	d.Evidence = []schemas.Fact{{Name: "load_now", Value: math.NaN(), Unit: "calls/s"}}
	r := report.Build(report.Input{
		At: noon(), Decisions: []schemas.SignedDecision{decision(d)},
		Series: map[report.Key]chart.Series{{Workload: shop("cart", ""), Signal: schemas.SignalLoad}: {
			Actual: []chart.Value{{At: at(3), Value: 2}, {At: at(2), Value: math.NaN()}, {At: at(1), Value: 3}},
		}},
	})
	p := r.Proposals[0]
	if p.Expects.Expected != nil || p.Expects.Text != "" || p.Evidence[0].Value != nil || p.Evidence[0].Text != "unknown" {
		t.Errorf("%+v %+v", p.Expects, p.Evidence)
	}
	if p.Chart == nil || len(p.Chart.Points) != 3 || p.Chart.Points[1].Actual != nil || *p.Chart.Points[2].Actual != 3 {
		t.Errorf("%+v", p.Chart)
	}
}

// TestLimitedByARule shows that a proposal was lowered, and by what.
func TestLimitedByARule(t *testing.T) {
	d := wish(2, 20)
	o := rendered(d, "Deployment shop/cart-v1", "/spec/replicas")
	o.Rule, o.Reason = "max_step_out", "Dry run: Deployment shop/cart-v1 would get 8 replicas instead of 4."
	text := render(t, report.Markdown, report.Input{
		At: noon(), Decisions: []schemas.SignedDecision{d}, Outcomes: []schemas.DecisionOutcome{o},
	})
	if !strings.Contains(text, "would get 8 replicas instead of 4. Limited by rule max step out.") {
		t.Error(text)
	}
}
