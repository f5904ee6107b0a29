package shift_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect/shift"
	"github.com/weirmesh/weir/schemas"
)

// calls is a window of a version in which some calls failed.
func calls(i int, version string, n, failed uint64) schemas.ServiceWindow {
	w := target
	w.Version = version
	return schemas.ServiceWindow{
		Workload: w, Start: at(i), Length: 10 * time.Second,
		Offered: n, Calls: n, StatusKnown: n, Errors: failed, MeanMs: 50, Instances: 2, Completeness: 1,
	}
}

// day lets v1 carry 60 and v2 6 calls a window for ten minutes, so that it is seen to carry that, then 24 and 6 until window n.
func day(n int) (*shift.Planner, []schemas.Decision) {
	p := shift.NewPlanner()
	var out []schemas.Decision
	for i := range n {
		busy := uint64(24)
		if i < 60 {
			busy = 60
		}
		out = append(out, p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v1", busy, 0), calls(i, "v2", 6, 0)}, nil)...)
	}
	return p, out
}

// firing steps on with a finding that fires from window from to window to.
func firing(p *shift.Planner, from, to int, f schemas.Finding) (out []schemas.Decision) {
	for i := from; i < to; i++ {
		out = append(out, p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v1", 24, 0), calls(i, "v2", 6, 2)}, []schemas.Finding{f})...)
	}
	return out
}

func TestProposalsAreRenewedAtHalfTime(t *testing.T) {
	p, early := day(200)
	if len(early) > 0 {
		t.Fatalf("nothing fires, but %v", early)
	}
	all := firing(p, 200, 300, finding(schemas.SeverityCritical, schemas.SignalErrorRate, at(199)))
	if len(all) != 4 {
		t.Fatalf("%d decisions in 1000 s", len(all))
	}
	for i, d := range all {
		if err := d.Validate(); err != nil {
			t.Fatal(err)
		}
		if want := at(201 + 30*i); !d.MadeAt.Equal(want) || !d.ValidUntil.Equal(want.Add(10*time.Minute)) {
			t.Errorf("decision %d is valid from %v to %v", i, d.MadeAt, d.ValidUntil)
		}
		if d.Code != "finding" || d.Current != 20 || d.Proposed != 0 || d.Target != target {
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	if more := p.Step(at(301), nil, nil); len(more) > 0 {
		t.Errorf("nothing fires any more, but %v", more)
	}
}

func TestBecomingCriticalReplacesTheProposal(t *testing.T) {
	p, _ := day(200)
	f := finding(schemas.SeverityWarning, schemas.SignalErrorRate, at(199))
	all := firing(p, 200, 202, f)
	f.Severity = schemas.SeverityCritical
	all = append(all, firing(p, 202, 204, f)...)
	if len(all) != 2 || all[0].Proposed != 10 || all[1].Proposed != 0 || !all[1].MadeAt.Equal(at(203)) {
		t.Errorf("decisions %+v", all)
	}
}

// When the shift is made, the share falls; half of it is not halved again.
func TestHalfIsNotHalvedAgain(t *testing.T) {
	p, _ := day(200)
	f := finding(schemas.SeverityWarning, schemas.SignalErrorRate, at(199))
	all := firing(p, 200, 210, f)
	for i := 210; i < 330; i++ {
		all = append(all, p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v1", 27, 0), calls(i, "v2", 3, 1)}, []schemas.Finding{f})...)
	}
	if len(all) < 3 {
		t.Fatalf("%d decisions", len(all))
	}
	for _, d := range all {
		if d.Verdict != schemas.Propose || d.Proposed != 10 {
			t.Errorf("%s: %s %v -> %v", d.MadeAt.Format(time.TimeOnly), d.Code, d.Current, d.Proposed)
		}
	}
	if last := all[len(all)-1]; last.Current != 10 {
		t.Errorf("current %v", last.Current)
	}
}

func TestDeclinesAreSaidOnceAnHour(t *testing.T) {
	p := shift.NewPlanner()
	f := finding(schemas.SeverityCritical, schemas.SignalErrorRate, at(0))
	var all []schemas.Decision
	for i := range 800 {
		all = append(all, p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v2", 6, 2)}, []schemas.Finding{f})...)
	}
	if len(all) != 3 || all[0].Code != "only_version" || all[1].MadeAt.Sub(all[0].MadeAt) != time.Hour {
		t.Fatalf("decisions %+v", all)
	}
	// Another version appears, and has carried little so far.
	for i := 800; i < 860; i++ {
		all = append(all, p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v1", 24, 0), calls(i, "v2", 6, 2)}, []schemas.Finding{f})...)
	}
	if last := all[len(all)-1]; last.Code == "only_version" {
		t.Errorf("%s: %s", last.Code, last.Reason)
	}
}

func TestBothVersionsSick(t *testing.T) {
	p, _ := day(200)
	a := finding(schemas.SeverityCritical, schemas.SignalErrorRate, at(199))
	b := a
	b.Workload.Version = "v1"
	b.ID = schemas.FindingID(b.Kind, b.Workload, b.Signal, b.StartedAt, b.Model)
	got := p.Step(at(201), []schemas.ServiceWindow{calls(200, "v1", 24, 9), calls(200, "v2", 6, 2)}, []schemas.Finding{a, b})
	if len(got) != 2 || got[0].Code != "no_healthy_sibling" || got[1].Code != "no_healthy_sibling" || got[0].Target.Version != "v1" {
		t.Errorf("decisions %+v", got)
	}
}

// Two sick versions do not each get the whole room of the healthy one.
func TestRoomIsGivenOnce(t *testing.T) {
	p := shift.NewPlanner()
	step := func(i int, busy uint64, firing ...schemas.Finding) []schemas.Decision {
		return p.Step(at(i+1), []schemas.ServiceWindow{calls(i, "v1", busy, 0), calls(i, "v2", 20, 8), calls(i, "v3", 20, 8)}, firing)
	}
	for i := range 100 {
		step(i, 70)
	}
	for i := range 100 {
		step(100+i, 60)
	}
	a := finding(schemas.SeverityCritical, schemas.SignalErrorRate, at(199))
	b := a
	b.Workload.Version = "v3"
	b.ID = schemas.FindingID(b.Kind, b.Workload, b.Signal, b.StartedAt, b.Model)
	got := step(200, 60, a, b)
	if len(got) != 2 || got[0].Proposed != 0 || got[1].Proposed < 10 || got[1].Code != "sibling_range" {
		for _, d := range got {
			t.Errorf("%s %s %v -> %v: %s", d.Target.Version, d.Code, d.Current, d.Proposed, d.Reason)
		}
	}
}

func TestErrorsGoBeforeLatency(t *testing.T) {
	p, _ := day(200)
	slow := finding(schemas.SeverityWarning, schemas.SignalLatency, at(150))
	failing := finding(schemas.SeverityWarning, schemas.SignalErrorRate, at(199))
	got := p.Step(at(201), []schemas.ServiceWindow{calls(200, "v1", 24, 0), calls(200, "v2", 6, 2)}, []schemas.Finding{slow, failing})
	if len(got) != 1 || got[0].Cause != failing.ID || !strings.Contains(got[0].Reason, "fail") {
		t.Errorf("decisions %+v", got)
	}
}

func TestTheSameWindowsGiveTheSameDecisions(t *testing.T) {
	var runs [2][]schemas.Decision
	for k := range runs {
		p, _ := day(200)
		runs[k] = firing(p, 200, 300, finding(schemas.SeverityWarning, schemas.SignalErrorRate, at(199)))
	}
	if len(runs[0]) == 0 || !reflect.DeepEqual(runs[0], runs[1]) {
		t.Errorf("%d and %d decisions, or they differ", len(runs[0]), len(runs[1]))
	}
}

func BenchmarkStep(b *testing.B) {
	p, _ := day(200)
	windows := make([][]schemas.ServiceWindow, 1000)
	for i := range windows {
		windows[i] = []schemas.ServiceWindow{calls(200+i, "v1", 24, 0), calls(200+i, "v2", 6, 0)}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p.Step(at(201+i%1000), windows[i%1000], nil)
		i++
	}
}

// TestNothingIsShiftedOnPartialTelemetry: a window of the five minutes misses part of its calls, at the version itself or at its sibling,
// and that is known as it comes, or three windows later.
func TestNothingIsShiftedOnPartialTelemetry(t *testing.T) {
	f := finding(schemas.SeverityCritical, schemas.SignalErrorRate, at(199))
	for _, version := range []string{"v1", "v2"} {
		for _, late := range []bool{false, true} {
			p, _ := day(200)
			var all []schemas.Decision
			for i := 200; i < 240; i++ {
				windows := []schemas.ServiceWindow{calls(i, "v1", 24, 0), calls(i, "v2", 6, 2)}
				if i == 203 {
					p.Lower([]schemas.Incomplete{{Workload: unnamed(), Start: at(200), Completeness: 0.3}}) // of nobody
					if late {
						p.Lower([]schemas.Incomplete{{Workload: of(version), Start: at(200), Completeness: 0.3}})
					}
				}
				for k := range windows {
					if i == 200 && !late && windows[k].Version == version {
						windows[k].Completeness = 0.3
					}
				}
				all = append(all, p.Step(at(i+1), windows, []schemas.Finding{f})...)
			}
			// A decision is looked at again a minute later at the earliest, and the window is forgotten five minutes later.
			codes, whens := []string{}, []time.Time{}
			for _, d := range all {
				if err := d.Validate(); err != nil {
					t.Error(err)
				}
				if back := late && d.Code == "incomplete_telemetry"; back && (d.Proposed != d.Current || !d.ValidUntil.Equal(all[0].ValidUntil)) ||
					(d.Verdict == schemas.Propose) != (back || d.Code == "finding") {
					t.Errorf("%s: %s of %v instead of %v until %v", d.Code, d.Verdict, d.Proposed, d.Current, d.ValidUntil)
				}
				codes, whens = append(codes, d.Code), append(whens, d.MadeAt)
			}
			want, times := []string{"incomplete_telemetry", "finding"}, []time.Time{at(201), at(231)}
			if late {
				want, times = []string{"finding", "incomplete_telemetry", "finding"}, []time.Time{at(201), at(207), at(231)}
			}
			if !reflect.DeepEqual(codes, want) || !reflect.DeepEqual(whens, times) {
				t.Errorf("%s, known late: %t: decisions %v at %v, want %v at %v", version, late, codes, whens, want, times)
			}
		}
	}
}

func of(version string) schemas.Workload {
	w := target
	w.Version = version
	return w
}

func unnamed() schemas.Workload {
	return schemas.Workload{Cluster: "c", Namespace: "shop", Name: "other", Version: "v1"}
}
