package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/schemas"
)

// play decides once a minute from noon on and lists what was said, as "minute code current->proposed for validity".
func play(t *testing.T, p *plan.Planner, minutes int, at func(minute int) plan.Input) []string {
	t.Helper()
	var said []string
	for m := range minutes {
		in := at(m)
		in.At = noon().Add(time.Duration(m) * time.Minute)
		in.Outlook.At = in.At.Add(10 * time.Minute)
		d, ok := p.Decide(in)
		if !ok {
			continue
		}
		if err := d.Validate(); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%d %s %v->%v for %v", m, d.Code, d.Current, d.Proposed, d.ValidUntil.Sub(d.MadeAt))
		if d.Verdict == schemas.Decline {
			line = fmt.Sprintf("%d decline %s", m, d.Code)
		}
		said = append(said, line)
	}
	return said
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("said\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func high(in plan.Input, expected, upper float64) plan.Input {
	in.Outlook.Expected, in.Outlook.High = expected, upper
	return in
}

func TestProposalsAreRenewedAtHalfTheirValidity(t *testing.T) {
	expect(t, play(t, newPlanner(t), 17, func(int) plan.Input { return pressed() }),
		"0 load_ahead 3->5 for 10m0s", "5 load_ahead 3->5 for 10m0s", "10 load_ahead 3->5 for 10m0s", "15 load_ahead 3->5 for 10m0s")
	expect(t, play(t, newPlanner(t), 61, func(int) plan.Input { return quiet() }),
		"0 over_provisioned 8->4 for 1h0m0s", "30 over_provisioned 8->4 for 1h0m0s", "60 over_provisioned 8->4 for 1h0m0s")
}

func TestHigherReplacesAtOnceAndLowerWaits(t *testing.T) {
	expect(t, play(t, newPlanner(t), 30, func(m int) plan.Input {
		switch {
		case m == 2:
			return high(pressed(), 52, 60)
		case m < 8:
			return pressed()
		}
		return calm()
	}),
		"0 load_ahead 3->5 for 10m0s", "2 load_ahead 3->6 for 10m0s", "12 decline hold")
}

// TestTakingTurnsIsQuiet has a load that needs three and four replicas in turns.
func TestTakingTurnsIsQuiet(t *testing.T) {
	expect(t, play(t, newPlanner(t), 20, func(m int) plan.Input {
		if m%2 == 0 {
			return high(calm(), 33, 36)
		}
		return calm()
	}),
		"0 load_ahead 3->4 for 10m0s", "6 load_ahead 3->4 for 10m0s", "12 load_ahead 3->4 for 10m0s", "18 load_ahead 3->4 for 10m0s")
}

func TestDeclinesAreSaidOnceAnHour(t *testing.T) {
	expect(t, play(t, newPlanner(t), 125, func(int) plan.Input { return calm() }), "0 decline hold", "60 decline hold", "120 decline hold")
	expect(t, play(t, newPlanner(t), 30, func(m int) plan.Input {
		in := quiet()
		in.Day.Rejected, in.Day.Finding = m >= 12, m < 20
		return in
	}),
		"0 decline finding", "12 decline calls_rejected")
	expect(t, play(t, newPlanner(t), 14, func(m int) plan.Input {
		in := quiet()
		in.Day.Rejected, in.Day.Finding = m%2 == 0, true
		return in
	}),
		"0 decline calls_rejected", "5 decline finding", "10 decline calls_rejected")
}

// TestScaleInIsWithdrawn has calls rejected twenty minutes after replicas were proposed to go. A decline supersedes nothing, so the number
// that runs is proposed for the rest of that time.
func TestScaleInIsWithdrawn(t *testing.T) {
	p := newPlanner(t)
	rejecting := func(m int) plan.Input {
		in := quiet()
		in.Day.Rejected = m >= 20
		return in
	}
	expect(t, play(t, p, 70, rejecting),
		"0 over_provisioned 8->4 for 1h0m0s", "20 calls_rejected 8->8 for 40m0s", "60 decline calls_rejected")

	in := quiet()
	d, _ := newPlanner(t).Decide(in)
	p = newPlanner(t)
	p.Remember(d)
	in.At, in.Replicas = in.At.Add(time.Minute), 0 // everybody went silent
	d, ok := p.Decide(in)
	if !ok || d.Verdict != schemas.Propose || d.Proposed != 8 || d.Code != plan.ReplicasUnknown || d.Validate() != nil {
		t.Errorf("%+v", d)
	}
	if want := "Keep 8 replicas; the proposal of 4 made at 12:00 no longer holds. No instance of cart@v1"; !strings.HasPrefix(d.Reason, want) {
		t.Errorf("%s", d.Reason)
	}
}

// TestScaleInEndsInScaleOut has load come back before the scale-in expired.
func TestScaleInEndsInScaleOut(t *testing.T) {
	expect(t, play(t, newPlanner(t), 12, func(m int) plan.Input {
		if m < 3 {
			return quiet()
		}
		return high(quiet(), 100, 110)
	}),
		"0 over_provisioned 8->4 for 1h0m0s", "3 load_ahead 8->11 for 10m0s", "8 load_ahead 8->11 for 10m0s")
}

// TestDoneIsNotUndone has somebody take the replicas away that were proposed to go: the silence of the four that went is no reason to ask
// for them back, but one to take no more.
func TestDoneIsNotUndone(t *testing.T) {
	expect(t, play(t, newPlanner(t), 100, func(m int) plan.Input {
		in := quiet()
		in.Day.PeakLoad = 12
		if m >= 5 {
			in.Replicas = 4
		}
		return in
	}),
		"0 over_provisioned 8->4 for 1h0m0s", "60 decline instances_silent")
}

// TestRestart forgets everything in the middle and learns it back from what was published.
func TestRestart(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		inputs := make([]plan.Input, 120)
		for m := range inputs {
			if m == 0 || rng.IntN(8) == 0 {
				inputs[m] = anyInput(rng)
			} else {
				inputs[m] = inputs[m-1]
			}
			inputs[m].At = noon().Add(time.Duration(m) * time.Minute)
		}
		whole := newPlanner(t)
		var said []schemas.Decision
		decide := func(p *plan.Planner, from, to int) (out []schemas.Decision) {
			for _, in := range inputs[from:to] {
				p.Forget(in.At)
				if d, ok := p.Decide(in); ok {
					out = append(out, d)
				}
			}
			return out
		}
		cut := rng.IntN(len(inputs))
		said = decide(whole, 0, cut)
		again := newPlanner(t)
		for _, d := range said {
			again.Remember(d)
		}
		if a, b := ids(decide(whole, cut, len(inputs))), ids(decide(again, cut, len(inputs))); !slices.Equal(a, b) {
			t.Fatalf("cut at %d:\n%v\n%v", cut, a, b)
		}
	}
}

func ids(decisions []schemas.Decision) (out []string) {
	for _, d := range decisions {
		out = append(out, d.ID)
	}
	return out
}

// TestForgetChangesNothing plays the same minutes with and without forgetting.
func TestForgetChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	keeps, forgets := newPlanner(t), newPlanner(t)
	in := anyInput(rng)
	for m := range 5000 {
		if rng.IntN(8) == 0 {
			in = anyInput(rng)
		}
		in.At = noon().Add(time.Duration(m) * time.Minute)
		if rng.IntN(100) == 0 {
			m += 90
		}
		forgets.Forget(in.At)
		a, saidA := keeps.Decide(in)
		b, saidB := forgets.Decide(in)
		if saidA != saidB || a.ID != b.ID {
			t.Fatalf("minute %d: %v %v", m, a, b)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p, in := newPlanner(b), calm()
	b.ReportAllocs()
	for b.Loop() {
		in.At = in.At.Add(time.Minute)
		p.Decide(in)
	}
}
