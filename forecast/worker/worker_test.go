package worker_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/naive"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/forecast/smoothing"
	"github.com/weirmesh/weir/forecast/worker"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// mesh is a store in memory: front calls cart, cart calls store, each call once.
type mesh struct {
	windows    []schemas.ServiceWindow
	incomplete []schemas.Incomplete // known only after the windows were read
}

func (m *mesh) Incomplete(_ context.Context, _ schemas.Resolution, from, to time.Time) ([]schemas.Incomplete, error) {
	return slices.DeleteFunc(slices.Clone(m.incomplete), func(w schemas.Incomplete) bool {
		return w.Start.Before(from) || !w.Start.Before(to)
	}), nil
}

func (m *mesh) ServiceWindows(_ context.Context, _ schemas.Resolution, from, to time.Time) ([]schemas.ServiceWindow, error) {
	var out []schemas.ServiceWindow
	for _, w := range m.windows {
		if !w.Start.Before(from) && !w.End().After(to) {
			out = append(out, w)
		}
	}
	return out, nil
}

func (m *mesh) Edges(context.Context, schemas.Resolution, time.Time, time.Time) ([]schemas.Edge, error) {
	name := func(n string) schemas.Workload { return schemas.Workload{Namespace: "shop", Name: n} }
	return []schemas.Edge{
		{From: name(""), To: name("front"), Calls: 1}, {From: name("front"), To: name("cart"), Calls: 1}, {From: name("cart"), To: name("store"), Calls: 1},
	}, nil
}

// change alters the windows of one minute before they are kept.
type change func(minute int, w *schemas.ServiceWindow)

// run makes a mesh of three services with one version each and a load between 4 and 12 calls a second over the day. Three replicas carry it
// well until the first evening, then there are eight.
func run(minutes int, changes ...change) *mesh {
	random := rand.New(rand.NewPCG(7, 7))
	m := &mesh{}
	for i := range minutes {
		rate := 8 - 4*math.Cos(2*math.Pi*float64(i)/1440)
		calls := uint64(math.Round(60*rate + math.Sqrt(60*rate)*random.NormFloat64()))
		replicas := 3
		if i >= 1200 {
			replicas = 8
		}
		for _, name := range []string{"cart", "front", "store"} {
			w := schemas.ServiceWindow{
				Workload: schemas.Workload{Namespace: "shop", Name: name, Version: "v1"}, Start: start.Add(time.Duration(i) * time.Minute), Length: time.Minute,
				Offered: calls, Calls: calls, StatusKnown: calls, MeanMs: 40, P95Ms: 60, P99Ms: 80, InFlight: rate * 0.04, Instances: replicas,
				CPU: 0.02 + 0.05*float64(calls)/60/float64(replicas), Completeness: 1,
			}
			for _, c := range changes {
				c(i, &w)
			}
			if w.Length > 0 {
				m.windows = append(m.windows, w)
			}
		}
	}
	return m
}

func models() ([]forecast.Model, error) {
	main, err := smoothing.New(smoothing.DefaultConfig())
	if err != nil {
		return nil, err
	}
	last, err := naive.NewLast(naive.DefaultConfig())
	return []forecast.Model{main, last}, err
}

func newService(t *testing.T, m *mesh) *worker.Service {
	t.Helper()
	s, err := worker.New(worker.Config{
		Models: models, Capacity: capacity.DefaultConfig(), Plan: plan.DefaultConfig(), Lead: 15 * time.Minute, MaxSeries: 10,
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func step(t *testing.T, s *worker.Service, fromMinute, toMinute int) decide.Output {
	t.Helper()
	out, err := s.Step(t.Context(), start.Add(time.Duration(fromMinute)*time.Minute), start.Add(time.Duration(toMinute)*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reductions are the decisions about a workload that take replicas away, made in [from, to) minutes; "" = of any workload.
func reductions(out decide.Output, workload string, from, to int) []schemas.Decision {
	var found []schemas.Decision
	for _, d := range out.Decisions {
		at := int(d.MadeAt.Sub(start) / time.Minute)
		if d.Reduces() && (workload == "" || d.Target.Name == workload) && at >= from && at < to {
			found = append(found, d)
		}
	}
	return found
}

const days = 2*1440 + 300

// TestTooManyReplicasAreSeen makes sure that the tests below could fail: undisturbed, fewer replicas are proposed.
func TestTooManyReplicasAreSeen(t *testing.T) {
	out := step(t, newService(t, run(days)), 0, days)
	for _, name := range []string{"front", "cart", "store"} {
		if len(reductions(out, name, 0, 1440)) > 0 {
			t.Errorf("%s: replicas would be taken away within the first day", name)
		}
		if len(reductions(out, name, 1441, days)) == 0 {
			t.Errorf("%s: eight replicas where three did, and nothing is proposed", name)
		}
	}
	for _, d := range out.Decisions {
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", d.Reason, err)
		}
	}
}

func TestStepsMayBeCutAnywhere(t *testing.T) {
	const minutes = 1700
	m := run(minutes)
	whole := step(t, newService(t, m), 0, minutes)
	var pieces decide.Output
	s := newService(t, m)
	random := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < minutes; {
		next := min(minutes, at+1+random.IntN(90))
		out := step(t, s, at, next)
		pieces.Forecasts = append(pieces.Forecasts, out.Forecasts...)
		pieces.Decisions = append(pieces.Decisions, out.Decisions...)
		at = next
	}
	if len(whole.Forecasts) == 0 || !reflect.DeepEqual(whole, pieces) {
		t.Errorf("%d forecasts and %d decisions in one go, %d and %d in pieces, or others", len(whole.Forecasts), len(whole.Decisions),
			len(pieces.Forecasts), len(pieces.Decisions))
	}
}

// limiter refuses half of cart's calls between two minutes; what it refuses does not reach store.
func limiter(from, to int) change {
	return func(minute int, w *schemas.ServiceWindow) {
		if minute < from || minute >= to {
			return
		}
		switch w.Name {
		case "cart":
			w.RejectedMesh = w.Offered / 2
			w.Calls = w.Offered - w.RejectedMesh
		case "store":
			w.Offered /= 2
			w.Calls, w.StatusKnown, w.CPU = w.Offered, w.Offered, 0.02+0.05*float64(w.Offered)/60/8
		}
	}
}

func TestALimiterLeadsToNoReduction(t *testing.T) {
	const from, to = 2*1440 + 100, 2*1440 + 220
	out := step(t, newService(t, run(days, limiter(from, to))), 0, days)
	for _, name := range []string{"cart", "store"} {
		if found := reductions(out, name, from+1, days); len(found) > 0 {
			t.Errorf("%d reductions of %s during and after a limiter, the first: %s", len(found), name, found[0].Reason)
		}
	}
	if len(reductions(out, "front", from+1, days)) == 0 {
		t.Error("front, which lies before the limiter and is not touched by it, is not planned for any more")
	}
}

func TestALimiterDoesNotMoveTheForecast(t *testing.T) {
	const from, to = 2*1440 + 100, 2*1440 + 220
	undisturbed, limited := step(t, newService(t, run(days)), 0, to+5), step(t, newService(t, run(days, limiter(from, to))), 0, to+5)
	for _, name := range []string{"cart", "store"} {
		want, got := median(undisturbed, name, to+1), median(limited, name, to+1)
		if math.IsNaN(want) || math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s: %v calls/s are forecast after two hours with a limiter, %v without", name, got, want)
		}
	}
}

// median is the main model's forecast for an hour after the given minute.
func median(out decide.Output, workload string, minute int) float64 {
	for _, f := range out.Forecasts {
		if f.Workload.Name == workload && f.Quantile == 0.5 && f.Model.Name == "double_seasonal" && f.Horizon() == time.Hour &&
			f.MadeAt.Equal(start.Add(time.Duration(minute)*time.Minute)) {
			return f.Value
		}
	}
	return math.NaN()
}

func TestHalfTheTelemetryLeadsToNoReduction(t *testing.T) {
	const from = 2*1440 + 100
	half := func(minute int, w *schemas.ServiceWindow) {
		if minute >= from {
			w.Offered, w.Calls, w.StatusKnown, w.Instances = w.Offered/2, w.Calls/2, w.StatusKnown/2, 4
		}
	}
	out := step(t, newService(t, run(days, half)), 0, days)
	// Until the last instances are ten minutes gone, nobody can know; what is proposed then does not rest on the half.
	if found := reductions(out, "", from+12, days); len(found) > 0 {
		t.Errorf("%d reductions while half of the instances are silent, the first: %s", len(found), found[0].Reason)
	}
	told := false
	for _, d := range out.Decisions {
		if late := d.MadeAt.Sub(start) > (from+12)*time.Minute; late && d.Code == plan.Hold {
			t.Errorf("all is said to be well while half of the instances are silent: %s", d.Reason)
		} else if late && d.Code == plan.InstancesSilent {
			told = true
		}
	}
	if !told {
		t.Error("nobody is told that half of the instances are silent")
	}
}

func TestNoTelemetryIsNoLoad(t *testing.T) {
	const from = 2*1440 + 100
	gone := func(minute int, w *schemas.ServiceWindow) {
		if minute >= from && w.Name != "front" {
			w.Length = 0 // no window
		}
	}
	out := step(t, newService(t, run(days, gone)), 0, days)
	if found := reductions(out, "cart", from+1, days); len(found) > 0 {
		t.Errorf("reduced without telemetry: %s", found[0].Reason)
	}
	if v := median(out, "cart", from+30); !(v > 4) {
		t.Errorf("after half an hour without telemetry %v calls/s are forecast", v)
	}
}

func TestIncompleteTelemetryLeadsToNoReduction(t *testing.T) {
	out := step(t, newService(t, run(days, func(minute int, w *schemas.ServiceWindow) {
		if minute%1440 == 300 {
			w.Completeness = 0.9
		}
	})), 0, days)
	if found := reductions(out, "", 0, days); len(found) > 0 {
		t.Errorf("reduced on a day that was 90 %% complete at its worst: %s", found[0].Reason)
	}
}

// TestWhatIsMissedLaterLeadsToNoReduction: the windows were whole when they were read; that a collector had died, and a third of cart's
// telemetry with it, is known a minute later.
func TestWhatIsMissedLaterLeadsToNoReduction(t *testing.T) {
	const dies = 2*1440 + 100
	m := run(days)
	s := newService(t, m)
	step(t, s, 0, dies+1)
	m.incomplete = []schemas.Incomplete{{
		Workload: schemas.Workload{Namespace: "shop", Name: "cart", Version: "v1"}, Start: start.Add(dies * time.Minute), Completeness: 2. / 3,
	}}
	var out decide.Output
	for minute := dies + 1; minute < days; minute++ {
		out.Decisions = append(out.Decisions, step(t, s, minute, minute+1).Decisions...)
	}
	if found := reductions(out, "cart", 0, days); len(found) > 0 {
		t.Errorf("replicas of cart are taken away: %s", found[0].Reason)
	}
	if len(reductions(out, "front", 0, days)) == 0 {
		t.Error("nothing is missing of front, and nothing is proposed for it")
	}
	if !slices.ContainsFunc(out.Decisions, func(d schemas.Decision) bool {
		return d.Target.Name == "cart" && d.Code == plan.IncompleteTelemetry
	}) {
		t.Error("nobody says why nothing is proposed for cart")
	}
}

// TestAReductionIsWithdrawnWhenAGapIsKnown: fewer replicas are proposed, and then it turns out that the minute it was decided in was not
// whole. The next minute takes it back, by a proposal to keep what runs, which is good for as long.
func TestAReductionIsWithdrawnWhenAGapIsKnown(t *testing.T) {
	const begin = 2*1440 + 100
	m := run(days)
	s := newService(t, m)
	step(t, s, 0, begin)
	reduced, minute := schemas.Decision{}, begin
	for ; reduced.ID == "" && minute < days-1; minute++ {
		for _, d := range reductions(step(t, s, minute, minute+1), "cart", 0, days) {
			reduced = d
		}
	}
	if reduced.ID == "" {
		t.Fatal("nothing is reduced that could be withdrawn")
	}
	m.incomplete = []schemas.Incomplete{{
		Workload: reduced.Target, Start: start.Add(time.Duration(minute-1) * time.Minute), Completeness: 2. / 3,
	}}
	var said []schemas.Decision
	for _, d := range step(t, s, minute, minute+1).Decisions {
		if d.Target == reduced.Target {
			said = append(said, d)
		}
	}
	if len(said) != 1 || said[0].Verdict != schemas.Propose || said[0].Proposed != reduced.Current || said[0].Current != reduced.Current ||
		said[0].Code != plan.IncompleteTelemetry || said[0].ValidUntil.Before(reduced.ValidUntil) {
		t.Errorf("%s\nis followed by %+v", reduced.Reason, said)
	}
}

func TestARetryStormIsNotGrowth(t *testing.T) {
	const from, to = 2*1440 + 100, 2*1440 + 220
	storm := func(minute int, w *schemas.ServiceWindow) {
		if minute >= from && minute < to {
			w.Retries = 2 * w.Offered
			w.Offered += w.Retries
			w.Calls = w.Offered
		}
	}
	want, got := median(step(t, newService(t, run(days)), 0, to+1), "cart", to), median(step(t, newService(t, run(days, storm)), 0, to+1), "cart", to)
	if math.IsNaN(want) || math.Abs(got/want-1) > 0.05 {
		t.Errorf("%v calls/s are forecast in a retry storm, %v without", got, want)
	}
}

func TestWorkloadsBeyondTheLimitAreLeftOutAndCounted(t *testing.T) {
	left := 0
	s, err := worker.New(worker.Config{
		Models: models, Capacity: capacity.DefaultConfig(), Plan: plan.DefaultConfig(), Lead: 15 * time.Minute, MaxSeries: 2,
		Left: func(n int) { left = n },
	}, run(60))
	if err != nil {
		t.Fatal(err)
	}
	out := step(t, s, 0, 60)
	seen := map[string]bool{}
	for _, f := range out.Forecasts {
		seen[f.Workload.Name] = true
	}
	if left != 1 || len(seen) > 2 {
		t.Errorf("%d left out, forecasts for %v", left, seen)
	}
}

// TestInventedVersionsTakeNoRoom: names come from telemetry. Versions beyond the limit are not planned for, and those that are gone for a day
// make room again.
func TestInventedVersionsTakeNoRoom(t *testing.T) {
	m := run(2000, func(minute int, w *schemas.ServiceWindow) {
		if w.Name == "cart" {
			w.Version = fmt.Sprintf("v%d", minute%40) // forty versions in turns
			if minute > 300 {
				w.Version = "new"
			}
		}
	})
	out := step(t, newService(t, m), 0, 2000)
	early, late := map[string]bool{}, map[string]bool{}
	for _, d := range out.Decisions {
		if d.Target.Name != "cart" {
			continue
		}
		early[d.Target.Version] = true
		if d.MadeAt.Sub(start) > 31*time.Hour {
			late[d.Target.Version] = true
		}
	}
	if len(early) > 17 {
		t.Errorf("%d versions are planned for at a time", len(early))
	}
	if !late["new"] {
		t.Errorf("after a day without the others the new version is not planned for; those that are: %v", late)
	}
}

// TestNothingActsOnTheOverflow: what stands for all names that were too many is neither forecast nor planned for, and a workload of which calls
// stand there loses nothing.
func TestNothingActsOnTheOverflow(t *testing.T) {
	m := run(days, func(_ int, w *schemas.ServiceWindow) {
		if w.Name == "store" {
			w.Name, w.Namespace = schemas.Overflow, ""
		}
	})
	for _, w := range slices.Clone(m.windows) {
		if w.Name == "cart" && w.Start.Sub(start) > 1440*time.Minute {
			w.Version, w.Offered, w.Calls, w.StatusKnown = schemas.Overflow, 1, 1, 1
			m.windows = append(m.windows, w)
		}
	}
	slices.SortStableFunc(m.windows, func(a, b schemas.ServiceWindow) int { return a.Start.Compare(b.Start) })
	out := step(t, newService(t, m), 0, days)
	for _, f := range out.Forecasts {
		if f.Workload.Overflowed() {
			t.Fatal("the overflow is forecast")
		}
	}
	for _, d := range out.Decisions {
		if d.Target.Overflowed() {
			t.Fatalf("a decision about the overflow: %s", d.Reason)
		}
	}
	if found := reductions(out, "cart", 1445, days); len(found) > 0 {
		t.Errorf("%d reductions of a workload with calls of unknown versions, the first: %s", len(found), found[0].Reason)
	}
	if len(reductions(out, "front", 1441, days)) == 0 {
		t.Error("the others lose nothing either")
	}
}

func TestOnlyItsOwnWorkloadsAreDecidedAbout(t *testing.T) {
	s, err := worker.New(worker.Config{
		Models: models, Capacity: capacity.DefaultConfig(), Plan: plan.DefaultConfig(), Lead: 15 * time.Minute, MaxSeries: 10,
		Owns: func(w schemas.Workload) bool { return w.Name == "cart" },
	}, run(200))
	if err != nil {
		t.Fatal(err)
	}
	out := step(t, s, 0, 200)
	for _, f := range out.Forecasts {
		if f.Workload.Name != "cart" {
			t.Fatalf("a forecast for %s", f.Workload.Key())
		}
	}
	if len(out.Forecasts) == 0 || len(out.Decisions) == 0 {
		t.Error("nothing about its own")
	}
}
