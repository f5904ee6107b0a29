package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// subject is what at most one proposal can hold for at a time.
type subject struct {
	kind           schemas.DecisionKind
	tenant, region string
	target         string
}

func subjectOf(d schemas.Decision) subject {
	return subject{d.Kind, d.Target.Tenant, d.Target.Region, d.Target.Versioned()}
}

// chain is a proposal and its renewals: the same value for the same target, each made while the one before was valid.
type chain struct {
	last     schemas.SignedDecision
	since    time.Time
	renewals int
	outcome  *schemas.DecisionOutcome // of the last; nil = the actuator has not come to it
	state    schemas.Stage            // StageReported: it holds
	rule     string
	why      string
}

// chains groups all proposals, newest first.
func chains(in Input) []chain {
	groups := map[subject][]schemas.SignedDecision{}
	for _, d := range in.Decisions {
		if d.Verdict == schemas.Propose {
			groups[subjectOf(d.Decision)] = append(groups[subjectOf(d.Decision)], d)
		}
	}
	settled := settle(in.Outcomes)
	var out []chain
	for _, group := range groups {
		slices.SortFunc(group, earlier)
		out = append(out, judge(link(group, settled), in.At)...)
	}
	slices.SortFunc(out, func(a, b chain) int { return earlier(b.last, a.last) })
	return out
}

func earlier(a, b schemas.SignedDecision) int {
	return cmp.Or(a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.ID, b.ID))
}

// settle finds what counts of each decision's outcomes: the latest, and of those at one time the one that stops it.
func settle(outcomes []schemas.DecisionOutcome) map[string]*schemas.DecisionOutcome {
	rank := map[schemas.Stage]int{schemas.StageReported: 1, schemas.StageExpired: 2, schemas.StageSuperseded: 3, schemas.StageRefused: 4}
	out := map[string]*schemas.DecisionOutcome{}
	for i := range outcomes {
		o := &outcomes[i]
		have := out[o.DecisionID]
		if have == nil || cmp.Or(o.At.Compare(have.At), cmp.Compare(rank[o.Stage], rank[have.Stage]), cmp.Compare(o.By, have.By)) > 0 {
			out[o.DecisionID] = o
		}
	}
	return out
}

// link joins a target's proposals, oldest first, to chains: one after the other for each cause. A refusal starts a new one, so that each
// chain met one fate.
func link(group []schemas.SignedDecision, settled map[string]*schemas.DecisionOutcome) []chain {
	var out []*chain
	open := map[string]*chain{} // by cause
	for _, d := range group {
		c, outcome := open[d.Cause], settled[d.ID]
		if c != nil && c.renewedBy(d, outcome) {
			c.last, c.outcome = d, outcome
			c.renewals++
			continue
		}
		c = &chain{last: d, since: d.MadeAt, outcome: outcome}
		open[d.Cause], out = c, append(out, c)
	}
	slices.SortStableFunc(out, func(a, b *chain) int { return earlier(a.last, b.last) })
	values := make([]chain, len(out))
	for i, c := range out {
		values[i] = *c
	}
	return values
}

func (c *chain) renewedBy(d schemas.SignedDecision, outcome *schemas.DecisionOutcome) bool {
	was, is := stageOf(c.outcome) == schemas.StageRefused, stageOf(outcome) == schemas.StageRefused
	return d.Proposed == c.last.Proposed && was == is && (is || !d.MadeAt.After(c.last.ValidUntil))
}

func stageOf(o *schemas.DecisionOutcome) schemas.Stage {
	if o == nil {
		return ""
	}
	return o.Stage
}

// judge says of each chain of a target, oldest first by its last decision, whether it holds at the given time, and if not what ended it.
func judge(group []chain, at time.Time) []chain {
	for i := len(group) - 1; i >= 0; i-- {
		c := &group[i]
		stage := stageOf(c.outcome)
		if stage == schemas.StageRefused || stage == schemas.StageSuperseded {
			c.state, c.rule, c.why = stage, c.outcome.Rule, c.outcome.Reason
			continue
		}
		if c.state = schemas.StageReported; stage == schemas.StageExpired || !c.last.ValidUntil.After(at) {
			c.state = schemas.StageExpired
		}
		for _, later := range group[i+1:] {
			if c.replacedBy(later) {
				break
			}
		}
	}
	return group
}

// replacedBy says what a later chain of the target means for c: one that was let through replaces it, and so does the refusal of what c
// itself asks for. One that was refused or beaten while c was valid leaves it alone otherwise.
func (c *chain) replacedBy(later chain) bool {
	if !later.since.Before(c.last.ValidUntil) {
		return false
	}
	switch stageOf(later.outcome) {
	case schemas.StageRefused:
		if later.last.Proposed != c.last.Proposed {
			return false
		}
		c.rule, c.why = later.rule, "its renewal "+later.last.ID+" was refused: "+later.why
	case schemas.StageSuperseded:
		return false
	default:
		c.rule, c.why = "newest", "a newer decision for the same target: "+later.last.ID
	}
	c.state = schemas.StageSuperseded
	return true
}
