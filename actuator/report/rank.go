package report

import (
	"cmp"

	"github.com/weirmesh/weir/schemas"
)

// The classes of urgency, the most urgent first.
const (
	UrgencyCritical = "critical finding" // caused by a critical finding that fires
	UrgencyFinding  = "finding"          // caused by another finding that fires
	UrgencyMore     = "more capacity"    // adds replicas
	UrgencyTraffic  = "traffic"          // any other shift, as urgent as that
	UrgencyLess     = "less capacity"    // saves replicas
)

func (b *builder) urgency(d schemas.Decision) (class int, name string) {
	f, known := b.findings[d.Cause]
	switch firing := known && f.State == schemas.Firing; {
	case firing && f.Severity >= schemas.SeverityCritical:
		return 0, UrgencyCritical
	case firing:
		return 1, UrgencyFinding
	case d.Reduces():
		return 3, UrgencyLess
	case d.Kind == schemas.Shift:
		return 2, UrgencyTraffic
	}
	return 2, UrgencyMore
}

// urgent orders proposals: by class, then by how much they change, then by name. Decisions do not say how soon they matter.
func (b *builder) urgent(x, y chain) int {
	dx, dy := x.last.Decision, y.last.Decision
	cx, _ := b.urgency(dx)
	cy, _ := b.urgency(dy)
	return cmp.Or(cmp.Compare(cx, cy), cmp.Compare(weight(dy), weight(dx)),
		cmp.Compare(dx.Target.Versioned(), dy.Target.Versioned()), cmp.Compare(dx.ID, dy.ID))
}

// weight is how much a decision changes: what a smaller one would save in replicas, and by what factor a larger one grows.
func weight(d schemas.Decision) float64 {
	switch {
	case d.Reduces():
		return d.Current - d.Proposed
	case d.Kind == schemas.Shift:
		return max(d.Proposed-d.Current, d.Current-d.Proposed)
	}
	return d.Proposed / max(d.Current, 1)
}
