package guard_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/guard"
	"github.com/weirmesh/weir/schemas"
)

func decision(kind schemas.DecisionKind, from, to float64, facts ...schemas.Fact) schemas.Decision {
	return schemas.Decision{
		Kind: kind, Verdict: schemas.Propose, Current: from, Proposed: to, Evidence: facts,
		Target: schemas.Workload{Cluster: "c", Namespace: "shop", Name: "cart", Version: "v1"},
	}
}

// proof is the evidence that a reduction needs; facts replace those of the same name, NaN takes one away.
func proof(facts ...schemas.Fact) []schemas.Fact {
	out := []schemas.Fact{
		{Name: "completeness_lowest", Value: 0.99},
		{Name: "history_hours", Value: 48},
		{Name: "load_day_peak", Value: 100},
		{Name: "load_seen_high", Value: 60},
	}
	for _, f := range facts {
		i := slices.IndexFunc(out, func(o schemas.Fact) bool { return o.Name == f.Name })
		if i >= 0 {
			out = slices.Delete(out, i, i+1)
		}
		if !math.IsNaN(f.Value) {
			out = append(out, f)
		}
	}
	return out
}

func in(from, to float64, facts ...schemas.Fact) schemas.Decision {
	return decision(schemas.Scale, from, to, proof(facts...)...)
}

func has(n float64, owners ...cluster.Owner) guard.State {
	return guard.State{Known: true, Object: "Deployment shop/cart-v1", Actual: n, Owners: owners}
}

func TestCheck(t *testing.T) {
	var nobody guard.State
	out := func(from, to float64) schemas.Decision { return decision(schemas.Scale, from, to) }
	shift := func(from, to float64) schemas.Decision { return decision(schemas.Shift, from, to) }
	hpa := cluster.Owner{By: "HorizontalPodAutoscaler shop/h", Instead: "change its minReplicas (now 2)"}
	argo := cluster.Owner{By: "Argo CD application shop", Instead: "change it in the repository", Tracks: true}
	for _, tt := range []struct {
		name   string
		limits func(*guard.Limits)
		d      schemas.Decision
		now    guard.State
		want   float64 // proposed; -1 = refused
		rule   string
		says   string
	}{
		{name: "out", d: out(3, 5), now: has(3), want: 5},
		{name: "out, nobody looked", d: out(3, 5), now: nobody, want: 5},
		{name: "out, from less than assumed", d: out(3, 5), now: has(4), want: 5},
		{name: "out, already there", d: out(3, 5), now: has(6), want: -1, rule: "already_there", says: "Current state says 6 replicas, the decision assumed 3: 5 would not help."},
		{name: "out, just there", d: out(3, 5), now: has(5), want: -1, rule: "already_there"},
		{name: "out, too fast", d: out(3, 9), now: has(3), want: 6, rule: "max_step_out", says: "9 replicas are asked for; from 3 at most 6 at once (factor 2, or one more)."},
		{name: "out, too fast for what there is", d: out(6, 9), now: has(2), want: 4, rule: "max_step_out"},
		{name: "one more is always allowed", limits: func(l *guard.Limits) { l.MaxStepOut = 1 }, d: out(3, 9), now: has(3), want: 4, rule: "max_step_out"},
		{name: "from nothing", d: out(0, 4), now: has(0), want: 1, rule: "max_step_out"},
		{name: "out, too many", d: out(40, 70), now: has(40), want: 50, rule: "max_replicas", says: "70 replicas are asked for, at most 50 are allowed."},
		{name: "out, too many already", d: out(60, 70), now: has(60), want: -1, rule: "max_replicas"},
		{name: "nothing to change", d: out(3, 3), now: has(6), want: -1, rule: "already_there", says: "keeps 3 replicas"},

		{name: "in", d: in(4, 3), now: has(4), want: 3},
		{name: "in, nobody looked", d: in(4, 3), now: nobody, want: 3},
		{name: "in, too fast", d: in(8, 2, schemas.Fact{Name: "load_seen_high", Value: 99}), now: has(8), want: 4, rule: "max_step_in", says: "from 8 at least 4 have to stay at once (50 percent may go)"},
		{name: "in, too few", limits: func(l *guard.Limits) { l.MinReplicas = 3 }, d: in(4, 2), now: has(4), want: 3, rule: "min_replicas", says: "at least 3 have to stay"},
		{name: "in, too few already", limits: func(l *guard.Limits) { l.MinReplicas = 4 }, d: in(4, 2), now: has(4), want: -1, rule: "min_replicas"},
		{name: "in, already there", d: in(4, 3), now: has(2), want: -1, rule: "already_there"},
		{
			name: "in, on half of the telemetry", d: in(3, 2), now: has(6), want: -1, rule: "partial_telemetry",
			says: "Deployment shop/cart-v1 has 6 replicas, the decision saw only 3 of them",
		},
		{name: "in, fewer seen than assumed", d: in(6, 4, schemas.Fact{Name: "instances_seen", Value: 3}), now: has(6), want: -1, rule: "partial_telemetry"},
		{name: "in, all seen", d: in(6, 4, schemas.Fact{Name: "instances_seen", Value: 6}), now: has(6), want: 4},
		{name: "in, incomplete", d: in(4, 3, schemas.Fact{Name: "completeness_lowest", Value: 0.97}), now: has(4), want: -1, rule: "evidence", says: "only 0.97 complete, 0.98 is needed"},
		{name: "in, completeness not said", d: in(4, 3, schemas.Fact{Name: "completeness_lowest", Value: math.NaN()}), now: has(4), want: -1, rule: "evidence"},
		{name: "in, a short history", d: in(4, 3, schemas.Fact{Name: "history_hours", Value: 23.9}), now: has(4), want: -1, rule: "evidence", says: "23.9 h of history, 24 h"},
		{name: "in, history not said", d: in(4, 3, schemas.Fact{Name: "history_hours", Value: math.NaN()}), now: has(4), want: -1, rule: "evidence"},
		{name: "in, no evidence at all, nobody looked", d: out(4, 3), now: nobody, want: -1, rule: "evidence"},
		{name: "in, beyond what was observed", d: in(4, 3, schemas.Fact{Name: "load_seen_high", Value: 30}), now: has(4), want: -1, rule: "range", says: "33.33 calls/s each at the day's peak, no more than 30"},
		{name: "in, range not said", d: in(4, 3, schemas.Fact{Name: "load_seen_high", Value: math.NaN()}), now: has(4), want: -1, rule: "range"},

		{name: "owned", d: out(3, 5), now: has(3, hpa), want: -1, rule: "owned", says: "HorizontalPodAutoscaler shop/h owns it: change its minReplicas (now 2)."},
		{name: "kept in a repository", d: out(3, 5), now: has(3, argo), want: 5},
		{name: "kept in a repository and owned", d: out(3, 5), now: has(3, argo, hpa), want: -1, rule: "owned"},
		{name: "it does not say", d: out(3, 5), now: has(math.NaN()), want: -1, rule: "unknown_now", says: "does not say how many replicas it has"},
		{name: "frozen", limits: func(l *guard.Limits) { l.Frozen = []string{"c/shop/cart"} }, d: out(3, 5), now: has(3), want: -1, rule: "frozen", says: "c/shop/cart is frozen"},
		{name: "frozen with its namespace", limits: func(l *guard.Limits) { l.Frozen = []string{"*/shop/*"} }, d: out(3, 5), now: has(3), want: -1, rule: "frozen"},
		{name: "others are frozen", limits: func(l *guard.Limits) { l.Frozen = []string{"c/shop/pay", "*/other/*"} }, d: out(3, 5), now: has(3), want: 5},

		{name: "shift", d: shift(50, 0), now: has(50), want: 0},
		{name: "shift, already there", d: shift(50, 20), now: has(20), want: -1, rule: "already_there"},
		{name: "shift, further already", d: shift(50, 20), now: has(5), want: -1, rule: "already_there", says: "Current state says 5 percent, the decision assumed 50"},
		{name: "shift on", d: shift(10, 30), now: has(10), want: 30},
		{name: "shift, too far off", limits: func(l *guard.Limits) { l.MaxShift = 20 }, d: shift(50, 0), now: has(50), want: 30, rule: "max_shift", says: "from 50 percent at most 20 percentage points"},
		{name: "shift, too far on", limits: func(l *guard.Limits) { l.MaxShift = 20 }, d: shift(50, 100), now: has(33.3), want: 53, rule: "max_shift"},
		{name: "shift, below the least share", limits: func(l *guard.Limits) { l.MinShare = 5 }, d: shift(50, 0), now: has(50), want: 5, rule: "min_share"},
		{name: "shift, at the least share", limits: func(l *guard.Limits) { l.MinShare = 5 }, d: shift(50, 0), now: has(4), want: -1, rule: "min_share"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := guard.Default()
			if tt.limits != nil {
				tt.limits(&limits)
			}
			if err := limits.Validate(); err != nil {
				t.Fatal(err)
			}
			v := guard.Check(limits, tt.d, tt.now)
			if v.Refused != (tt.want < 0) || !v.Refused && v.Proposed != tt.want || v.Rule != tt.rule || !strings.Contains(v.Reason, tt.says) {
				t.Errorf("got %+v", v)
			}
			if (v.Rule == "") != (v.Reason == "") {
				t.Errorf("rule %q without reason %q", v.Rule, v.Reason)
			}
		})
	}
}

func TestDeclinesAndThePast(t *testing.T) {
	d := decision(schemas.Scale, 3, 5)
	d.Replay = true
	if v := guard.Check(guard.Default(), d, has(3)); !v.ReportOnly || v.Refused {
		t.Errorf("a decision about the past: %+v", v)
	}
	d.Verdict = schemas.Decline
	if v := guard.Check(guard.Default(), d, has(3)); !v.Refused {
		t.Errorf("a decline: %+v", v)
	}
}

// TestNeverMore tries all small decisions on all small states: what comes out goes in the direction that was asked for, no further than
// was asked for, from what there is.
func TestNeverMore(t *testing.T) {
	limits := guard.Default()
	for from := range 13 {
		for to := 1; to < 13; to++ {
			for actual := range 13 {
				d := in(float64(from), float64(to), schemas.Fact{Name: "load_seen_high", Value: 1000}, schemas.Fact{Name: "instances_seen", Value: 100})
				v := guard.Check(limits, d, has(float64(actual)))
				if v.Refused {
					continue
				}
				got := int(v.Proposed)
				if to > from && (got <= actual || got > to || got > max(2*actual, actual+1)) {
					t.Errorf("%d -> %d at %d: %d", from, to, actual, got)
				}
				if to <= from && (to == from || got >= actual || got < to || 2*got < actual) {
					t.Errorf("%d -> %d at %d: %d", from, to, actual, got)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, bad := range []func(*guard.Limits){
		func(l *guard.Limits) { l.MinReplicas = 0 },
		func(l *guard.Limits) { l.MaxReplicas = 0 },
		func(l *guard.Limits) { l.MaxStepOut = 0.5 },
		func(l *guard.Limits) { l.MaxStepIn = 1 },
		func(l *guard.Limits) { l.MinShare = 101 },
		func(l *guard.Limits) { l.MaxShift = -1 },
		func(l *guard.Limits) { l.MinCompleteness = 0 },
		func(l *guard.Limits) { l.MinHistory = -1 },
		func(l *guard.Limits) { l.Frozen = []string{"["} },
	} {
		l := guard.Default()
		bad(&l)
		if l.Validate() == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range guard.Rules() {
		if seen[r.Name] || r.Name == "" || strings.Contains(r.Name, " ") || !strings.HasSuffix(r.Says, ".") {
			t.Errorf("rule %+v", r)
		}
		seen[r.Name] = true
	}
}
