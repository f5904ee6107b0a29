package plan_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

func noon() time.Time { return time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC) }

func newPlanner(t testing.TB) *plan.Planner {
	t.Helper()
	p, err := plan.New(plan.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// calm is a workload at noon that needs its three replicas: nothing is wrong with it, and all of the day is known.
func calm() plan.Input {
	return plan.Input{
		Target:   schemas.Workload{Cluster: "c", Namespace: "shop", Name: "cart", Version: "v1"},
		At:       noon(),
		Load:     28,
		Replicas: 3,
		Outlook:  plan.Outlook{At: noon().Add(10 * time.Minute), Expected: 28, Low: 25, High: 30, OK: true},
		History:  plan.History{Span: 50 * time.Hour, Present: 1440},
		Day:      plan.Day{PeakLoad: 31, Completeness: 1, InstancesMax: 3},
		Fit: capacity.Fit{
			Unit: capacity.CPU, Intercept: 0.025, Slope: 0.05, R2: 0.97, Points: 3000, Bins: 20,
			LoadLow: 1, LoadHigh: 13, RatedLoad: 11.5, Target: 0.6,
		},
		Window: "service_1m/2025-03-04T11:59:00Z/c/shop/cart@v1#0",
	}
}

// quiet is a workload whose eight replicas have little to do: without an objection, four of them go.
func quiet() plan.Input {
	in := calm()
	in.Replicas, in.Day.InstancesMax, in.Load, in.Day.PeakLoad = 8, 8, 15, 20
	in.Outlook.Expected, in.Outlook.Low, in.Outlook.High = 15, 12, 18
	return in
}

// pressed is a workload that is about to need five replicas and runs three.
func pressed() plan.Input {
	in := calm()
	in.Outlook.Expected, in.Outlook.Low, in.Outlook.High = 42, 36, 51
	return in
}

// first is what a planner without memories says.
func first(t testing.TB, in plan.Input) schemas.Decision {
	t.Helper()
	d, ok := newPlanner(t).Decide(in)
	if !ok {
		t.Fatalf("nothing was said about %+v", in)
	}
	if err := d.Validate(); err != nil {
		t.Fatalf("%v: %+v", err, d)
	}
	return d
}

func fact(d schemas.Decision, name string) float64 {
	for _, f := range d.Evidence {
		if f.Name == name {
			return f.Value
		}
	}
	return math.NaN()
}

// sayings are inputs whose decisions are kept word for word in testdata/decisions.golden.
func sayings() []struct {
	name   string
	change func(*plan.Input)
	from   func() plan.Input
} {
	type in = plan.Input
	return []struct {
		name   string
		change func(*plan.Input)
		from   func() plan.Input
	}{
		{"load ahead", func(*in) {}, pressed},
		{"load now", func(i *in) { i.Load = 60 }, pressed},
		{"only load now", func(i *in) { i.Load = 60 }, calm},
		{"load ahead, after midnight", func(i *in) {
			i.At, i.Outlook.At = noon().Add(12*time.Hour-time.Minute), noon().Add(12*time.Hour)
		}, pressed},
		{"load ahead, no window now", func(i *in) { i.Load = math.NaN() }, pressed},
		{"load far ahead", func(i *in) { i.Outlook.Expected, i.Outlook.High = 150, 200 }, pressed},
		{"load ahead, CPU not known", func(i *in) {
			i.Fit = capacity.Fit{
				Unit: capacity.InFlight, Slope: 0.2, R2: 0.9, Points: 3000, Bins: 20, LoadLow: 1, LoadHigh: 12, RatedLoad: 11.5,
				RangeLimited: true,
			}
		}, pressed},
		{"load ahead, latency suffers", func(i *in) {
			i.Fit = capacity.Fit{Unit: capacity.InFlight, Slope: 0.2, R2: 0.9, Points: 3000, Bins: 20, LoadLow: 1, LoadHigh: 20, RatedLoad: 11.5}
		}, pressed},
		{"load ahead, range limited", func(i *in) { i.Fit.RatedLoad, i.Fit.RangeLimited, i.Fit.LoadHigh = 9.9, true, 9 }, pressed},
		{"load ahead, far out of range", func(i *in) { i.Fit.RatedLoad, i.Fit.RangeLimited, i.Fit.LoadHigh = 6.6, true, 6 }, pressed},
		{"over provisioned", func(*in) {}, quiet},
		{"over provisioned, one step", func(i *in) { i.Replicas, i.Day.InstancesMax, i.Day.PeakLoad = 3, 3, 19 }, quiet},
		{"no load at all", func(i *in) { i.Load, i.Day.PeakLoad, i.Outlook.Expected, i.Outlook.High = 0, 0, 0, 0 }, quiet},
		{"hold", func(*in) {}, calm},
		{"hold for the day's peak", func(i *in) { i.Load, i.Outlook.Expected, i.Outlook.High = 10, 10, 12 }, calm},
		{"within tolerance", func(i *in) { i.Outlook.High = 34 }, calm},
		{"short history for fewer", func(i *in) { i.History.Span, i.History.Present = 432*time.Minute, 432 }, quiet},
		{"rejected and silent", func(i *in) { i.Day.Rejected, i.Replicas, i.Day.InstancesMax = true, 6, 8 }, quiet},
		{"short history", func(i *in) { i.History.Span, i.History.Present = 45*time.Minute, 45 }, pressed},
		{"no forecast", func(i *in) { i.Outlook = plan.Outlook{} }, pressed},
		{"no fit", func(i *in) {
			i.Refusal = &capacity.Refusal{Code: "load_hardly_varied", Reason: "load per replica varied by only 3 %"}
		}, pressed},
		{"nobody reports", func(i *in) { i.Replicas = 0 }, pressed},
	}
}

func TestSayings(t *testing.T) {
	var b strings.Builder
	for _, s := range sayings() {
		in := s.from()
		s.change(&in)
		d := first(t, in)
		fmt.Fprintf(&b, "## %s\n%s %s: %v -> %v until %s\n%s\n%s\n\n", s.name, d.Verdict, d.Code, d.Current, d.Proposed,
			d.ValidUntil.Format("15:04"), d.Reason, d.Counterfactual)
	}
	golden := filepath.Join("testdata", "decisions.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("decisions differ from %s; -update writes it anew:\n%s", golden, b.String())
	}
}

func TestDecisionCarriesItsInput(t *testing.T) {
	in := pressed()
	in.Replay = true
	d := first(t, in)
	if d.Kind != schemas.Scale || d.Verdict != schemas.Propose || d.Target != in.Target || d.Current != 3 || d.Proposed != 5 ||
		!d.MadeAt.Equal(noon()) || !d.ValidUntil.Equal(noon().Add(10*time.Minute)) || d.Signal != schemas.SignalLoad ||
		d.Expected != 42 || d.Low != 36 || d.High != 51 || !d.Replay || d.Model != (schemas.Model{Name: "planner", Version: "1"}) ||
		len(d.Inputs) != 1 || d.Inputs[0] != in.Window {
		t.Errorf("%+v", d)
	}
	for name, want := range map[string]float64{
		"load_now": 28, "load_forecast": 42, "load_forecast_high": 51, "load_day_peak": 31, "history_hours": 50, "minutes_present": 1440,
		"completeness_lowest": 1, "instances_day_max": 3, "rated_load": 11.5, "trusted_load": 11.5, "load_seen_low": 1, "load_seen_high": 13,
		"capacity_intercept": 0.025, "capacity_slope": 0.05, "capacity_r2": 0.97, "points": 3000,
		"replicas_needed": 51 * 1.1 / 11.5, "load_that_flips": 3 * 1.1 * 11.5 / 1.1,
	} {
		if got := fact(d, name); !(math.Abs(got-want) < 1e-9) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestWhatCannotBeDecidedIsLeft has inputs that name no time or nobody.
func TestWhatCannotBeDecidedIsLeft(t *testing.T) {
	for name, change := range map[string]func(*plan.Input){
		"no time":        func(i *plan.Input) { i.At = time.Time{} },
		"outside":        func(i *plan.Input) { i.Target.Name = schemas.Outside },
		"unknown caller": func(i *plan.Input) { i.Target.Name = schemas.UnknownCaller },
	} {
		in := pressed()
		change(&in)
		if d, ok := newPlanner(t).Decide(in); ok {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := plan.New(plan.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	for name, change := range map[string]func(*plan.Config){
		"a short day":      func(c *plan.Config) { c.MinHistoryIn = 12 * time.Hour },
		"no last replica":  func(c *plan.Config) { c.MinReplicas = 0 },
		"a lower quantile": func(c *plan.Config) { c.Quantile = 0.1 },
		"a big step":       func(c *plan.Config) { c.MaxStepIn = 0.9 },
	} {
		cfg := plan.DefaultConfig()
		change(&cfg)
		if _, err := plan.New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
