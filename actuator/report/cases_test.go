package report_test

import (
	"fmt"
	"math"
	"time"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/schemas"
)

// noon is "now" of the cases.
func noon() time.Time { return time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC) }

func shop(name, version string) schemas.Workload {
	return schemas.Workload{Cluster: "c1", Namespace: "shop", Name: name, Version: version}
}

// decision fills in what is not given and makes the id that belongs to it.
func decision(d schemas.Decision) schemas.SignedDecision {
	if d.Verdict == "" {
		d.Verdict = schemas.Propose
	}
	if d.ValidUntil.IsZero() {
		d.ValidUntil = d.MadeAt.Add(10 * time.Minute)
	}
	if d.Model.Name == "" {
		d.Model = schemas.Model{Name: "planner", Version: "1"}
	}
	d.ID = d.Identity()
	return schemas.SignedDecision{Decision: d, Signature: "c2lnbmVk", KeyID: "k-7f3a"}
}

// renewed is the same proposal n times, the last made at d.MadeAt.
func renewed(d schemas.Decision, n int, every time.Duration) []schemas.SignedDecision {
	var out []schemas.SignedDecision
	length := d.ValidUntil.Sub(d.MadeAt)
	for i := n - 1; i >= 0; i-- {
		e := d
		e.MadeAt = d.MadeAt.Add(-time.Duration(i) * every)
		e.ValidUntil = e.MadeAt.Add(length)
		out = append(out, decision(e))
	}
	return out
}

func failing() schemas.Finding {
	f := schemas.Finding{
		Kind: schemas.FindingErrors, State: schemas.Firing, Revision: 3, StartedAt: noon().Add(-22 * time.Minute),
		UpdatedAt: noon().Add(-10 * time.Second), Workload: shop("checkout", "v2"), Signal: schemas.SignalErrorRate,
		Observed: 0.1834, Expected: 0.004, Low: 0, High: 0.0161, Score: 31.4, Threshold: 6, Severity: schemas.SeverityCritical,
		Explanation: "18 % of calls to v2 fail, 0.4 % was expected; v1 is as before",
		Evidence: []schemas.Fact{
			{Name: "windows", Value: 3},
			{Name: "calls", Value: 2246},
			{Name: "failed_calls", Value: 412},
			{Name: "pooled", Value: 0.183437, Unit: "share"},
			{Name: "usual", Value: 0.004, Unit: "share"},
		},
		Inputs: []string{"service_10s/2025-03-04T11:59:40Z/c1/shop/checkout@v2#0", "service_10s/2025-03-04T11:59:50Z/c1/shop/checkout@v2#0"},
		Model:  schemas.Model{Name: "ewma", Version: "1"},
	}
	f.ID = schemas.FindingID(f.Kind, f.Workload, f.Signal, f.StartedAt, f.Model)
	f.IncidentID = f.ID
	return f
}

func slow() schemas.Finding {
	f := failing()
	f.Kind, f.State, f.Signal, f.Severity = schemas.FindingLatency, schemas.Resolved, schemas.SignalLatency, schemas.SeverityWarning
	f.Workload = shop("search", "v1")
	f.StartedAt, f.ResolvedAt = noon().Add(-3*time.Hour), noon().Add(-160*time.Minute)
	f.UpdatedAt = f.ResolvedAt
	f.Observed, f.Expected, f.Low, f.High = 48.2, 47, 39.5, 55
	f.ID = schemas.FindingID(f.Kind, f.Workload, f.Signal, f.StartedAt, f.Model)
	return f
}

func shift() schemas.Decision {
	return schemas.Decision{
		Kind: schemas.Shift, Target: shop("checkout", "v2"), MadeAt: noon().Add(-2 * time.Minute), ValidUntil: noon().Add(8 * time.Minute),
		Current: 20, Proposed: 0, Signal: schemas.SignalErrorRate, Expected: 0.0041, Low: 0.002, High: 0.0162, Code: "finding",
		Reason: "v2 fails 18 % of its calls and v1 0.4 %", Cause: failing().ID,
		Counterfactual: "with v2 at 20 % about 44 calls a minute keep failing",
		Evidence: []schemas.Fact{
			{Name: "windows", Value: 3},
			{Name: "calls", Value: 2246},
			{Name: "failed_calls", Value: 412},
			{Name: "pooled", Value: 0.183437, Unit: "share"},
			{Name: "usual", Value: 0.004, Unit: "share"},
		},
		Inputs: failing().Inputs, Model: schemas.Model{Name: "ewma", Version: "1"},
	}
}

func out() schemas.Decision {
	return schemas.Decision{
		Kind: schemas.Scale, Target: shop("cart", "v1"), MadeAt: noon().Add(-time.Minute), ValidUntil: noon().Add(9 * time.Minute),
		Current: 4, Proposed: 6, Signal: schemas.SignalLoad, Expected: 118.21, Low: 96.4, High: 141.9, Code: "load_ahead",
		Reason:         "142 calls/s are likely enough by 12:14, and 4 replicas carry 104",
		Counterfactual: "with 4 replicas each would get 35.5 calls/s, and none has been seen to carry more than 26",
		Evidence: []schemas.Fact{
			{Name: "load_now", Value: 98.53, Unit: "calls/s"},
			{Name: "load_forecast_high", Value: 141.9, Unit: "calls/s"},
			{Name: "history_hours", Value: 26, Unit: "h"},
			{Name: "completeness_lowest", Value: 1},
			{Name: "rated_load", Value: 26.02, Unit: "calls/s"},
			{Name: "capacity_slope", Value: 0.0221, Unit: "cpu per calls/s"},
			{Name: "capacity_r2", Value: 0.9731},
			{Name: "replicas_needed", Value: 5.453, Unit: "replicas"},
		},
		Inputs: []string{"service_1m/2025-03-04T11:58:00Z/c1/shop/cart#0"},
	}
}

func in() schemas.Decision {
	return schemas.Decision{
		Kind: schemas.Scale, Target: shop("ads", "v3"), MadeAt: noon().Add(-5 * time.Minute), ValidUntil: noon().Add(55 * time.Minute),
		Current: 8, Proposed: 5, Signal: schemas.SignalLoad, Expected: 12.2, Low: 8.05, High: 19.97, Code: "over_provisioned",
		Reason: "the last 24 h never needed more than 5 replicas", Counterfactual: "3 replicas stay idle",
		Evidence: []schemas.Fact{
			{Name: "load_day_peak", Value: 21.4, Unit: "calls/s"}, {Name: "history_hours", Value: 26, Unit: "h"},
		},
	}
}

func decline(w schemas.Workload, code, reason string) schemas.SignedDecision {
	return decision(schemas.Decision{
		Kind: schemas.Scale, Verdict: schemas.Decline, Target: w, MadeAt: noon().Add(-20 * time.Minute), ValidUntil: noon().Add(40 * time.Minute),
		Current: 2, Proposed: 2, Code: code, Reason: reason,
	})
}

func rendered(d schemas.SignedDecision, object, path string) schemas.DecisionOutcome {
	return schemas.DecisionOutcome{
		DecisionID: d.ID, At: d.MadeAt, Stage: schemas.StageReported, By: "actuator", Rule: "dry_run",
		Reason: fmt.Sprintf("Dry run: %s would get %v %s instead of %v.", object, d.Proposed, d.Kind.Unit(), d.Current),
		Object: object, Before: "spec: before\n", After: "spec: after\n",
		Patch: patch(path, d.Current, d.Proposed), Inverse: patch(path, d.Proposed, d.Current),
		Diff: fmt.Sprintf("--- %s as it is\n+++ %s as proposed\n@@ -5,5 +5,5 @@\n   labels:\n     app: cart\n spec:\n"+
			"-  replicas: %v\n+  replicas: %v\n   selector:\n",
			object, object, d.Current, d.Proposed),
		Validation: "valid", ReadFrom: "manifests in deploy/shop",
	}
}

func patch(path string, from, to float64) string {
	const op = `{"op":%q,"path":%q,"value":%v}`
	return "[\n" + fmt.Sprintf(op, "test", path, from) + ",\n" + fmt.Sprintf(op, "replace", path, to) + "\n]"
}

// loadOf goes up for an hour and a half, with two minutes missing, and is forecast for 15 minutes more.
func loadOf(top float64) chart.Series {
	s := chart.Series{LowQuantile: 0.05, HighQuantile: 0.95}
	for i := -75; i <= 15; i++ {
		at, level := noon().Add(time.Duration(i)*time.Minute), top*(0.75+0.2*math.Sin(float64(i)/28))
		if i <= -1 && i != -40 && i != -41 {
			s.Actual = append(s.Actual, chart.Value{At: at, Value: level + top*0.03*math.Sin(float64(i*i))})
		}
		if i > -30 {
			wide := top * 0.06 * (1 + math.Max(0, float64(i))/8)
			s.Forecast = append(s.Forecast, chart.Band{At: at, Low: level - wide, Median: level, High: level + wide})
		}
	}
	return s
}

// errorsOf is quiet and then fails, by 10 s windows.
func errorsOf() chart.Series {
	var s chart.Series
	for i := -360; i <= 0; i++ {
		v := 0.004 + 0.004*math.Sin(float64(i))
		if i > -132 {
			v = 0.18 + 0.03*math.Sin(float64(i)/5)
		}
		s.Actual = append(s.Actual, chart.Value{At: noon().Add(time.Duration(i) * 10 * time.Second), Value: v})
	}
	return s
}

// demo is a shift caused by a finding, a scale-out, a scale-in, and three declines.
func demo() report.Input {
	shifts, outs, ins := renewed(shift(), 4, 5*time.Minute), renewed(out(), 2, 5*time.Minute), renewed(in(), 3, 30*time.Minute)
	in := report.Input{
		At: noon(), From: noon().Add(-6 * time.Hour), DataFrom: noon().Add(-26 * time.Hour), DataTo: noon(), Limit: 10,
		Findings: []schemas.Finding{slow(), failing()},
		Decisions: []schemas.SignedDecision{
			decline(shop("search", "v1"), "insufficient_history", "7.2 h of 24 h"),
			decline(shop("pay", "v1"), "insufficient_history", "7.2 h of 24 h"),
			decline(shop("mail", ""), "load_hardly_varied", "load per replica varied by only 3 %, between 1 and 1.03 calls/s"),
		},
		Series: map[report.Key]chart.Series{
			{Workload: shop("checkout", "v2"), Signal: schemas.SignalErrorRate}: errorsOf(),
			{Workload: shop("cart", ""), Signal: schemas.SignalLoad}:            loadOf(120),
			{Workload: shop("ads", "v3"), Signal: schemas.SignalLoad}:           loadOf(16),
		},
	}
	for _, group := range [][]schemas.SignedDecision{shifts, outs, ins} {
		in.Decisions = append(in.Decisions, group...)
	}
	in.Outcomes = append(in.Outcomes,
		rendered(shifts[3], "VirtualService shop/checkout", "/spec/http/0/route/1/weight"),
		rendered(outs[1], "Deployment shop/cart-v1", "/spec/replicas"), rendered(ins[2], "Deployment shop/ads-v3", "/spec/replicas"))
	refused := in.Decisions[0]
	refused.Decision = shift()
	refused.Target, refused.Current, refused.Proposed, refused.Cause = shop("pay", "v1"), 50, 10, "f-unknown"
	refused = decision(refused.Decision)
	in.Decisions = append(in.Decisions, refused)
	in.Outcomes = append(in.Outcomes, schemas.DecisionOutcome{
		DecisionID: refused.ID, At: refused.MadeAt, Stage: schemas.StageRefused, By: "actuator", Rule: "owned",
		Reason: "Rollout shop/pay changes the weights.",
	})
	return in
}

func empty() report.Input {
	return report.Input{At: noon(), DataFrom: noon().Add(-432 * time.Minute), DataTo: noon()}
}

// unread is a scale-out whose object could not be read, and one that the actuator has not come to.
func unread() report.Input {
	d, e := decision(out()), out()
	e.Target = shop("front", "")
	return report.Input{
		At: noon(), DataFrom: noon().Add(-26 * time.Hour), DataTo: noon(), Replay: true,
		Decisions: []schemas.SignedDecision{d, decision(e)},
		Outcomes: []schemas.DecisionOutcome{{
			DecisionID: d.ID, At: d.MadeAt, Stage: schemas.StageReported, By: "actuator", Rule: "dry_run",
			Reason: "Dry run: c1/shop/cart@v1 would get 6 replicas instead of 4. " +
				"Current state not read: neither a folder of manifests nor a kubeconfig is configured.",
		}},
	}
}

// lapsed is the demo three hours later, when everything has expired.
func lapsed() report.Input {
	in := demo()
	in.At = noon().Add(3 * time.Hour)
	in.Findings, in.Series = in.Findings[:1], nil
	return in
}
