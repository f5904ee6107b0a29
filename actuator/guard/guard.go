package guard

import (
	"fmt"
	"math"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/schemas"
)

// State is what is known of the object that a decision would change. The zero value means that nobody looked.
type State struct {
	Known  bool
	Object string  // its name, for people
	Actual float64 // what it has now, in the decision's unit; NaN if it does not say
	Owners []cluster.Owner
}

// Verdict is what becomes of a proposal.
type Verdict struct {
	Refused  bool
	Rule     string // the rule that refused or lowered it; "" if none did
	Reason   string // why, as sentences; "" if nothing is to be said
	Proposed float64
	// ReportOnly is true for a decision made from windows of the past: whatever the mode, it may be reported and never applied.
	ReportOnly bool
}

// Rule is one thing that the guard looks at, for documentation.
type Rule struct{ Name, Says string }

// check is a rule and how it is applied.
type check struct {
	Rule
	apply func(*trial) finding
}

// finding is what a check says: nothing, refuse, or lower to a value.
type finding struct {
	reason  string // "" = nothing to say
	lowered bool
	to      float64
}

// trial is a proposal under examination.
type trial struct {
	limits   Limits
	decision schemas.Decision
	state    State
	from     float64 // what there is now: from the cluster where it is known
	proposed float64 // as lowered so far
}

// checks in their order: the first refusal ends the trial, so the reasons that people can act upon come first.
func checks() []check {
	return []check{
		{Rule{"frozen", "A target that people froze is left alone."}, frozen},
		{Rule{"owned", "An object that an autoscaler or a progressive delivery tool changes is left to it."}, owned},
		{Rule{"unknown_now", "Without knowing what an object has now, no change of it is proposed."}, unknownNow},
		{Rule{"partial_telemetry", "A scale-in is refused while telemetry sees fewer instances than there are replicas."}, partialTelemetry},
		{Rule{"evidence", "A reduction has to show complete telemetry over a long enough history."}, evidence},
		{Rule{"range", "A scale-in stops at the load per replica that has been observed."}, inRange},
		{Rule{"already_there", "What is already so, or has already gone further, is not proposed."}, alreadyThere},
		{Rule{"max_step_out", "Replicas are multiplied by at most this factor at once."}, maxStepOut},
		{Rule{"max_step_in", "At most this share of the replicas is taken away at once."}, maxStepIn},
		{Rule{"max_replicas", "More replicas than this are never proposed."}, maxReplicas},
		{Rule{"min_replicas", "Fewer replicas than this are never proposed."}, minReplicas},
		{Rule{"max_shift", "At most this many percentage points of the traffic are moved at once."}, maxShift},
		{Rule{"min_share", "A version keeps at least this percentage of the traffic."}, minShare},
	}
}

// Rules lists what the guard looks at, in its order.
func Rules() []Rule {
	var out []Rule
	for _, c := range checks() {
		out = append(out, c.Rule)
	}
	return out
}

// Check examines a decision that proposes something. A decision that proposes nothing is refused: there is nothing to propose.
func Check(l Limits, d schemas.Decision, now State) Verdict {
	v := Verdict{Proposed: d.Proposed, ReportOnly: d.Replay}
	if d.Verdict != schemas.Propose {
		v.Refused, v.Rule, v.Reason = true, "declined", "The decision proposes nothing."
		return v
	}
	t := &trial{limits: l, decision: d, state: now, from: d.Current, proposed: d.Proposed}
	if now.Known {
		t.from = now.Actual
	}
	for _, c := range checks() {
		f := c.apply(t)
		switch {
		case f.reason == "":
		case !f.lowered || t.undone(f.to):
			v.Refused, v.Rule, v.Reason = true, c.Name, f.reason
			return v
		default:
			t.proposed = f.to
			v.Rule, v.Reason, v.Proposed = c.Name, f.reason, f.to
		}
	}
	return v
}

// undone reports whether lowering to a value leaves nothing of what the decision wants.
func (t *trial) undone(to float64) bool {
	if t.out() {
		return to <= t.from
	}
	return to >= t.from
}

func (t *trial) out() bool     { return t.decision.Proposed > t.decision.Current }
func (t *trial) scale() bool   { return t.decision.Kind == schemas.Scale }
func (t *trial) scaleIn() bool { return t.decision.Reduces() }

// scaleOut holds also for a decision that keeps what there is, so that no limit on reductions is applied to it.
func (t *trial) scaleOut() bool { return t.scale() && !t.scaleIn() }
func (t *trial) shift() bool    { return t.decision.Kind == schemas.Shift }

func (t *trial) fact(name string) (float64, bool) {
	for _, f := range t.decision.Evidence {
		if f.Name == name && !math.IsNaN(f.Value) {
			return f.Value, true
		}
	}
	return 0, false
}

func refuse(format string, args ...any) finding { return finding{reason: fmt.Sprintf(format, args...)} }

func lower(to float64, format string, args ...any) finding {
	return finding{reason: fmt.Sprintf(format, args...), lowered: true, to: to}
}
