package actuator

import (
	"fmt"
	"math"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/guard"
	"github.com/weirmesh/weir/actuator/render"
	"github.com/weirmesh/weir/schemas"
)

// target is the object that a decision is about.
type target struct {
	workload schemas.Workload
	object   cluster.Object
	rules    []cluster.Object // DestinationRules, for a shift
	actual   float64          // what it has now; NaN if it does not say
	unfit    error            // why it cannot be changed as the decision wants, whatever the limits
	owners   []cluster.Owner
}

// needs lists the kinds that have to be read for a decision.
func needs(kind schemas.DecisionKind) []cluster.Kind {
	if kind == schemas.Shift {
		return []cluster.Kind{cluster.VirtualService, cluster.DestinationRule, cluster.Canary, cluster.Rollout}
	}
	return []cluster.Kind{cluster.Deployment, cluster.HorizontalPodAutoscaler, cluster.ScaledObject, cluster.Canary, cluster.Rollout}
}

// find finds the object of a decision. The error is a cluster.Refusal.
func find(d schemas.Decision, around cluster.Around) (*target, error) {
	if d.Target.Overflowed() {
		return nil, cluster.Refusal{Rule: "no_object", Reason: fmt.Sprintf("%s stands for all names that were too many, and is no workload.", schemas.Overflow)}
	}
	t := &target{workload: d.Target}
	if d.Kind == schemas.Scale {
		o, err := cluster.FindDeployment(around[cluster.Deployment], d.Target)
		if err != nil {
			return nil, err
		}
		t.object, t.actual = o, math.NaN()
		if n, ok := o.Int("spec", "replicas"); ok {
			t.actual = float64(n)
		}
		return t, nil
	}
	o, err := cluster.FindVirtualService(around[cluster.VirtualService], d.Target)
	if err != nil {
		return nil, err
	}
	t.object, t.rules, t.actual = o, around[cluster.DestinationRule], d.Current
	splits, err := render.Movable(o, t.rules, d)
	t.unfit = err
	for i, s := range splits { // the route that has to go furthest
		share := s.Share()
		if i == 0 || (d.Proposed < d.Current) == (share > t.actual) {
			t.actual = share
		}
	}
	return t, nil
}

// state is what the guard has to know.
func (t *target) state(around cluster.Around) guard.State {
	t.owners = cluster.Owners(t.object, t.workload, around)
	return guard.State{Known: true, Object: t.object.String(), Actual: t.actual, Owners: t.owners}
}

// change renders the decision.
func (t *target) change(d schemas.Decision) (render.Change, error) {
	if d.Kind == schemas.Scale {
		return render.Replicas(t.object, int(d.Proposed))
	}
	splits, err := render.Movable(t.object, t.rules, d)
	if err != nil {
		return render.Change{}, err
	}
	return render.Weights(t.object, splits, int(d.Proposed))
}

// would says what a decision would do.
func (t *target) would(d schemas.Decision) string {
	if d.Kind == schemas.Scale {
		return fmt.Sprintf("%s would get %v replicas instead of %v.", t.object, d.Proposed, t.actual)
	}
	return fmt.Sprintf("%s would give version %s %v percent instead of %.4g.", t.object, d.Target.Version, d.Proposed, t.actual)
}
