package guard

import (
	"math"
	"time"
)

func frozen(t *trial) finding {
	if t.limits.frozen(t.decision.Target) {
		return refuse("%s is frozen: take it off the list of frozen targets to get proposals again.", t.decision.Target.Key())
	}
	return finding{}
}

func owned(t *trial) finding {
	for _, o := range t.state.Owners {
		if !o.Tracks {
			return refuse("%s", o.String())
		}
	}
	return finding{}
}

func unknownNow(t *trial) finding {
	if t.state.Known && math.IsNaN(t.state.Actual) {
		return refuse("%s does not say how many %s it has: somebody else keeps the number.", t.state.Object, t.decision.Kind.Unit())
	}
	return finding{}
}

func partialTelemetry(t *trial) finding {
	if !t.state.Known || !t.scaleIn() {
		return finding{}
	}
	seen, ok := t.fact("instances_seen")
	if !ok {
		seen = t.decision.Current
	}
	if seen < t.state.Actual {
		return refuse("%s has %v replicas, the decision saw only %v of them: what the others do is not known.",
			t.state.Object, t.state.Actual, seen)
	}
	return finding{}
}

func evidence(t *trial) finding {
	if !t.scaleIn() {
		return finding{}
	}
	complete, ok := t.fact("completeness_lowest")
	if !ok {
		return refuse("The decision does not say how complete its telemetry is (completeness_lowest): nothing is taken away without knowing.")
	}
	if complete < t.limits.MinCompleteness {
		return refuse("The telemetry was only %.3g complete, %.3g is needed to take something away.", complete, t.limits.MinCompleteness)
	}
	hours, ok := t.fact("history_hours")
	if !ok {
		return refuse("The decision does not say how much history it rests on (history_hours): nothing is taken away without knowing.")
	}
	if need := t.limits.MinHistory; hours*float64(time.Hour) < float64(need) {
		return refuse("The decision rests on %.3g h of history, %.3g h are needed to take something away.", hours, need.Hours())
	}
	return finding{}
}

// inRange: nobody knows how a replica behaves under more load than replicas have carried.
func inRange(t *trial) finding {
	if !t.scaleIn() {
		return finding{}
	}
	peak, ok1 := t.fact("load_day_peak")
	seen, ok2 := t.fact("load_seen_high")
	if !ok1 || !ok2 {
		return refuse("The decision does not say which load replicas have carried (load_day_peak, load_seen_high): " +
			"nothing is taken away without knowing.")
	}
	if each := peak / t.proposed; each > seen*(1+1e-9) || t.proposed < 1 {
		return refuse("%v replicas would get %.4g calls/s each at the day's peak, no more than %.4g have been observed.", t.proposed, each, seen)
	}
	return finding{}
}

func alreadyThere(t *trial) finding {
	if t.decision.Proposed == t.decision.Current {
		return refuse("The decision keeps %v %s: there is nothing to change.", t.decision.Current, t.decision.Kind.Unit())
	}
	if !t.undone(t.proposed) {
		return finding{}
	}
	unit := t.decision.Kind.Unit()
	if t.from == t.decision.Current {
		return refuse("There are %v %s already.", t.from, unit)
	}
	return refuse("Current state says %v %s, the decision assumed %v: %v would not help.", t.from, unit, t.decision.Current, t.proposed)
}

func maxStepOut(t *trial) finding {
	most := max(math.Floor(t.from*t.limits.MaxStepOut), t.from+1)
	if t.scaleOut() && t.proposed > most {
		return lower(most, "%v replicas are asked for; from %v at most %v at once (factor %v, or one more).",
			t.decision.Proposed, t.from, most, t.limits.MaxStepOut)
	}
	return finding{}
}

func maxStepIn(t *trial) finding {
	least := math.Ceil(t.from * (1 - t.limits.MaxStepIn))
	if t.scaleIn() && t.proposed < least {
		return lower(least, "%v replicas are asked for; from %v at least %v have to stay at once (%v percent may go).",
			t.decision.Proposed, t.from, least, 100*t.limits.MaxStepIn)
	}
	return finding{}
}

func maxReplicas(t *trial) finding {
	if most := float64(t.limits.MaxReplicas); t.scaleOut() && t.proposed > most {
		return lower(most, "%v replicas are asked for, at most %v are allowed.", t.decision.Proposed, most)
	}
	return finding{}
}

func minReplicas(t *trial) finding {
	if least := float64(t.limits.MinReplicas); t.scaleIn() && t.proposed < least {
		return lower(least, "%v replicas are asked for, at least %v have to stay.", t.decision.Proposed, least)
	}
	return finding{}
}

func maxShift(t *trial) finding {
	most := t.limits.MaxShift
	if !t.shift() || most == 0 || math.Abs(t.proposed-t.from) <= most {
		return finding{}
	}
	to := math.Floor(t.from + most)
	if !t.out() {
		to = math.Ceil(t.from - most)
	}
	return lower(to, "%v percent are asked for; from %.4g percent at most %v percentage points are moved at once.",
		t.decision.Proposed, t.from, most)
}

func minShare(t *trial) finding {
	if least := math.Ceil(t.limits.MinShare); t.shift() && !t.out() && t.proposed < least {
		return lower(least, "%v percent are asked for, a version keeps at least %v percent.", t.decision.Proposed, least)
	}
	return finding{}
}
