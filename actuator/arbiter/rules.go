package arbiter

import "github.com/weirmesh/weir/schemas"

// Rule says when one decision beats another.
type Rule struct {
	Name string // one word
	Says string // a sentence
	// beats reports whether winner beats loser at an instant at which both are valid.
	beats func(winner, loser schemas.Decision) bool
}

// Rules lists the rules in their order: of several that apply, the first is named.
func Rules() []Rule {
	return []Rule{
		{
			Name:  "no_reduction_during_shift",
			Says:  "While a workload's traffic is being shifted, or a finding about it is firing, none of its versions loses capacity.",
			beats: func(w, l schemas.Decision) bool { return l.Reduces() && troubles(w, l) },
		},
		{
			Name:  "scale_out_first",
			Says:  "Of two wishes for one target, the one for more replicas wins.",
			beats: func(w, l schemas.Decision) bool { return contest(w, l) && l.Reduces() && !w.Reduces() },
		},
		{
			Name:  "newest",
			Says:  "A newer decision of the same kind for the same target replaces an older one.",
			beats: func(w, l schemas.Decision) bool { return contest(w, l) && w.Reduces() == l.Reduces() && newer(w, l) },
		},
	}
}

// troubles reports whether w shifts traffic of l's workload, or follows from a finding about it.
func troubles(w, l schemas.Decision) bool {
	return w.Target.Key() == l.Target.Key() && w.Target.Tenant == l.Target.Tenant &&
		(w.Kind == schemas.Shift && w.Verdict == schemas.Propose || w.Cause != "")
}

// contest reports whether both propose something for the same target.
func contest(a, b schemas.Decision) bool {
	return a.Kind == b.Kind && a.Target == b.Target && a.Verdict == schemas.Propose && b.Verdict == schemas.Propose
}

// newer orders decisions by age. Of two made at the same time the one for more counts as the newer, so that the answer does not depend
// on the order in which they came.
func newer(a, b schemas.Decision) bool {
	switch {
	case !a.MadeAt.Equal(b.MadeAt):
		return a.MadeAt.After(b.MadeAt)
	case a.Proposed != b.Proposed:
		return a.Proposed > b.Proposed
	}
	return a.ID > b.ID
}
