package plan_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/schemas"
)

// mesh plays minutes of one workload, front first, as a worker does: it keeps the last day, fits, and decides. Its forecast is the plainest
// there is: what was, with 10 % to either side.
type mesh struct {
	t        *testing.T
	planner  *plan.Planner
	model    *capacity.Model
	day      []schemas.ServiceWindow
	upstream []bool // whether a caller rejected in each minute of the day
	fit      capacity.Fit
	refusal  *capacity.Refusal
	minute   int
	said     []schemas.Decision
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	model, err := capacity.New(capacity.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return &mesh{t: t, planner: newPlanner(t), model: model}
}

// window is a complete minute in which each call takes 20 ms of a replica's CPU.
func window(load float64, instances int) schemas.ServiceWindow {
	return schemas.ServiceWindow{
		Workload: calm().Target, Length: time.Minute, Offered: uint64(60 * load), Calls: uint64(60 * load), InFlight: load * 0.05,
		Instances: instances, CPU: 0.05 + 0.02*load/float64(instances), Completeness: 1,
	}
}

func (m *mesh) step(w schemas.ServiceWindow, rejectedUpstream bool) {
	m.t.Helper()
	w.Start = noon().Add(time.Duration(m.minute) * time.Minute)
	m.minute++
	if p, ok := capacity.PointOf(w); ok && !rejectedUpstream {
		m.model.Observe(p)
	}
	m.day, m.upstream = append(m.day, w), append(m.upstream, rejectedUpstream)
	if len(m.day) > 1440 {
		m.day, m.upstream = m.day[1:], m.upstream[1:]
	}
	if m.minute%60 == 0 {
		fit, err := m.model.Fit()
		m.fit, m.refusal = fit, nil
		errors.As(err, &m.refusal)
	}
	if m.minute < 120 {
		return
	}
	if d, ok := m.planner.Decide(m.input(w)); ok {
		m.said = append(m.said, d)
	}
}

func (m *mesh) input(w schemas.ServiceWindow) plan.Input {
	day := plan.Day{Completeness: 1}
	for i := range m.day {
		v := &m.day[i]
		day.PeakLoad, day.InstancesMax = max(day.PeakLoad, v.Load()), max(day.InstancesMax, v.Instances)
		day.Completeness = min(day.Completeness, v.Completeness)
		day.Rejected = day.Rejected || m.upstream[i] || v.RejectedMesh+v.RejectedWeir > 0
	}
	return plan.Input{
		Target: w.Workload, At: w.End(), Load: w.Load(), Replicas: w.Instances, Day: day, Fit: m.fit, Refusal: m.refusal, Window: w.ID(),
		Outlook: plan.Outlook{At: w.End().Add(10 * time.Minute), Expected: w.Load(), Low: 0.9 * w.Load(), High: 1.1 * w.Load(), OK: true},
		History: plan.History{Span: time.Duration(m.minute) * time.Minute, Present: len(m.day)},
	}
}

// since lists what was proposed from a minute on.
func (m *mesh) since(minute int) (proposed []schemas.Decision) {
	from := noon().Add(time.Duration(minute) * time.Minute)
	for _, d := range m.said {
		if d.Verdict == schemas.Propose && d.MadeAt.After(from) {
			proposed = append(proposed, d)
		}
	}
	return proposed
}

// daily is a load that goes from low to high and back in a day.
func daily(minute int, low, high float64) float64 {
	x := float64(minute%1440) / 720
	return low + (high-low)*(1-max(x-1, 1-x))
}

// TestLimiterIsNoQuietDay has a limiter refuse half of all calls for two hours, two days in; eight replicas could look like too many.
func TestLimiterIsNoQuietDay(t *testing.T) {
	for _, where := range []string{"own", "upstream"} {
		m := newMesh(t)
		for i := range 3 * 1440 {
			w := window(daily(i, 80, 170), 8)
			limited := i >= 2*1440 && i < 2*1440+120
			if limited && where == "own" {
				w.Calls, w.RejectedMesh = w.Calls/2, w.Offered/2
			} else if limited {
				w.Offered, w.Calls = w.Offered/2, w.Calls/2
			}
			m.step(w, limited && where == "upstream")
		}
		if proposed := m.since(0); len(proposed) > 0 {
			t.Errorf("%s: %v -> %v: %s", where, proposed[0].Current, proposed[0].Proposed, proposed[0].Reason)
		}
	}
}

// TestLimiterOverADay has the limiter on while even the whole day's load needs fewer replicas than run: what it let through is not what was
// asked for, so nothing goes until the day has passed.
func TestLimiterOverADay(t *testing.T) {
	m := newMesh(t)
	for i := range 5 * 1440 {
		load, limited := daily(i, 80, 170), i >= 2*1440 && i < 2*1440+120
		if i >= 1440 {
			load = daily(i, 30, 60) // the busy first day is long gone when it ends
		}
		w := window(load, 8)
		if limited {
			w.Offered, w.Calls = w.Offered/2, w.Calls/2
		}
		m.step(w, limited)
	}
	after := m.since(2 * 1440)
	if keep := after[0]; keep.Code != plan.CallsRejected || keep.Proposed != 8 || !keep.MadeAt.Equal(noon().Add((2*1440+1)*time.Minute)) {
		t.Errorf("what was proposed before is not withdrawn at once: %+v", keep)
	}
	less := slices.IndexFunc(after, schemas.Decision.Reduces)
	if less < 0 {
		t.Fatal("nothing is ever taken away")
	}
	if at := after[less].MadeAt; at.Before(noon().Add((3*1440 + 119) * time.Minute)) {
		t.Errorf("taken away at %v: %s", at, after[less].Reason)
	}
}

// TestHalfTheInstancesSilent has one of two telemetry sources die: half of the calls and of the instances are gone, and what the other half
// says looks complete.
func TestHalfTheInstancesSilent(t *testing.T) {
	m := newMesh(t)
	for i := range 3 * 1440 {
		w := window(daily(i, 20, 170), 8)
		if i >= 2*1440 {
			w = window(daily(i, 20, 170)/2, 4)
		}
		m.step(w, false)
	}
	if less := slices.IndexFunc(m.said, schemas.Decision.Reduces); less >= 0 || len(m.since(2*1440)) > 0 {
		t.Errorf("%d: %+v", less, m.since(2*1440))
	}
	in := quiet()
	in.Replicas = 4
	in.Load, in.Day.PeakLoad = 7, 10
	if d := first(t, high(in, 7, 8)); d.Code != plan.InstancesSilent {
		t.Errorf("%s: %s", d.Code, d.Reason)
	}
}

// TestRetryStormIsNotGrowth has callers send each call three times for an hour.
func TestRetryStormIsNotGrowth(t *testing.T) {
	m := newMesh(t)
	for i := range 2*1440 + 60 {
		w := window(daily(i, 80, 170), 8)
		if i >= 2*1440-30 {
			w.Retries, w.Offered, w.Calls = 2*w.Offered, 3*w.Offered, 3*w.Offered
		}
		m.step(w, false)
	}
	if proposed := m.since(0); len(proposed) > 0 {
		t.Errorf("%v -> %v: %s", proposed[0].Current, proposed[0].Proposed, proposed[0].Reason)
	}
}

// TestLikeDaysAskForNothing has four days that are alike but for chance, and replicas that are far from their limit, whether or not
// somebody reports their CPU.
func TestLikeDaysAskForNothing(t *testing.T) {
	for _, cpu := range []bool{true, false} {
		m, rng := newMesh(t), rand.New(rand.NewPCG(1, 1))
		for i := range 4 * 1440 {
			w := window(daily(i, 40, 120)*(1+0.02*rng.NormFloat64()), 8)
			if !cpu {
				w.CPU = math.NaN()
			}
			m.step(w, false)
		}
		if n, late := len(m.since(0)), len(m.since(1440)); n > 1 || late > 0 {
			t.Errorf("CPU known %v: %d proposals, %d of them after the first day", cpu, n, late)
		}
	}
}

// TestGrowthIsMet has load grow by half on the third day: replicas are asked for before they are too few.
func TestGrowthIsMet(t *testing.T) {
	m := newMesh(t)
	for i := range 3 * 1440 {
		load := daily(i, 80, 170)
		if i >= 2*1440 {
			load *= 1.5
		}
		m.step(window(load, 8), false)
	}
	proposed := m.since(2 * 1440)
	if len(proposed) == 0 || proposed[0].Code != plan.LoadAhead || proposed[0].Proposed <= 8 {
		t.Fatalf("%+v", proposed)
	}
	if d := proposed[0]; fact(d, "load_now")/8 > fact(d, "rated_load") {
		t.Errorf("too late: %s", d.Reason)
	}
	if n := len(proposed); n > 1440/5+10 {
		t.Errorf("%d proposals in a day are more than their renewal takes", n)
	}
}
