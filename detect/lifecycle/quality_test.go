package lifecycle_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/weirmesh/weir/detect/lifecycle"
	"github.com/weirmesh/weir/detect/residual"
	"github.com/weirmesh/weir/schemas"
)

// healthy is a mesh in which nothing is wrong, and much is awkward: few calls, heavy tails, timeouts, queueing, wandering.
func healthy() []service {
	return []service{
		{name: "exp", version: "v1", rate: 3, errors: 0.01, meanMs: 50, load: 0.5},
		{name: "exp", version: "v2", rate: 0.6, errors: 0.01, meanMs: 50, load: 0.5},
		{name: "heavy", version: "v1", rate: 5, errors: 0.004, meanMs: 20, sigma: 1.2, wander: 0.1},
		{name: "timeout", version: "v1", rate: 8, errors: 0.01, meanMs: 50, sigma: 0.8, timeouts: 1e-4},
		{name: "timeout", version: "v2", rate: 1.2, errors: 0.005, meanMs: 50, sigma: 0.8, timeouts: 1e-4},
		{name: "steady", rate: 12, meanMs: 120, sigma: 0.2, wander: 0.2, load: 0.3},
	}
}

// traffic is the daily shape; on the second day it grows to 1.8 times in an hour, stays for an hour, and falls back.
func traffic(i int) float64 {
	const from, hour = 8640 + 2160, 360
	share := daily(i)
	switch k := float64(i-from) / hour; {
	case k > 0 && k <= 1:
		share *= 1 + 0.8*k
	case k > 1 && k <= 2:
		share *= 1.8
	case k > 2 && k < 3:
		share *= 1.8 - 0.8*(k-2)
	}
	return share / 1.3
}

// quietDays counts pending and firing findings in two healthy days.
func quietDays(seed uint64) (pending, firing []schemas.Finding) {
	set := lifecycle.NewSet(residual.New)
	var services []*service
	for _, s := range healthy() {
		services = append(services, s.seed(seed))
	}
	for i := range 2 * 8640 {
		var windows []schemas.ServiceWindow
		for _, s := range services {
			if w, ok := s.window(i, traffic(i), fault{}); ok {
				windows = append(windows, w)
			}
		}
		found := set.Observe(at(i+1), windows)
		pending = append(pending, states(found, schemas.Pending)...)
		firing = append(firing, states(found, schemas.Firing)...)
	}
	return pending, firing
}

// 20 seeds of two days of 12 series: 480 series-days.
func TestHealthyDaysAreSilent(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 2
	}
	var (
		mu              sync.Mutex // guards what follows
		pending, firing []schemas.Finding
		wg              sync.WaitGroup
	)
	for half := range 2 {
		wg.Go(func() {
			for seed := half; seed < seeds; seed += 2 {
				p, f := quietDays(uint64(seed))
				mu.Lock()
				pending, firing = append(pending, p...), append(firing, f...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, f := range firing {
		t.Errorf("%s (score %.1f of %.1f)", f.Explanation, f.Score, f.Threshold)
	}
	t.Logf("%d series-days: %d pending, %d firing", seeds*2*12, len(pending), len(firing))
	if len(pending) > 2*seeds {
		t.Errorf("%d findings were pending in %d days", len(pending), 2*seeds)
	}
}

// How many windows after its start a fault fires. Half of all runs must be within median, nearly all within late.
func TestDetectionDelay(t *testing.T) {
	const runs = 100
	for _, c := range []struct {
		name         string
		rate, errors float64
		sigma        float64
		fault        fault
		median, late int
	}{
		{"errors 1 -> 35 %, 5 calls", 0.5, 0.01, 0, fault{errors: 0.34}, 4, 8},
		{"errors 0.4 -> 35 %, 6 calls", 0.6, 0.004, 0, fault{errors: 0.346}, 3, 7},
		{"errors 1 -> 35 %, 10 calls", 1, 0.01, 0, fault{errors: 0.34}, 2, 5},
		{"errors 1 -> 35 %, 30 calls", 3, 0.01, 0, fault{errors: 0.34}, 2, 3},
		{"errors 1 -> 10 %, 30 calls", 3, 0.01, 0, fault{errors: 0.09}, 6, 20},
		{"errors 1 -> 5 %, 200 calls", 20, 0.01, 0, fault{errors: 0.04}, 3, 6},
		{"latency x4, 5 calls, exponential", 0.5, 0.01, 0, fault{slower: 4}, 5, 12},
		{"latency x4, 6 calls, lognormal 0.8", 0.6, 0.01, 0.8, fault{slower: 4}, 3, 6},
		{"latency x4, 10 calls, exponential", 1, 0.01, 0, fault{slower: 4}, 3, 5},
		{"latency x4, 30 calls, lognormal 1.2", 3, 0.01, 1.2, fault{slower: 4}, 2, 4},
		{"latency x2, 30 calls, lognormal 0.8", 3, 0.01, 0.8, fault{slower: 2}, 3, 6},
		{"5 % of calls x20, 200 calls", 20, 0.01, 0.8, fault{slower: 20, slow: 0.05}, 2, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var delays []int
			for seed := range runs {
				s := (&service{name: "a", version: "v", rate: c.rate, errors: c.errors, meanMs: 50, sigma: c.sigma}).seed(uint64(seed))
				delays = append(delays, delay(s, c.fault))
			}
			slices.Sort(delays)
			within := func(n int) int { return 100 * len(delays[:upper(delays, n)]) / runs }
			t.Logf("within 2, 3, 4, 6 windows: %d, %d, %d, %d %%; median %d, 95 %% within %d",
				within(2), within(3), within(4), within(6), delays[runs/2], delays[runs*95/100])
			if delays[runs/2] > c.median || delays[runs*95/100] > c.late {
				t.Errorf("median %d, want %d; 95 %% within %d, want %d", delays[runs/2], c.median, delays[runs*95/100], c.late)
			}
		})
	}
}

func upper(sorted []int, n int) int {
	i, _ := slices.BinarySearch(sorted, n+1)
	return i
}

// delay is the number of windows from the start of the fault to the one after which it fires, 99 if it does not within 40.
func delay(s *service, wrong fault) int {
	const history = 600
	set := lifecycle.NewSet(residual.New)
	run(set, []*service{s}, 0, history, fine)
	for i := history; i < history+40; i++ {
		if len(states(run(set, []*service{s}, i, i+1, func(int, *service) *fault { return &wrong }), schemas.Firing)) > 0 {
			return i - history + 1
		}
	}
	return 99
}

func BenchmarkSet(b *testing.B) {
	set := lifecycle.NewSet(residual.New)
	var services []*service
	for _, s := range healthy() {
		services = append(services, s.seed(1))
	}
	steps := make([][]schemas.ServiceWindow, 720)
	for i := range steps {
		for _, s := range services {
			if w, ok := s.window(i, 1, fault{}); ok {
				steps[i] = append(steps[i], w)
			}
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		set.Observe(at(i+1), steps[i%len(steps)])
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*12), "ns/observation")
}
