package actuator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weirmesh/weir/actuator/arbiter"
	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/guard"
	"github.com/weirmesh/weir/actuator/istio"
	"github.com/weirmesh/weir/actuator/render"
	"github.com/weirmesh/weir/schemas"
)

// by is who decides in the outcomes of this stage.
const by = "actuator"

// judge turns settled decisions and the current state into outcomes. It is pure.
type judge struct {
	limits guard.Limits
	istio  *istio.Validator
}

// view is what was read of the cluster around one decision. Where from is "", why says why nothing was read.
type view struct {
	from   string
	around cluster.Around
	why    string
}

// outcome says what becomes of a settled decision.
func (j judge) outcome(s arbiter.Settled, v view) schemas.DecisionOutcome {
	o := schemas.DecisionOutcome{
		DecisionID: s.Decision.ID, Target: s.Decision.Target, At: s.At, By: by, Rule: s.Rule, Reason: s.Reason,
	}
	switch s.Verdict {
	case arbiter.Won:
		o = j.proposal(o, s.Decision, v)
	case arbiter.Superseded:
		o.Stage = schemas.StageSuperseded
	case arbiter.Declined:
		o.Stage = schemas.StageDeclined
	case arbiter.Expired:
		o.Stage = schemas.StageExpired
	default:
		o.Stage = schemas.StageRefused
	}
	return fit(o)
}

// proposal examines a decision that counts.
func (j judge) proposal(o schemas.DecisionOutcome, d schemas.Decision, v view) schemas.DecisionOutcome {
	if v.from == "" {
		return blind(o, d, guard.Check(j.limits, d, guard.State{}), v.why)
	}
	o.ReadFrom = v.from
	t, err := find(d, v.around)
	if err != nil {
		return refused(o, err)
	}
	o.Object = t.object.String()
	verdict := guard.Check(j.limits, d, t.state(v.around))
	if verdict.Refused {
		return refused(o, cluster.Refusal{Rule: verdict.Rule, Reason: verdict.Reason})
	}
	if t.unfit != nil {
		return refused(o, t.unfit)
	}
	d.Proposed = verdict.Proposed
	change, err := t.change(d)
	if err != nil {
		return refused(o, err)
	}
	return j.show(o, d, verdict, t, change)
}

// show fills in what would be changed, unless the result would not be valid.
func (j judge) show(o schemas.DecisionOutcome, d schemas.Decision, v guard.Verdict, t *target, c render.Change) schemas.DecisionOutcome {
	text, err := c.Text()
	if err != nil {
		return refused(o, err)
	}
	o.Before, o.After, o.Patch, o.Inverse, o.Diff = text.Before, text.After, text.Patch, text.Inverse, text.Diff
	if err := j.validate(c.After); err != nil {
		o.Validation = err.Error()
		return refused(o, cluster.Refusal{Rule: "invalid", Reason: fmt.Sprintf("%s would not be valid: %v.", o.Object, err)})
	}
	o.Validation = "valid"
	said := []string{t.would(d), v.Reason}
	for _, owner := range t.owners {
		said = append(said, owner.String())
	}
	return reported(o, v, said...)
}

// validate says what is wrong with an object as it would be.
func (j judge) validate(o cluster.Object) error {
	if o.Kind() == cluster.Deployment {
		return deployment(o)
	}
	return j.istio.Validate(o)
}

// deployment checks what a Deployment needs for an API server to take it.
func deployment(o cluster.Object) error {
	if v := o.Text("apiVersion"); v != "apps/v1" {
		return fmt.Errorf("apiVersion %q is not served, want apps/v1", v)
	}
	if n, whole := o.Int("spec", "replicas"); !whole || n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("spec.replicas %v is no number of replicas", o.At("spec", "replicas"))
	}
	for _, field := range []string{"selector", "template"} {
		if _, ok := o.At("spec", field).(map[string]any); !ok {
			return fmt.Errorf("spec.%s is missing", field)
		}
	}
	return nil
}

// blind is the outcome of a decision for which nobody looked at the cluster.
func blind(o schemas.DecisionOutcome, d schemas.Decision, v guard.Verdict, why string) schemas.DecisionOutcome {
	if v.Refused {
		return refused(o, cluster.Refusal{Rule: v.Rule, Reason: v.Reason})
	}
	would := fmt.Sprintf("%s would get %v %s instead of %v.", d.Target.Versioned(), v.Proposed, d.Kind.Unit(), d.Current)
	return reported(o, v, would, v.Reason, "Current state not read: "+why+".")
}

// reported is the outcome of something that would be done; said are the sentences about it.
func reported(o schemas.DecisionOutcome, v guard.Verdict, said ...string) schemas.DecisionOutcome {
	o.Stage, o.Rule = schemas.StageReported, v.Rule
	rule, prefix := "dry_run", "Dry run:"
	if v.ReportOnly {
		rule, prefix = "replay", "Replay of the past:"
	}
	if o.Rule == "" {
		o.Rule = rule
	}
	said = slices.DeleteFunc(append([]string{prefix}, said...), func(s string) bool { return s == "" })
	o.Reason = strings.Join(said, " ")
	return o
}

func refused(o schemas.DecisionOutcome, why error) schemas.DecisionOutcome {
	o.Stage, o.Rule, o.Reason = schemas.StageRefused, "unusable", why.Error()
	var r cluster.Refusal
	if errors.As(why, &r) {
		o.Rule = r.Rule
	}
	return o
}
