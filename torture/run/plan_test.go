package run_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/torture/run"
)

func config(seed uint64) run.Config {
	return run.Config{Seed: seed, Kills: 40, Collectors: 2, Features: 3, Away: time.Minute, Disks: true}
}

func TestPlan(t *testing.T) {
	for seed := range uint64(50) {
		plan := run.Plan(config(seed))
		if !reflect.DeepEqual(plan, run.Plan(config(seed))) {
			t.Fatalf("seed %d: two plans", seed)
		}
		if !slices.IsSortedFunc(plan, func(a, b run.Harm) int { return int(1e9 * (a.At - b.At)) }) || plan[0].At < 0 || plan[len(plan)-1].At >= 1 {
			t.Errorf("seed %d: harms are not in order, or not within the run", seed)
		}
		kinds, kills, late := map[run.Kind]int{}, 0, 0
		for _, h := range plan {
			kinds[h.Kind]++
			if h.Kills() {
				kills++
				if h.At > 0.5 {
					late++
				}
			}
			if len(h.Targets) == 0 || h.For < 0 || h.For > time.Minute {
				t.Errorf("seed %d: %+v", seed, h)
			}
		}
		if kills != 40 || late < 18 || late > 22 || len(plan) != 80 || kinds[run.Away] != 1 {
			t.Errorf("seed %d: %d kills, %d in the second half, %d harms, %d times away", seed, kills, late, len(plan), kinds[run.Away])
		}
		for _, k := range run.Kinds() {
			if kinds[k] == 0 {
				t.Errorf("seed %d: no %s", seed, k)
			}
		}
	}
}

// TestPlanOfApache leaves one of the nodes alone, and their disks too.
func TestPlanOfApache(t *testing.T) {
	cfg := config(7)
	cfg.Apache, cfg.Short, cfg.Kills = 2, true, 200
	nodes := 0
	for _, h := range run.Plan(cfg) {
		kafka := 0
		for _, target := range h.Targets {
			if strings.HasPrefix(target, "kafka-") {
				kafka++
			}
			if target == "broker" || target == "clients>broker" {
				t.Errorf("%+v is about the embedded broker", h)
			}
		}
		nodes += kafka
		if kafka > 1 || kafka > 0 && h.Kind == run.Full || h.Kind == run.Freeze {
			t.Errorf("%+v should not be", h)
		}
	}
	if nodes == 0 {
		t.Error("no node is hurt")
	}
	if other := run.Plan(config(8)); reflect.DeepEqual(other, run.Plan(config(9))) {
		t.Error("two seeds have one plan")
	}
}
