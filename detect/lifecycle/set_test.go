package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect/lifecycle"
	"github.com/weirmesh/weir/detect/residual"
	"github.com/weirmesh/weir/schemas"
)

// run steps a set through windows [from, to) of the services; wrong says what is wrong with each, and nil drops its window.
func run(set *lifecycle.Set, services []*service, from, to int, wrong func(i int, s *service) *fault) []schemas.Finding {
	var out []schemas.Finding
	for i := from; i < to; i++ {
		var windows []schemas.ServiceWindow
		for _, s := range services {
			if f := wrong(i, s); f != nil {
				if w, ok := s.window(i, 1, *f); ok {
					windows = append(windows, w)
				}
			}
		}
		out = append(out, set.Observe(at(i+1), windows)...)
	}
	return out
}

func fine(int, *service) *fault { return &fault{} }

func states(fs []schemas.Finding, of schemas.FindingState) (out []schemas.Finding) {
	for _, f := range fs {
		if f.State == of {
			out = append(out, f)
		}
	}
	return out
}

func pair() []*service {
	return []*service{
		(&service{name: "checkout", version: "v1", rate: 2.4, errors: 0.004, meanMs: 50, sigma: 0.8}).seed(1),
		(&service{name: "checkout", version: "v2", rate: 0.6, errors: 0.004, meanMs: 50, sigma: 0.8}).seed(1),
	}
}

func v2Fails(from, to int) func(int, *service) *fault {
	return func(i int, s *service) *fault {
		if s.version == "v2" && i >= from && i < to {
			return &fault{errors: 0.35}
		}
		return &fault{}
	}
}

func TestAFaultFromBeginToEnd(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	services := pair()
	if early := run(set, services, 0, 1000, fine); len(early) > 0 || set.Firing("c/shop/checkout") {
		t.Fatalf("healthy: %v", early)
	}
	during := run(set, services, 1000, 1060, v2Fails(1000, 1060))
	firing := states(during, schemas.Firing)
	if len(firing) == 0 || firing[0].Workload.Version != "v2" || firing[0].UpdatedAt.After(at(1004)) {
		t.Fatalf("published %s", short(during))
	}
	if f := firing[0]; f.Severity != schemas.SeverityCritical || !strings.Contains(f.Explanation, "v1 is at") || f.Score < f.Threshold {
		t.Errorf("finding %+v", f)
	}
	if !set.Firing("c/shop/checkout") || set.Firing("c/shop/cart") {
		t.Error("the workload does not fire, or another does")
	}
	if active := set.Active(); len(active) != 1 || active[0].ID != firing[0].ID {
		t.Errorf("active %v", active)
	}
	after := run(set, services, 1060, 1100, fine)
	if len(after) != 1 || after[0].State != schemas.Resolved || set.Firing("c/shop/checkout") || len(set.Active()) != 0 {
		t.Fatalf("after the fault %s", short(after))
	}
	if strings.Contains(after[0].Explanation, "not known") || after[0].UpdatedAt.After(at(1072)) {
		t.Errorf("resolved %v: %s", after[0].UpdatedAt, after[0].Explanation)
	}
}

func TestTheFaultIsNotLearned(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	services := pair()
	run(set, services, 0, 1000, fine)
	// Three hours at 35 %, then an hour of health, then the same again: it is as strange as the first time.
	first := states(run(set, services, 1000, 2080, v2Fails(1000, 2080)), schemas.Firing)
	run(set, services, 2080, 2440, fine)
	second := states(run(set, services, 2440, 2460, v2Fails(2440, 2460)), schemas.Firing)
	if len(first) != 1 || len(second) != 1 || second[0].UpdatedAt.After(at(2445)) || second[0].Expected > 0.01 {
		t.Errorf("first %s, second %s", short(first), short(second))
	}
}

func TestAcceptedLatencyIsTheNewLevel(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	services := pair()[:1]
	slower := func(int, *service) *fault { return &fault{slower: 2} }
	run(set, services, 0, 1000, fine)
	all := run(set, services, 1000, 3400, slower)
	end := all[len(all)-1]
	if end.State != schemas.Resolved || !strings.Contains(end.Explanation, "taken as how things are") {
		t.Fatalf("published %s", short(all))
	}
	if more := run(set, services, 3400, 5000, slower); len(more) > 0 {
		t.Errorf("twice as slow is normal now, but %s", short(more))
	}
}

func TestSilenceEndsAFinding(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	services := pair()
	run(set, services, 0, 1000, fine)
	run(set, services, 1000, 1010, v2Fails(1000, 1010))
	if !set.Firing("c/shop/checkout") {
		t.Fatal("it does not fire")
	}
	silent := run(set, services, 1010, 1090, func(_ int, s *service) *fault {
		if s.version == "v2" {
			return nil
		}
		return &fault{}
	})
	if len(silent) != 1 || silent[0].State != schemas.Resolved || !strings.Contains(silent[0].Explanation, "not known whether it recovered") {
		t.Fatalf("published %s", short(silent))
	}
	if waited := silent[0].UpdatedAt.Sub(at(1010)); waited < 10*time.Minute || waited > 11*time.Minute {
		t.Errorf("after %v", waited)
	}
}

// What arrives in which order within a step makes no difference.
func TestOrderWithinAStep(t *testing.T) {
	var runs [2][]schemas.Finding
	for k := range runs {
		set := lifecycle.NewSet(residual.New)
		rng := rand.New(rand.NewPCG(uint64(k), 3))
		var services []*service
		for n := range 6 {
			s := service{name: fmt.Sprint("s", n/2), version: fmt.Sprint("v", n%2), rate: 2, errors: 0.01, meanMs: 30}
			services = append(services, s.seed(5))
		}
		for i := range 1100 {
			var windows []schemas.ServiceWindow
			for _, s := range services {
				f := fault{}
				if i >= 1000 && i < 1050 {
					f = fault{errors: 0.3, slower: 4}
				}
				if w, ok := s.window(i, 1, f); ok {
					windows = append(windows, w)
				}
			}
			if k == 1 {
				rng.Shuffle(len(windows), func(i, j int) { windows[i], windows[j] = windows[j], windows[i] })
			}
			runs[k] = append(runs[k], set.Observe(at(i+1), windows)...)
		}
	}
	if len(runs[0]) < 12 || !reflect.DeepEqual(runs[0], runs[1]) {
		t.Errorf("%d and %d findings, or they differ", len(runs[0]), len(runs[1]))
	}
}

func TestWindowsThatWeirActedOnAreNotLearned(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	s := pair()[0]
	for i := range 2000 {
		w, _ := s.window(i, 1, fault{})
		w.ActedOn = true
		set.Observe(at(i+1), []schemas.ServiceWindow{w})
	}
	if got := run(set, []*service{s}, 2000, 2010, func(int, *service) *fault { return &fault{errors: 0.5} }); len(got) > 0 {
		t.Errorf("judged without history: %s", short(got))
	}
}

func TestSeriesAreForgottenAfterADay(t *testing.T) {
	set := lifecycle.NewSet(residual.New)
	services := pair()[:1]
	run(set, services, 0, 1000, fine)
	run(set, nil, 1000, 1000+8700, fine)
	if got := run(set, services, 9700, 9800, func(int, *service) *fault { return &fault{errors: 0.5} }); len(got) > 0 {
		t.Errorf("history was kept: %s", short(got))
	}
}
