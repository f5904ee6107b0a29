package mesh_test

import (
	"errors"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

// ready is how many replicas of the only version are ready at the end of each minute.
func ready(r result) []int {
	var n []int
	for _, m := range r.truth.Minutes {
		n = append(n, m.Ready)
	}
	return n
}

// TestCrash: what was inside ends with UC, without instances calls are refused with UH and no instance, and new instances come at the end
// after their start-up.
func TestCrash(t *testing.T) {
	cfg := queue(20*time.Minute, 50, version(4, 1, 20*time.Millisecond, mesh.Constant))
	cfg.Services[0].StartLag = 90 * time.Second
	cfg.Faults = []mesh.Fault{
		{Kind: mesh.Crash, Service: "web", Share: 0.5, From: 3*time.Minute + time.Second, To: 6 * time.Minute},
		{Kind: mesh.Crash, Service: "web", Share: 1, From: 10*time.Minute + time.Second, To: 12 * time.Minute},
	}
	r := run(t, cfg, 1)
	got := ready(r)
	for minute, want := range []int{4, 4, 4, 2, 2, 2, 2, 4, 4, 4, 0, 0, 0, 4, 4} {
		if got[minute] != want {
			t.Fatalf("ready replicas at the ends of minutes: %v", got)
		}
	}
	flags := map[string]int{}
	instances := map[string]bool{}
	for _, s := range r.spans {
		flags[s.Flags]++
		instances[s.Origin.Instance] = true
		if (s.Flags == "UH") != (s.Origin.Instance == "") || s.Flags != "" && s.Status != 503 {
			t.Fatalf("got %+v from %+v", s, s.Origin)
		}
	}
	near(t, "calls without an instance", float64(flags["UH"]), 50*(119+90), 0.05)
	if flags["UC"] == 0 || flags["UC"] > 6 {
		t.Errorf("%d calls were inside", flags["UC"])
	}
	if len(instances) != 1+4+2+4 {
		t.Errorf("%d instances spoke", len(instances)-1)
	}
}

// TestScale: replicas that somebody sets are ready after their start-up; those that go finish what they have.
func TestScale(t *testing.T) {
	cfg := queue(10*time.Minute, 100, version(2, 2, 20*time.Millisecond, mesh.Exponential))
	cfg.Services[0].StartLag = 90 * time.Second
	cfg.Events = []mesh.Event{
		{Kind: mesh.Scale, From: 2 * time.Minute, Service: "web", Version: "v1", Replicas: 5},
		{Kind: mesh.Scale, From: 7 * time.Minute, Service: "web", Version: "v1", Replicas: 3},
	}
	r := run(t, cfg, 1)
	got := ready(r)
	for minute, want := range []int{2, 2, 2, 5, 5, 5, 5, 3, 3, 3} {
		if got[minute] != want {
			t.Fatalf("ready replicas at the ends of minutes: %v", got)
		}
	}
	if n := statuses(r.spans); len(n) != 1 || n[200] == 0 {
		t.Errorf("calls ended as %v", n)
	}
	last := 0
	for _, g := range r.gauges {
		if g.At >= start().Add(9*time.Minute).UnixNano() {
			last++
		}
	}
	if last != 3 {
		t.Errorf("%d instances report their CPU in the last minute", last)
	}
	if n := cfg.ReplicasAtEnd("web", "v1"); n != 3 {
		t.Errorf("%d replicas at the end", n)
	}
}

// TestScaleInCrash: replicas that a crash holds down stay down whatever is asked for, and come when it ends.
func TestScaleInCrash(t *testing.T) {
	cfg := queue(12*time.Minute, 10, version(4, 2, 20*time.Millisecond, mesh.Constant))
	cfg.Faults = []mesh.Fault{{Kind: mesh.Crash, Service: "web", Share: 0.5, From: 2 * time.Minute, To: 8 * time.Minute}}
	cfg.Events = []mesh.Event{
		{Kind: mesh.Scale, From: 4 * time.Minute, Service: "web", Version: "v1", Replicas: 7},
		{Kind: mesh.Scale, From: 6 * time.Minute, Service: "web", Version: "v1", Replicas: 3},
	}
	got := ready(run(t, cfg, 1))
	for minute, want := range []int{4, 4, 2, 2, 5, 5, 3, 3, 3, 3} {
		if got[minute] != want {
			t.Fatalf("ready replicas at the ends of minutes: %v", got)
		}
	}
}

// TestFaultAndNewInstances: what is wrong with everything is wrong with new instances; what is wrong with some is not.
func TestFaultAndNewInstances(t *testing.T) {
	cfg := queue(10*time.Minute, 20, version(2, 2, time.Millisecond, mesh.Constant))
	cfg.Events = []mesh.Event{{Kind: mesh.Scale, From: 5 * time.Minute, Service: "web", Version: "v1", Replicas: 4}}
	for share, want := range map[float64]int{1: 4, 0.5: 1} {
		cfg.Faults = []mesh.Fault{{Kind: mesh.Errors, Service: "web", Share: share, Size: 1, To: -time.Minute}}
		r := run(t, cfg, 1)
		bad := map[string]bool{}
		for _, s := range r.spans {
			bad[s.Origin.Instance] = bad[s.Origin.Instance] || s.Status == 500
		}
		n := 0
		for _, is := range bad {
			if is {
				n++
			}
		}
		if n != want || len(bad) != 4 {
			t.Errorf("with a share of %v, %d of %d instances fail, want %d", share, n, len(bad), want)
		}
		if n := statuses(during(r.spans, 9*time.Minute, 10*time.Minute)); len(n) != 1 {
			t.Errorf("after the fault calls end as %v", n)
		}
	}
}

// TestClosedLoop: who gets the batches may change replicas and weights while the mesh runs.
func TestClosedLoop(t *testing.T) {
	v1, v2 := version(2, 4, time.Millisecond, mesh.Constant), version(2, 4, time.Millisecond, mesh.Constant)
	v2.Name = "v2"
	cfg := queue(10*time.Minute, 100, v1)
	cfg.Services[0].Versions = append(cfg.Services[0].Versions, v2)
	m, err := mesh.New(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	acted := false
	late := map[string]int{}
	if err := m.Run(t.Context(), func(b mesh.Batch) error {
		for _, s := range b.Spans {
			if acted {
				late[s.Origin.Version]++
			}
		}
		if !acted && b.Until.Sub(start()) >= 5*time.Minute {
			acted = true
			return errors.Join(
				m.SetWeights("web", map[string]float64{"v1": 100}),
				m.SetReplicas("web", "v1", 7), m.SetReplicas("web", "v2", 0),
			)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want, got := m.Replicas("web", "v1"); want != 7 || got != 7 {
		t.Errorf("%d of %d replicas are ready", got, want)
	}
	if want, got := m.Replicas("web", "v2"); want != 0 || got != 0 {
		t.Errorf("%d of %d replicas of v2 are ready", got, want)
	}
	if late["v1"] < 100*250 || late["v2"] > 0 {
		t.Errorf("afterwards calls went to %v", late)
	}
	for _, err := range []error{
		m.SetReplicas("web", "v3", 1), m.SetReplicas("web", "v1", -1), m.SetWeights("web", nil), m.SetWeights("x", nil),
	} {
		if err == nil {
			t.Error("nonsense was accepted")
		}
	}
}

// TestTelemetryLoss: traffic and truth go on; spans and gauges of the instances concerned do not come.
func TestTelemetryLoss(t *testing.T) {
	base := queue(20*time.Minute, 40, version(4, 2, 10*time.Millisecond, mesh.Exponential))
	for _, tt := range []struct {
		name  string
		fault mesh.Fault
	}{
		{"half of the instances", mesh.Fault{Service: "web", Share: 0.5}},
		{"one of two collectors", mesh.Fault{Share: 1, Collector: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := base
			tt.fault.Kind, tt.fault.From = mesh.TelemetryLoss, 10*time.Minute
			cfg.Faults = []mesh.Fault{tt.fault}
			r, healthy := run(t, cfg, 1), run(t, base, 1)
			total, full := r.total(t, "web"), healthy.total(t, "web")
			if total.Offered != full.Offered || total.Offered != uint64(len(r.spans))+total.Unreported {
				t.Errorf("%d calls, of which %d are not among the %d spans; without the fault %d calls",
					total.Offered, total.Unreported, len(r.spans), full.Offered)
			}
			spoke, gauged := map[string]bool{}, map[string]bool{}
			for _, s := range during(r.spans, 11*time.Minute, 20*time.Minute) {
				spoke[s.Origin.Instance] = true
				if tt.fault.Collector == s.Origin.Collector {
					t.Fatalf("%s speaks through the lost collector", s.Origin.Instance)
				}
			}
			for _, g := range r.gauges {
				if g.At > start().Add(11*time.Minute).UnixNano() {
					gauged[g.Origin.Instance] = true
				}
			}
			if len(spoke) != 2 || len(gauged) != 2 {
				t.Errorf("%d instances report spans, %d gauges", len(spoke), len(gauged))
			}
		})
	}
}
