package mesh_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

func start() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// queue is one service of one version under a steady load.
func queue(length time.Duration, rate float64, v mesh.Version) mesh.Config {
	return mesh.Config{
		Name: "queue", Start: start(), Length: length, Cluster: "c", Namespace: "n", Load: steady(rate),
		Services: []mesh.Service{service("web", v)},
	}
}

func steady(rate float64) mesh.Load {
	return mesh.Load{Rate: rate, Weekly: [7]float64{1, 1, 1, 1, 1, 1, 1}}
}

func service(name string, versions ...mesh.Version) mesh.Service {
	return mesh.Service{Name: name, Entry: 1, Balancer: mesh.LeastLoaded, Queue: 1e6, Versions: versions}
}

// behind is a service that only others call.
func behind(name string, versions ...mesh.Version) mesh.Service {
	s := service(name, versions...)
	s.Entry = 0
	return s
}

func version(replicas, workers int, work time.Duration, how mesh.Variability) mesh.Version {
	return mesh.Version{Name: "v1", Weight: 1, Replicas: replicas, Workers: workers, Work: work, Variability: how, Spread: 0.5}
}

// pair is a service a that calls b in each of its calls.
func pair(length time.Duration, rate float64, call mesh.Call) mesh.Config {
	cfg := queue(length, rate, version(2, 4, 5*time.Millisecond, mesh.Exponential))
	cfg.Services[0].Name = "a"
	call.To, call.Probability = "b", 1
	call.Attempts = max(1, call.Attempts)
	cfg.Services[0].Calls = []mesh.Call{call}
	cfg.Services = append(cfg.Services, behind("b", version(2, 4, 5*time.Millisecond, mesh.Exponential)))
	return cfg
}

// result is everything a run reported.
type result struct {
	mesh    *mesh.Mesh
	truth   mesh.Truth
	spans   []mesh.Span
	gauges  []mesh.Gauge
	batches int
}

func run(t *testing.T, cfg mesh.Config, seed uint64) result {
	t.Helper()
	m, err := mesh.New(cfg, seed)
	if err != nil {
		t.Fatal(err)
	}
	r := result{mesh: m}
	if err := m.Run(t.Context(), func(b mesh.Batch) error {
		r.spans = append(r.spans, b.Spans...)
		r.gauges = append(r.gauges, b.Gauges...)
		r.batches++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.truth = m.Truth()
	return r
}

func (r result) of(service string) []mesh.Span {
	return slices.DeleteFunc(slices.Clone(r.spans), func(s mesh.Span) bool { return s.Origin.Service != service })
}

func (r result) total(t *testing.T, service string) mesh.Counts {
	t.Helper()
	for _, total := range r.truth.Totals {
		if total.Service == service {
			return total.Counts
		}
	}
	t.Fatalf("the truth knows no %s", service)
	return mesh.Counts{}
}

// statuses counts how calls ended.
func statuses(spans []mesh.Span) map[int]int {
	n := map[int]int{}
	for i := range spans {
		n[spans[i].Status]++
	}
	return n
}

// mean duration in seconds.
func mean(spans []mesh.Span) float64 {
	sum := 0.0
	for i := range spans {
		sum += float64(spans[i].End-spans[i].Start) / 1e9
	}
	return sum / float64(len(spans))
}

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s is %.5g, want %.5g within %.1f %%", what, got, want, share*100)
	}
}

// during are the spans that began between two times after the start.
func during(spans []mesh.Span, from, to time.Duration) []mesh.Span {
	low, high := start().Add(from).UnixNano(), start().Add(to).UnixNano()
	return slices.DeleteFunc(slices.Clone(spans), func(s mesh.Span) bool { return s.Start < low || s.Start >= high })
}
