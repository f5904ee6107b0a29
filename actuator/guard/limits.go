// Package guard holds proposals to what people allow and to what is known of the cluster. It lowers a step that is too large, and refuses
// what must not be proposed at all. It can only make a decision smaller or stop it, never make it larger.
//
// It is pure: the limits, the decision and the current state come in, a verdict goes out.
package guard

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Limits are what people allow.
type Limits struct {
	MinReplicas, MaxReplicas int
	MaxStepOut               float64 // a scale-out may at most multiply the replicas by this; one replica more is always allowed
	MaxStepIn                float64 // a scale-in may take away at most this share of the replicas, 0..1
	MinShare                 float64 // percent of the traffic that a version keeps at least; 0 = it may lose all
	MaxShift                 float64 // percentage points that one decision may move; 0 = any
	// Frozen are targets that nothing is proposed for: cluster/namespace/workload, where * stands for any name (see path.Match).
	Frozen []string
	// MinCompleteness and MinHistory are what a reduction has to rest on: the lowest completeness of the windows, and their length.
	MinCompleteness float64
	MinHistory      time.Duration
}

// Default are the limits while nobody sets any.
func Default() Limits {
	return Limits{MinReplicas: 1, MaxReplicas: 50, MaxStepOut: 2, MaxStepIn: 0.5, MinCompleteness: 0.98, MinHistory: 24 * time.Hour}
}

// Validate says what is wrong with the limits.
func (l Limits) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(l.MinReplicas >= 1, "min replicas is %d: the last replica is never taken, say 1 or more", l.MinReplicas)
	check(l.MaxReplicas >= l.MinReplicas, "max replicas %d is below min replicas %d", l.MaxReplicas, l.MinReplicas)
	check(l.MaxStepOut >= 1, "max step out is %v: say by how much replicas may be multiplied, 1 or more", l.MaxStepOut)
	check(l.MaxStepIn >= 0 && l.MaxStepIn < 1, "max step in is %v: say which share of the replicas may go, 0 or more and below 1", l.MaxStepIn)
	check(l.MinShare >= 0 && l.MinShare <= 100, "min share is %v percent", l.MinShare)
	check(l.MaxShift >= 0 && l.MaxShift <= 100, "max shift is %v percentage points", l.MaxShift)
	check(l.MinCompleteness > 0 && l.MinCompleteness <= 1, "min completeness is %v: say more than 0 and at most 1", l.MinCompleteness)
	check(l.MinHistory >= 0, "min history is %v", l.MinHistory)
	for _, f := range l.Frozen {
		_, err := path.Match(f, "")
		check(err == nil, "frozen target %q is no pattern", f)
	}
	return errors.Join(errs...)
}

func (l Limits) frozen(w schemas.Workload) bool {
	for _, f := range l.Frozen {
		if ok, err := path.Match(f, w.Key()); ok && err == nil {
			return true
		}
	}
	return false
}
