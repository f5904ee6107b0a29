package shift_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect/shift"
	"github.com/weirmesh/weir/schemas"
)

var (
	epoch  = time.Date(2025, 3, 4, 9, 0, 0, 0, time.UTC)
	target = schemas.Workload{Cluster: "c", Namespace: "shop", Name: "checkout", Version: "v2"}
)

func at(i int) time.Time { return epoch.Add(time.Duration(i) * 10 * time.Second) }

func finding(severity schemas.Severity, signal schemas.Signal, started time.Time) schemas.Finding {
	f := schemas.Finding{
		Kind: schemas.FindingErrors, State: schemas.Firing, StartedAt: started, Workload: target, Signal: signal, Severity: severity,
		Observed: 0.35, Expected: 0.01, Low: 0, High: 0.03, Inputs: []string{"service_10s/x"},
		Model: schemas.Model{Name: "residual", Version: "1"},
	}
	if signal == schemas.SignalLatency {
		f.Kind, f.Observed, f.Expected, f.Low, f.High = schemas.FindingLatency, 210, 50, 40, 80
	}
	f.ID = schemas.FindingID(f.Kind, f.Workload, f.Signal, started, f.Model)
	return f
}

// v1 is healthy and v2 is not.
func v1() shift.Version {
	return shift.Version{Name: "v1", Share: 80, PerMinute: 144, Signal: 0.004, Low: 0.001, High: 0.01, PerInstance: 1.2, Seen: 2}
}

func v2() shift.Version {
	return shift.Version{Name: "v2", Share: 20.3, PerMinute: 36, Firing: true, Signal: 0.34, Low: 0.2, High: 0.48, PerInstance: 0.6, Seen: 0.7}
}

func with(v shift.Version, change func(*shift.Version)) shift.Version {
	change(&v)
	return v
}

func TestPropose(t *testing.T) {
	const critical, warning = schemas.SeverityCritical, schemas.SeverityWarning
	firing := func(v *shift.Version) { v.Firing = true }
	seen := func(most float64) func(*shift.Version) { return func(v *shift.Version) { v.Seen = most } }
	signal := func(s float64) func(*shift.Version) { return func(v *shift.Version) { v.Signal = s } }
	missing := func(part float64) func(*shift.Version) { return func(v *shift.Version) { v.Missing = part } }
	all := func(v *shift.Version) { v.Share, v.Seen = 100, 1.2 }
	for _, c := range []struct {
		name     string
		severity schemas.Severity
		base     float64
		versions []shift.Version
		verdict  schemas.Verdict
		code     string
		current  float64
		proposed float64
	}{
		{"critical goes to nothing", critical, 0, []shift.Version{v1(), v2()}, schemas.Propose, "finding", 20, 0},
		{"a warning goes to half", warning, 0, []shift.Version{v1(), v2()}, schemas.Propose, "finding", 20, 10},
		{"of what it had when it began", warning, 30, []shift.Version{v1(), v2()}, schemas.Propose, "finding", 20, 15},
		{"but never up", warning, 60, []shift.Version{v1(), v2()}, schemas.Propose, "finding", 20, 20},
		{"no other version", critical, 0, []shift.Version{v2()}, schemas.Decline, "only_version", 20, 20},
		{
			"another without traffic", critical, 0,
			[]shift.Version{v2(), {Name: "v1", Signal: math.NaN()}},
			schemas.Decline, "only_version", 20, 20,
		},
		{"nothing is known at all", critical, 0, nil, schemas.Decline, "only_version", 0, 0},
		{"another that fires", critical, 0, []shift.Version{with(v1(), firing), v2()}, schemas.Decline, "no_healthy_sibling", 20, 20},
		{"another that is no better", critical, 0, []shift.Version{with(v1(), signal(0.3)), v2()}, schemas.Decline, "no_healthy_sibling", 20, 20},
		{
			"another of which nothing is known", critical, 0,
			[]shift.Version{with(v1(), signal(math.NaN())), v2()},
			schemas.Decline, "no_healthy_sibling", 20, 20,
		},
		{"another at the end of its range", warning, 0, []shift.Version{with(v1(), seen(1.2)), v2()}, schemas.Decline, "sibling_range", 20, 20},
		{
			"another that can take a twentieth more", warning, 0,
			[]shift.Version{with(v1(), seen(1.26)), v2()},
			schemas.Propose, "sibling_range", 20, 17,
		},
		{
			"critical weighs more than the range", critical, 0,
			[]shift.Version{with(v1(), seen(1.26)), v2()},
			schemas.Propose, "finding", 20, 0,
		},
		{
			"but not more than a quarter of it", critical, 0,
			[]shift.Version{with(v1(), func(v *shift.Version) { v.Share, v.Seen = 50, 1.2 }), with(v2(), func(v *shift.Version) { v.Share = 50 })},
			schemas.Propose, "sibling_range", 50, 38,
		},
		{"two others, one of which fires", critical, 0, []shift.Version{
			with(v1(), func(v *shift.Version) { v.Share = 40 }), v2(),
			with(v1(), func(v *shift.Version) { v.Name, v.Share, v.Firing = "v3", 40, true }),
		}, schemas.Propose, "finding", 20, 0},
		{
			"another whose telemetry is incomplete: nobody knows its room", critical, 0,
			[]shift.Version{with(v1(), missing(0.03)), v2()},
			schemas.Decline, "incomplete_telemetry", 20, 20,
		},
		{
			"its own is incomplete: what is not told may have gone well", critical, 0,
			[]shift.Version{v1(), with(v2(), missing(0.03))},
			schemas.Decline, "incomplete_telemetry", 20, 20,
		},
		{
			"hardly anything is missing", critical, 0,
			[]shift.Version{with(v1(), missing(0.01)), with(v2(), missing(0.02))},
			schemas.Propose, "finding", 20, 0,
		},
		{
			"one of two others is incomplete, and the other is at the end of its range", warning, 0,
			[]shift.Version{
				with(v1(), func(v *shift.Version) { v.Share, v.Missing = 40, 0.5 }), v2(),
				with(v1(), func(v *shift.Version) { v.Name, v.Share, v.Seen = "v3", 40, 1.2 }),
			},
			schemas.Decline, "sibling_range", 20, 20,
		},
		{
			"all was shifted already", critical, 20,
			[]shift.Version{with(v1(), all), {Name: "v2", Signal: math.NaN()}},
			schemas.Propose, "finding", 0, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := finding(c.severity, schemas.SignalErrorRate, epoch)
			d := shift.Propose(shift.Case{Finding: f, Versions: c.versions, Base: c.base, At: at(3)})
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			if d.Verdict != c.verdict || d.Code != c.code || d.Current != c.current || d.Proposed != c.proposed {
				t.Errorf("%s %s: %v -> %v; want %s %s: %v -> %v", d.Verdict, d.Code, d.Current, d.Proposed, c.verdict, c.code, c.current, c.proposed)
			}
			if d.Reason == "" || d.Counterfactual == "" || d.Cause == "" || len(d.Inputs) == 0 || len(d.Evidence) < 3 {
				t.Errorf("incomplete: %+v", d)
			}
			for _, v := range []float64{d.Expected, d.Low, d.High} {
				if math.IsNaN(v) || v < 0 {
					t.Errorf("expected %v, from %v to %v", d.Expected, d.Low, d.High)
				}
			}
		})
	}
}

func TestDecisionSaysWhy(t *testing.T) {
	versions := []shift.Version{v1(), v2()}
	d := shift.Propose(shift.Case{Finding: finding(schemas.SeverityCritical, schemas.SignalErrorRate, epoch), Versions: versions, At: at(3)})
	for got, want := range map[string]string{
		d.Reason: "34 % of the calls to checkout@v2 fail, v1 is at 0.4 %: 0 instead of 20 percent of the calls should go there." +
			" v1 would take 1.5 calls/s an instance instead of 1.2; it has carried 2.0.",
		d.Counterfactual: "Without it about 12 of 180 calls a minute keep failing at checkout@v2, with it about 0.",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if d.Expected != 0.004 || d.Low != 0.001 || d.High != 0.01 {
		t.Errorf("the workload will be at %v, %v to %v", d.Expected, d.Low, d.High)
	}
	slow := []shift.Version{
		with(v1(), func(v *shift.Version) { v.Signal, v.Low, v.High = 52, 50, 54 }), with(v2(), func(v *shift.Version) { v.Signal = 210 }),
	}
	d = shift.Propose(shift.Case{Finding: finding(schemas.SeverityWarning, schemas.SignalLatency, epoch), Versions: slow, At: at(3)})
	if !strings.HasPrefix(d.Reason, "The calls to checkout@v2 take 210 ms where 50 ms are usual, v1 is at 52 ms: 10 instead of 20 percent") {
		t.Errorf("reason %s", d.Reason)
	}
	if d.Counterfactual != "Without it about 36 of 180 calls a minute keep taking 210 ms, with it about 18." {
		t.Errorf("counterfactual %s", d.Counterfactual)
	}
	if d.Expected < 65 || d.Expected > 70 {
		t.Errorf("the workload will take %v ms", d.Expected)
	}
}

// No proposal leads a sibling out of the range it has been seen in, or by more than a quarter out of it where the finding is critical.
func TestSiblingsStayInTheirRange(t *testing.T) {
	t.Run("warning", func(t *testing.T) { stayInRange(t, schemas.SeverityWarning, 1) })
	t.Run("critical", func(t *testing.T) { stayInRange(t, schemas.SeverityCritical, 1.25) })
}

func stayInRange(t *testing.T, severity schemas.Severity, stretch float64) {
	for share := 1.0; share < 100; share += 0.7 {
		for seen := 1.0; seen < 4; seen += 0.05 {
			versions := []shift.Version{
				with(v1(), func(v *shift.Version) { v.Share, v.PerInstance, v.Seen = 100-share, 1, seen }),
				with(v2(), func(v *shift.Version) { v.Share = share }),
			}
			d := shift.Propose(shift.Case{Finding: finding(severity, schemas.SignalErrorRate, epoch), Versions: versions, At: at(3)})
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			after := 1 + (share-d.Proposed)/(100-share)
			if d.Verdict == schemas.Propose && d.Proposed < share && after > seen*stretch+1e-9 {
				t.Fatalf("share %.1f, range %.2f: %v percent lead to %.3f", share, seen, d.Proposed, after)
			}
		}
	}
}
