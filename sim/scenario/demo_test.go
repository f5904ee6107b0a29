package scenario_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
)

// story is what matters of a run of the demo.
type story struct {
	spans, roots, slow int
	truth              mesh.Truth
}

func tell(t *testing.T, s scenario.Scenario) story {
	t.Helper()
	cfg, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(cfg, s.Seed)
	if err != nil {
		t.Fatal(err)
	}
	var out story
	if err := m.Run(t.Context(), func(b mesh.Batch) error {
		out.spans += len(b.Spans)
		for i := range b.Spans {
			if s := &b.Spans[i]; s.Parent == 0 {
				out.roots++
				if s.End-s.Start > int64(2*time.Second) {
					out.slow++
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	out.truth = m.Truth()
	return out
}

// sum adds up the minutes of a service at a version that begin in a stretch of time before the end.
func (s story) sum(service, version string, from, to time.Duration) (c mesh.Counts, utilisation float64) {
	n := 0
	for _, m := range s.truth.Minutes {
		before := s.truth.To.Sub(m.Start)
		if m.Service != service || m.Version != version || before > from || before <= to {
			continue
		}
		c.Offered, c.Served, c.Failed = c.Offered+m.Offered, c.Served+m.Served, c.Failed+m.Failed
		utilisation += m.Utilisation
		n++
	}
	return c, utilisation / float64(n)
}

// TestDemo: the demo has the size and the story that it is meant to have, with and without its fault.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs of the demo take some seconds")
	}
	s := scenario.Default(1)
	sick := tell(t, s)
	s.Healthy = true
	well := tell(t, s)
	for name, one := range map[string]story{"with its fault": sick, "healthy": well} {
		if one.spans < 2_500_000 || one.spans > 4_300_000 || float64(one.slow) > 0.001*float64(one.roots) {
			t.Errorf("%s: %d spans, %d of %d requests above 2 s", name, one.spans, one.slow, one.roots)
		}
		for _, total := range one.truth.Totals {
			if total.Rejected > 0 {
				t.Errorf("%s: %d calls to %s were refused", name, total.Rejected, total.Service)
			}
		}
	}
	if c, busy := well.sum("cart", "v1", 30*time.Minute, 0); busy < 0.52 || busy > 0.75 {
		t.Errorf("cart is busy to %.2f at the end of the ramp, over %d calls", busy, c.Offered)
	}
	if _, busy := well.sum("cart-store", "v1", 30*time.Minute, 0); busy > 0.15 {
		t.Errorf("cart-store is busy to %.2f at the end", busy)
	}
	for _, service := range []string{"front", "catalog", "cart", "cart-store", "checkout", "payment", "inventory"} {
		if c, _ := well.sum(service, "v1", time.Hour, 0); float64(c.Failed) > 0.015*float64(c.Served) {
			t.Errorf("healthy, %d of %d calls to %s fail at the end", c.Failed, c.Served, service)
		}
	}
	bad, _ := sick.sum("catalog", "v2", 20*time.Minute, 0)
	fine, _ := sick.sum("catalog", "v1", 20*time.Minute, 0)
	if rate := float64(bad.Failed) / float64(bad.Served); rate < 0.25 || float64(fine.Failed) > 0.01*float64(fine.Served) {
		t.Errorf("in the fault %d of %d calls to v2 fail, and %d of %d to v1", bad.Failed, bad.Served, fine.Failed, fine.Served)
	}
}
