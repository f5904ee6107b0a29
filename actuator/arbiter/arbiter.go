// Package arbiter settles which of several decisions counts.
//
// It is pure: decisions and the time come in, verdicts go out. The verdicts of one call of Settle do not depend on the order of Add.
package arbiter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

const (
	// skew is how far a decision's clock may be ahead of ours.
	skew = time.Minute
	// remember is how long after its expiry a decision's id is known.
	remember = 24 * time.Hour
)

// Verdict is what the arbiter says of a decision.
type Verdict string

// The verdicts. Every decision gets exactly one.
const (
	Won        Verdict = "won"
	Superseded Verdict = "superseded" // another one counts
	Expired    Verdict = "expired"    // it came too late
	Declined   Verdict = "declined"   // it asks for nothing
	Early      Verdict = "early"      // it was made in the future, so one of two clocks is wrong
)

// Settled is a decision and what became of it.
type Settled struct {
	Decision schemas.Decision
	At       time.Time // when it was settled
	Verdict  Verdict
	Rule     string // which rule decided; "" for the one that won
	Winner   string // id of the decision that superseded it
	Reason   string // as a sentence; "" for the one that won
}

// Arbiter remembers the decisions that are live. It is not safe for concurrent use.
type Arbiter struct {
	max   int // ids remembered
	fresh []schemas.Decision
	live  map[string][]schemas.Decision // by workload
	ids   map[string]time.Time          // until when an id is remembered
	swept time.Time                     // when expired ones were forgotten last
}

// New returns an arbiter that remembers at most max ids; those that expire first are forgotten first.
func New(max int) *Arbiter {
	return &Arbiter{max: max, live: map[string][]schemas.Decision{}, ids: map[string]time.Time{}}
}

// Add hands a decision in and reports whether it is new. One that was handed in before has no effect.
func (a *Arbiter) Add(d schemas.Decision) bool {
	if a.Knows(d.ID) {
		return false
	}
	a.ids[d.ID] = d.ValidUntil.Add(remember)
	a.fresh = append(a.fresh, d)
	return true
}

// Knows reports whether a decision was handed in before.
func (a *Arbiter) Knows(id string) bool {
	_, known := a.ids[id]
	return known
}

// Live counts the decisions that are kept.
func (a *Arbiter) Live() int {
	n := 0
	for _, live := range a.live {
		n += len(live)
	}
	return n
}

// Settle judges what was added since the last call, as of an instant, oldest first. The instants of successive calls usually rise; an
// earlier one is judged against what is remembered.
func (a *Arbiter) Settle(at time.Time) []Settled {
	a.forget(at)
	slices.SortFunc(a.fresh, func(x, y schemas.Decision) int { return cmp.Or(x.MadeAt.Compare(y.MadeAt), cmp.Compare(x.ID, y.ID)) })
	out := make([]Settled, 0, len(a.fresh))
	for _, d := range a.fresh {
		out = append(out, Settled{Decision: d, At: at, Verdict: timely(d, at)})
		if timely(d, at) == Won {
			a.live[d.Target.Key()] = append(a.live[d.Target.Key()], d)
		}
	}
	for i := range out {
		a.judge(&out[i])
	}
	for _, s := range out {
		a.prune(s)
	}
	a.fresh = nil
	return out
}

// timely is the verdict on a decision's times alone.
func timely(d schemas.Decision, at time.Time) Verdict {
	switch {
	case !d.ValidUntil.After(at):
		return Expired
	case d.MadeAt.After(at.Add(skew)):
		return Early
	}
	return Won
}

func (a *Arbiter) judge(s *Settled) {
	d := s.Decision
	switch s.Verdict {
	case Expired:
		s.Rule, s.Reason = "expired", fmt.Sprintf("It was valid until %s, it is %s.", clock(d.ValidUntil), clock(s.At))
		return
	case Early:
		s.Rule, s.Reason = "clock", fmt.Sprintf("It says that it was made at %s, it is only %s: check the clocks.", clock(d.MadeAt), clock(s.At))
		return
	}
	if d.Verdict != schemas.Propose {
		s.Verdict, s.Rule, s.Reason = Declined, d.Code, d.Reason
		return
	}
	if rule, winner, beaten := a.beaten(d, s.At); beaten {
		s.Verdict, s.Rule, s.Winner = Superseded, rule.Name, winner.ID
		s.Reason = fmt.Sprintf("%s %s", rule.Says, sentence(winner))
	}
}

// sentence says what a decision that won is about.
func sentence(d schemas.Decision) string {
	if d.Verdict != schemas.Propose {
		return fmt.Sprintf("Decision %s, valid until %s, follows from finding %s.", d.ID, clock(d.ValidUntil), d.Cause)
	}
	return fmt.Sprintf("Decision %s asks for %v %s of %s until %s.",
		d.ID, d.Proposed, d.Kind.Unit(), d.Target.Versioned(), clock(d.ValidUntil))
}

// beaten finds the first rule by which a live decision beats d, and the newest decision that does.
func (a *Arbiter) beaten(d schemas.Decision, at time.Time) (by Rule, winner schemas.Decision, beaten bool) {
	for _, rule := range Rules() {
		for _, other := range a.live[d.Target.Key()] {
			if timely(other, at) == Won && rule.beats(other, d) && (!beaten || newer(other, winner)) {
				by, winner, beaten = rule, other, true
			}
		}
		if beaten {
			return by, winner, true
		}
	}
	return Rule{}, schemas.Decision{}, false
}

// prune forgets what a settled decision has done away with: itself if it lost, or what it replaces. What follows from a finding stays
// until it expires: it says that the finding fires.
func (a *Arbiter) prune(s Settled) {
	key, d := s.Decision.Target.Key(), s.Decision
	a.keep(key, func(other schemas.Decision) bool {
		switch {
		case other.Cause != "":
			return true
		case s.Verdict == Superseded, s.Verdict == Declined:
			return other.ID != d.ID
		case s.Verdict == Won:
			return other.ID == d.ID || !contest(d, other) || newer(other, d) || d.Reduces() && !other.Reduces()
		}
		return true
	})
}

// keep drops the live decisions of a workload that are not wanted.
func (a *Arbiter) keep(key string, wanted func(schemas.Decision) bool) {
	live := slices.DeleteFunc(a.live[key], func(d schemas.Decision) bool { return !wanted(d) })
	if a.live[key] = live; len(live) == 0 {
		delete(a.live, key)
	}
}

// forget drops what has expired, once a minute.
func (a *Arbiter) forget(at time.Time) {
	if passed := at.Sub(a.swept); passed >= 0 && passed < time.Minute && len(a.ids) <= a.max {
		return
	}
	a.swept = at
	for key := range a.live {
		a.keep(key, func(d schemas.Decision) bool { return timely(d, at) != Expired })
	}
	maps.DeleteFunc(a.ids, func(_ string, until time.Time) bool { return until.Before(at) })
	if len(a.ids) > a.max {
		a.crowd()
	}
}

// crowd makes room for a tenth more ids than are allowed to be remembered.
func (a *Arbiter) crowd() {
	order := make([]string, 0, len(a.ids))
	for id := range a.ids {
		order = append(order, id)
	}
	slices.SortFunc(order, func(x, y string) int { return cmp.Or(a.ids[x].Compare(a.ids[y]), cmp.Compare(x, y)) })
	for _, id := range order[:len(a.ids)-a.max+a.max/10] {
		delete(a.ids, id)
	}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
