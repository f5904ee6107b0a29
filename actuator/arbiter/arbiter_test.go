package arbiter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/actuator/arbiter"
	"github.com/weirmesh/weir/schemas"
)

var noon = time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// decision is a proposal made some minutes after noon, valid for ten.
func decision(kind schemas.DecisionKind, target string, made int, from, to float64) schemas.Decision {
	name, version, _ := strings.Cut(target, "@")
	d := schemas.Decision{
		Kind: kind, Verdict: schemas.Propose, MadeAt: at(made), ValidUntil: at(made + 10), Current: from, Proposed: to, Code: "test",
		Target: schemas.Workload{Cluster: "c", Namespace: "shop", Name: name, Version: version},
	}
	d.ID = d.Identity()
	return d
}

func scale(target string, made int, from, to float64) schemas.Decision {
	return decision(schemas.Scale, target, made, from, to)
}

func shift(target string, made int, from, to float64) schemas.Decision {
	return decision(schemas.Shift, target, made, from, to)
}

func decline(target string, made int, cause string) schemas.Decision {
	d := scale(target, made, 3, 3)
	d.Verdict, d.Code, d.Reason, d.Cause = schemas.Decline, "poor_fit", "The fit is poor.", cause
	d.ID = d.Identity()
	return d
}

func caused(d schemas.Decision) schemas.Decision {
	d.Cause = "f-1"
	d.ID = d.Identity()
	return d
}

// step is some decisions that are settled together.
type step struct {
	at        int
	decisions []schemas.Decision
	want      []string // verdict and rule of each
}

func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"one", []step{{0, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, []string{"won"}}}},
		{"a renewal", []step{
			{0, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, []string{"won"}},
			{5, []schemas.Decision{scale("cart@v1", 5, 3, 6)}, []string{"won"}},
		}},
		{"an older one comes late", []step{
			{5, []schemas.Decision{scale("cart@v1", 5, 3, 8)}, []string{"won"}},
			{5, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, []string{"superseded newest"}},
		}},
		{"two at once", []step{{5, []schemas.Decision{scale("cart@v1", 0, 3, 6), scale("cart@v1", 5, 3, 8)}, []string{"superseded newest", "won"}}}},
		{"more wins where both are as old", []step{{0, []schemas.Decision{scale("cart@v1", 0, 3, 6), scale("cart@v1", 0, 3, 8)}, []string{"superseded newest", "won"}}}},
		{"out beats in", []step{{5, []schemas.Decision{scale("cart@v1", 0, 3, 6), scale("cart@v1", 5, 3, 2)}, []string{"won", "superseded scale_out_first"}}}},
		{"out replaces in", []step{
			{0, []schemas.Decision{scale("cart@v1", 0, 3, 2)}, []string{"won"}},
			{5, []schemas.Decision{scale("cart@v1", 5, 3, 6)}, []string{"won"}},
			{6, []schemas.Decision{scale("cart@v1", 6, 3, 2)}, []string{"superseded scale_out_first"}},
		}},
		{"in again once out has expired", []step{
			{0, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, []string{"won"}},
			{10, []schemas.Decision{scale("cart@v1", 10, 3, 2)}, []string{"won"}},
		}},
		{"targets are apart", []step{{0, []schemas.Decision{
			scale("cart@v1", 0, 3, 6), scale("cart@v2", 0, 3, 2), scale("pay@v1", 0, 3, 2),
		}, []string{"won", "won", "won"}}}},
		{"kinds are apart", []step{{0, []schemas.Decision{scale("cart@v1", 0, 3, 6), shift("cart@v1", 0, 50, 0)}, []string{"won", "won"}}}},
		{"no reduction of any version during a shift", []step{
			{0, []schemas.Decision{shift("cart@v2", 0, 50, 0)}, []string{"won"}},
			{
				1,
				[]schemas.Decision{scale("cart@v1", 1, 3, 2), scale("cart@v2", 1, 3, 2), scale("pay@v1", 1, 3, 2)},
				[]string{"superseded no_reduction_during_shift", "superseded no_reduction_during_shift", "won"},
			},
			{10, []schemas.Decision{scale("cart@v1", 10, 3, 2)}, []string{"won"}},
		}},
		{"a shift at the same instant", []step{{
			0,
			[]schemas.Decision{scale("cart@v1", 0, 3, 2), shift("cart@v2", 0, 50, 0)},
			[]string{"superseded no_reduction_during_shift", "won"},
		}}},
		{"a shift still allows growth", []step{{0, []schemas.Decision{scale("cart@v1", 0, 3, 6), shift("cart@v2", 0, 50, 0)}, []string{"won", "won"}}}},
		{"a renewed shift still blocks", []step{
			{0, []schemas.Decision{shift("cart@v2", 0, 50, 0)}, []string{"won"}},
			{5, []schemas.Decision{shift("cart@v2", 5, 50, 0)}, []string{"won"}},
			{12, []schemas.Decision{scale("cart@v1", 12, 3, 2)}, []string{"superseded no_reduction_during_shift"}},
		}},
		{"a finding that leads to nothing blocks too", []step{
			{0, []schemas.Decision{decline("cart@v2", 0, "f-1")}, []string{"declined poor_fit"}},
			{1, []schemas.Decision{scale("cart@v1", 1, 3, 2)}, []string{"superseded no_reduction_during_shift"}},
		}},
		{"a finding whose decision was replaced blocks on", []step{
			{0, []schemas.Decision{caused(scale("cart@v2", 0, 3, 6))}, []string{"won"}},
			{1, []schemas.Decision{scale("cart@v2", 1, 3, 7)}, []string{"won"}},
			{2, []schemas.Decision{scale("cart@v1", 2, 3, 2)}, []string{"superseded no_reduction_during_shift"}},
		}},
		{"another decline blocks nothing and replaces nothing", []step{
			{0, []schemas.Decision{scale("cart@v1", 0, 3, 2)}, []string{"won"}},
			{1, []schemas.Decision{decline("cart@v1", 1, "")}, []string{"declined poor_fit"}},
			{2, []schemas.Decision{scale("cart@v1", 1, 4, 3)}, []string{"won"}},
		}},
		{"too late", []step{{10, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, []string{"expired expired"}}}},
		{"a late shift blocks nothing", []step{
			{10, []schemas.Decision{shift("cart@v2", 0, 50, 0), scale("cart@v1", 10, 3, 2)}, []string{"expired expired", "won"}},
		}},
		{"from the future", []step{{0, []schemas.Decision{scale("cart@v1", 2, 3, 6)}, []string{"early clock"}}}},
		{"a clock that is a little ahead", []step{{0, []schemas.Decision{scale("cart@v1", 1, 3, 6)}, []string{"won"}}}},
		{"a duplicate", []step{
			{0, []schemas.Decision{scale("cart@v1", 0, 3, 6), scale("cart@v1", 0, 3, 6)}, []string{"won"}},
			{11, []schemas.Decision{scale("cart@v1", 0, 3, 6)}, nil},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := arbiter.New(100)
			for _, s := range tt.steps {
				for _, d := range s.decisions {
					a.Add(d)
				}
				settled := a.Settle(at(s.at))
				if len(settled) != len(s.want) {
					t.Fatalf("at %d: %d settled, want %d", s.at, len(settled), len(s.want))
				}
				for i, got := range said(settled, s.decisions) {
					if got != s.want[i] {
						t.Errorf("at %d, decision %d: got %q, want %q", s.at, i, got, s.want[i])
					}
				}
			}
		})
	}
}

// said lists verdict and rule of the decisions, in the order in which they are given.
func said(settled []arbiter.Settled, order []schemas.Decision) []string {
	var out []string
	for _, d := range order {
		i := slices.IndexFunc(settled, func(s arbiter.Settled) bool { return s.Decision.ID == d.ID })
		if i < 0 || len(out) == len(settled) {
			continue
		}
		out = append(out, strings.TrimSpace(string(settled[i].Verdict)+" "+settled[i].Rule))
	}
	return out
}

func TestReasons(t *testing.T) {
	a := arbiter.New(100)
	out, in, off := scale("cart@v1", 0, 3, 6), scale("cart@v1", 0, 3, 2), shift("pay@v2", 0, 50, 0)
	blocked := scale("pay@v1", 0, 3, 2)
	for _, d := range []schemas.Decision{out, in, off, blocked} {
		a.Add(d)
	}
	want := map[string]string{
		in.ID:      "Of two wishes for one target, the one for more replicas wins. Decision " + out.ID + " asks for 6 replicas of c/shop/cart@v1 until 2025-03-04 12:10:00 UTC.",
		blocked.ID: "While a workload's traffic is being shifted, or a finding about it is firing, none of its versions loses capacity. Decision " + off.ID + " asks for 0 percent of c/shop/pay@v2 until 2025-03-04 12:10:00 UTC.",
	}
	for _, s := range a.Settle(at(0)) {
		if s.Reason != want[s.Decision.ID] {
			t.Errorf("%s: got %q, want %q", s.Decision.ID, s.Reason, want[s.Decision.ID])
		}
	}
}

// random makes a decision about one of few targets, so that there is much to settle.
func random(r *rand.Rand) schemas.Decision {
	target := fmt.Sprintf("w%d@v%d", r.IntN(2), r.IntN(2))
	made := r.IntN(30)
	switch r.IntN(5) {
	case 0:
		return shift(target, made, 50, float64(r.IntN(101)))
	case 1:
		return decline(target, made, []string{"", "f-1"}[r.IntN(2)])
	}
	return scale(target, made, 5, float64(1+r.IntN(9)))
}

// TestOrderOfAddDoesNotMatter: whatever came before, what is added between two calls of Settle is judged the same in any order.
func TestOrderOfAddDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var batches [][]schemas.Decision
		for range 1 + r.IntN(4) {
			var batch []schemas.Decision
			for range r.IntN(8) {
				batch = append(batch, random(r))
			}
			batches = append(batches, batch)
		}
		var first []arbiter.Settled
		for try := range 4 {
			a, all := arbiter.New(1000), []arbiter.Settled(nil)
			for i, batch := range batches {
				shuffled := slices.Clone(batch)
				r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				for _, d := range shuffled {
					a.Add(d)
				}
				all = append(all, a.Settle(at(8*i))...)
			}
			if try == 0 {
				first = all
			}
			if fmt.Sprint(all) != fmt.Sprint(first) {
				t.Fatalf("got\n%v\nfirst\n%v", all, first)
			}
		}
	}
}

// TestSafety: whatever comes, every decision is settled once, and no reduction wins while something is live that forbids it.
func TestSafety(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	reductions := 0
	for range 300 {
		a := arbiter.New(1000)
		settled := map[string]int{}
		var all []arbiter.Settled
		for i := range 10 {
			for range r.IntN(6) {
				a.Add(random(r))
			}
			all = append(all, a.Settle(at(3*i))...)
		}
		for _, s := range all {
			if settled[s.Decision.ID]++; settled[s.Decision.ID] > 1 {
				t.Fatalf("%s was settled twice", s.Decision.ID)
			}
			if s.Verdict != arbiter.Won || !s.Decision.Reduces() {
				continue
			}
			reductions++
			for _, o := range all {
				live := !o.At.After(s.At) && o.Decision.ValidUntil.After(s.At) && o.Decision.Target.Key() == s.Decision.Target.Key()
				blocks := o.Decision.Cause != "" && (o.Verdict == arbiter.Won || o.Verdict == arbiter.Declined) ||
					o.Verdict == arbiter.Won && (o.Decision.Kind == schemas.Shift || o.Decision.Target == s.Decision.Target && !o.Decision.Reduces())
				if live && blocks && replacedBy(all, o, s.At) == "" {
					t.Fatalf("%+v won against %+v", s, o)
				}
			}
		}
	}
	if reductions < 50 {
		t.Errorf("only %d reductions won", reductions)
	}
}

// replacedBy is the id of a newer decision that won in the place of o by a time, if one did. Such a one blocks in o's place.
func replacedBy(all []arbiter.Settled, o arbiter.Settled, by time.Time) string {
	if o.Decision.Cause != "" {
		return ""
	}
	for _, n := range all {
		same := n.Decision.Kind == o.Decision.Kind && n.Decision.Target == o.Decision.Target
		if same && n.Verdict == arbiter.Won && n.Decision.ID != o.Decision.ID && !n.At.After(by) && !n.Decision.MadeAt.Before(o.Decision.MadeAt) &&
			!n.Decision.Reduces() {
			return n.Decision.ID
		}
	}
	return ""
}

func TestMemoryIsBounded(t *testing.T) {
	a := arbiter.New(100)
	for i := range 5000 {
		if !a.Add(scale(fmt.Sprintf("w%d@v1", i), i, 3, 6)) {
			t.Fatal("a new decision is not new")
		}
		a.Settle(at(i))
		if a.Live() > 11 {
			t.Fatalf("%d live decisions after %d", a.Live(), i)
		}
	}
	known := 0
	for i := range 5000 {
		if a.Knows(scale(fmt.Sprintf("w%d@v1", i), i, 3, 6).ID) {
			known++
		}
	}
	if known == 0 || known > 101 {
		t.Errorf("%d ids are known, at most 100 may be", known)
	}
}

func TestIdsAreForgotten(t *testing.T) {
	a := arbiter.New(100)
	d := scale("cart@v1", 0, 3, 6)
	a.Add(d)
	a.Settle(at(0))
	a.Settle(d.ValidUntil.Add(24 * time.Hour))
	if !a.Knows(d.ID) {
		t.Error("forgotten within a day of its expiry")
	}
	a.Settle(d.ValidUntil.Add(24*time.Hour + time.Minute))
	if a.Knows(d.ID) {
		t.Error("still known a day after its expiry")
	}
}

func TestRules(t *testing.T) {
	for _, r := range arbiter.Rules() {
		if r.Name == "" || strings.Contains(r.Name, " ") || !strings.HasSuffix(r.Says, ".") {
			t.Errorf("rule %q: %q", r.Name, r.Says)
		}
	}
}
