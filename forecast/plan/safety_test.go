package plan_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/schemas"
)

// rules lists everything that forbids taking replicas away, with what breaks it.
func rules() []struct {
	code, words string
	breakIt     func(*plan.Input)
} {
	type in = plan.Input
	return []struct {
		code, words string
		breakIt     func(*plan.Input)
	}{
		{"insufficient_history", "only 23.5 h of 24 h of history", func(i *in) { i.History.Span = 23*time.Hour + 30*time.Minute }},
		{"missing_minutes", "only 1367 of the last 24 h's 1440 minutes have been seen", func(i *in) { i.History.Present = 1367 }},
		{"incomplete_telemetry", "telemetry was 97.9 % complete at its worst in the last 24 h", func(i *in) { i.Day.Completeness = 0.979 }},
		{"incomplete_telemetry", "how complete telemetry was", func(i *in) { i.Day.Completeness = math.NaN() }},
		{"incomplete_telemetry", "no load has been seen in the last minute", func(i *in) { i.Load = math.NaN() }},
		{"incomplete_telemetry", "the busiest minute of the last 24 h is not known", func(i *in) { i.Day.PeakLoad = math.NaN() }},
		{"incomplete_telemetry", "more versions were named in the last 24 h than can be told apart", func(i *in) { i.Day.Unnamed = true }},
		{"instances_silent", "only 8 of the 9 instances that ran at once in the last 24 h report", func(i *in) { i.Day.InstancesMax = 9 }},
		{"calls_rejected", "calls were rejected here or upstream", func(i *in) { i.Day.Rejected = true }},
		{"acted_on", "an action of Weir touched the last 24 h", func(i *in) { i.Day.ActedOn = true }},
		{"finding", "a finding was firing in the last 24 h", func(i *in) { i.Day.Finding = true }},
		{
			"out_of_range", "4 replicas would get up to 5.5 calls/s each with 10 % headroom, and no more than 2 have been seen",
			func(i *in) { i.Fit.LoadHigh, i.Fit.RangeLimited, i.Fit.RatedLoad = 2, true, 11.5 },
		},
	}
}

func TestEachRuleForbidsFewerReplicas(t *testing.T) {
	if d := first(t, quiet()); !d.Reduces() {
		t.Fatalf("without an objection: %+v", d)
	}
	for _, r := range rules() {
		in := quiet()
		r.breakIt(&in)
		d := first(t, in)
		if d.Verdict != schemas.Decline || d.Code != r.code || !strings.Contains(d.Reason, r.words) || d.Proposed != 8 {
			t.Errorf("%s: %s %s %v: %s", r.words, d.Verdict, d.Code, d.Proposed, d.Reason)
		}
	}
}

// TestForecastAloneTakesNothing has a forecast of next to nothing after a busy day.
func TestForecastAloneTakesNothing(t *testing.T) {
	in := calm()
	in.Load, in.Outlook.Expected, in.Outlook.Low, in.Outlook.High = 0.1, 0.1, 0, 0.2
	if d := first(t, in); d.Proposed != 3 || d.Code != plan.Hold {
		t.Errorf("%+v", d)
	}
	in = quiet()
	in.Outlook = plan.Outlook{}
	if d := first(t, in); d.Proposed != 8 || d.Code != plan.NoForecast {
		t.Errorf("%+v", d)
	}
}

// anyInput is an input of chance: often plausible, sometimes absurd.
func anyInput(rng *rand.Rand) plan.Input {
	in := calm()
	number := func(scale float64) float64 {
		switch rng.IntN(40) {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(1)
		case 2:
			return -1
		case 3:
			return 0
		case 4:
			return 1e300
		}
		return scale * rng.ExpFloat64()
	}
	in.Load, in.Replicas = number(30), rng.IntN(20)
	in.Outlook.Expected, in.Outlook.Low, in.Outlook.High, in.Outlook.OK = number(30), number(20), number(40), rng.IntN(20) > 0
	in.Day = plan.Day{PeakLoad: number(40), Completeness: 1, InstancesMax: in.Replicas}
	in.Fit.RatedLoad, in.Fit.LoadHigh = number(12), number(14)
	switch rng.IntN(60) {
	case 0:
		in.Replicas = 1e9
	case 1:
		in.Replicas = -3
	case 2:
		in.Refusal = &capacity.Refusal{Code: "poor_fit", Reason: "R2 is 0.12"}
	case 3:
		in.History.Present = rng.IntN(1440)
	case 4:
		in.Fit = capacity.Fit{}
	}
	if rng.IntN(4) == 0 {
		rules()[rng.IntN(11)].breakIt(&in)
	}
	return in
}

// objected repeats the rules in the shortest form, as a second opinion.
func objected(in plan.Input) bool {
	return !(in.History.Span >= 24*time.Hour && in.History.Present >= 1368 && in.Day.Completeness >= 0.98 && in.Load >= 0 &&
		in.Day.PeakLoad >= 0 && in.Outlook.OK && in.Refusal == nil) ||
		in.Replicas < in.Day.InstancesMax || in.Day.Rejected || in.Day.Unnamed || in.Day.ActedOn || in.Day.Finding
}

func TestNoDecisionDoesHarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[string]int{}
	for range 100_000 {
		in := anyInput(rng)
		d := first(t, in)
		seen[d.Code]++
		if d.Verdict == schemas.Propose && d.Proposed < 1 || math.IsNaN(d.Expected+d.Low+d.High) || d.Reason == "" || d.Counterfactual == "" {
			t.Fatalf("%+v\n%+v", in, d)
		}
		for _, f := range d.Evidence {
			if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
				t.Fatalf("%s is %v", f.Name, f.Value)
			}
		}
		if d.Verdict == schemas.Propose && d.Proposed > d.Current && d.Proposed > max(2*d.Current, d.Current+1) {
			t.Fatalf("%v -> %v in one step", d.Current, d.Proposed)
		}
		if !d.Reduces() {
			continue
		}
		each := max(in.Load, in.Outlook.High, in.Day.PeakLoad) / d.Proposed
		if objected(in) || each*1.1 > min(in.Fit.RatedLoad, in.Fit.LoadHigh)*(1+1e-9) || d.Proposed < math.Ceil(d.Current/2) {
			t.Fatalf("taken away: %+v\n%+v", in, d)
		}
	}
	for _, code := range []string{
		plan.LoadAhead, plan.OverProvisioned, plan.Hold, plan.InsufficientHistory, plan.NoForecast, plan.ReplicasUnknown, plan.MissingMinutes,
		plan.IncompleteTelemetry, plan.InstancesSilent, plan.CallsRejected, plan.ActedOn, plan.FindingInDay, plan.OutOfRange,
		"poor_fit", "no_slope",
	} {
		if seen[code] < 20 {
			t.Errorf("%s came up %d times", code, seen[code])
		}
	}
}

func TestMoreLoadNeverGivesFewerReplicas(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 50_000 {
		in := anyInput(rng)
		if math.IsNaN(in.Load + in.Outlook.High + in.Outlook.Expected + in.Day.PeakLoad) {
			continue // a number in place of none is not more
		}
		more := in
		switch more1 := rng.ExpFloat64() * 20; rng.IntN(3) {
		case 0:
			more.Load = max(0, in.Load) + more1
		case 1:
			more.Outlook.High = max(0, in.Outlook.High) + more1
		case 2:
			more.Day.PeakLoad = max(0, in.Day.PeakLoad) + more1
		}
		if in.Load < 0 || in.Outlook.High < 0 || in.Day.PeakLoad < 0 {
			continue
		}
		if a, b := first(t, in), first(t, more); b.Proposed < a.Proposed {
			t.Fatalf("%+v: %s\n%+v: %s", in, a.Reason, more, b.Reason)
		}
	}
}

// TestTheFlipFlips moves the load that a decision names as the turning point a little to the other side.
func TestTheFlipFlips(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	flipped := map[string]int{}
	for range 20_000 {
		in := anyInput(rng)
		d := first(t, in)
		flip := fact(d, "load_that_flips")
		if !(flip > 0.001) || flip > 1e100 || in.Replicas > 1000 {
			continue
		}
		switch d.Code {
		case plan.LoadAhead:
			in.Load, in.Outlook.High = min(in.Load, flip*0.999), min(in.Outlook.High, flip*0.999)
			in.Outlook.Expected = min(in.Outlook.Expected, in.Outlook.High)
		case plan.OverProvisioned:
			in.Day.PeakLoad = flip * 1.001
		case plan.Hold, plan.InstancesSilent:
			in.Outlook.High = flip * 1.001
		}
		if after := first(t, in); after.Code == d.Code {
			t.Fatalf("%s at %v stays: %+v\n%s", d.Code, flip, in, after.Reason)
		}
		flipped[d.Code]++
	}
	if len(flipped) != 4 {
		t.Errorf("%v", flipped)
	}
}
