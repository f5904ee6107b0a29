package shift

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

const (
	calm       = time.Minute // between two decisions about one target, unless the finding is another or became critical
	sameShare  = 2           // percent: what was proposed is not replaced for less
	forget     = 24 * time.Hour
	sweepEvery = time.Minute
	most       = 10_000 // versions that are followed; more get no decisions
)

// Planner follows the traffic of all versions and says when a decision is due: when a finding begins to fire, when what is to be proposed
// changes, and when half of a proposal's time is over. It is not safe for concurrent use.
type Planner struct {
	workloads map[schemas.Workload]map[string]*traffic // by workload without version, by version
	versions  int
	last      map[schemas.Workload]memory // by target
}

// memory is what was decided about a target last.
type memory struct {
	decision schemas.Decision
	severity schemas.Severity
	base     float64 // its share when the finding began to fire
}

// NewPlanner returns a planner that has seen nothing.
func NewPlanner() *Planner {
	return &Planner{workloads: map[schemas.Workload]map[string]*traffic{}, last: map[schemas.Workload]memory{}}
}

// Step takes all windows that end at end, and the findings that fire then, and returns the decisions that are due, ordered by target.
// Steps come in order of time.
func (p *Planner) Step(end time.Time, windows []schemas.ServiceWindow, firing []schemas.Finding) []schemas.Decision {
	for _, w := range windows {
		p.follow(w)
	}
	if end.Truncate(sweepEvery).Equal(end) {
		p.sweep(end)
	}
	worst := gravest(firing)
	for target := range p.last {
		if _, ok := worst[target]; !ok {
			delete(p.last, target)
		}
	}
	var out []schemas.Decision
	taken := map[schemas.Workload]float64{} // what siblings already take over in this step, as a factor
	for _, target := range sorted(worst) {
		if d, ok := p.decide(worst[target], firing, end, taken); ok {
			out = append(out, d)
		}
	}
	return out
}

func (p *Planner) decide(
	f schemas.Finding, firing []schemas.Finding, at time.Time, taken map[schemas.Workload]float64,
) (schemas.Decision, bool) {
	all := unversioned(f.Workload)
	c := Case{Finding: f, Versions: p.state(f, firing, at), At: at}
	if factor, ok := taken[all]; ok {
		for i := range c.Versions {
			c.Versions[i].PerInstance *= factor
		}
	}
	last, known := p.last[f.Workload]
	if known && last.decision.Cause == f.ID {
		c.Base = last.base
	} else {
		sick, _ := c.split()
		c.Base = math.Round(sick.Share)
	}
	d := Propose(c)
	if d.Verdict == schemas.Propose {
		sick, others := c.split()
		taken[all] = max(taken[all], 1) * growth(told(c.healthy(sick, others)), sick.Share-d.Proposed)
	}
	if was := last.decision; known && d.Code == CodeIncomplete && was.Verdict == schemas.Propose && at.Before(was.ValidUntil) {
		if was.Code == CodeIncomplete { // it was taken back already
			return schemas.Decision{}, false
		}
		if was.Proposed < d.Current {
			d = c.keep(was, d)
		}
	}
	if known && !due(last, d, f.Severity) {
		return schemas.Decision{}, false
	}
	p.last[f.Workload] = memory{decision: d, severity: f.Severity, base: c.Base}
	return d, true
}

// due reports whether d has to be said, given what was said last.
func due(last memory, d schemas.Decision, severity schemas.Severity) bool {
	was := last.decision
	if was.Cause != d.Cause || last.severity != severity {
		return true
	}
	age := d.MadeAt.Sub(was.MadeAt)
	if age < calm {
		return false
	}
	if was.Verdict != d.Verdict || was.Code != d.Code {
		return true
	}
	if d.Verdict == schemas.Decline {
		return age >= declineHolds
	}
	return age >= proposalHolds/2 || math.Abs(was.Proposed-d.Proposed) > sameShare
}

// state is how the versions of the finding's workload do at the end of the window before at.
func (p *Planner) state(f schemas.Finding, firing []schemas.Finding, at time.Time) []Version {
	end := at.UnixNano()
	from := end - int64(lookback)
	began := max(from, f.StartedAt.UnixNano())
	versions := p.workloads[unversioned(f.Workload)]
	out := make([]Version, 0, len(versions))
	var calls float64
	for name, t := range versions {
		sum := t.since(from, end)
		since := t.since(began, end)
		v := Version{
			Name: name, PerMinute: sum.calls / lookback.Minutes(), PerInstance: sum.load(lookback), Seen: t.seen(end),
			Missing: 1 - min(sum.told(), since.told()),
		}
		v.Signal, v.Low, v.High = since.signal(f.Signal)
		w := f.Workload
		w.Version = name
		v.Firing = slices.ContainsFunc(firing, func(o schemas.Finding) bool { return o.Workload == w })
		out = append(out, v)
		calls += sum.calls
	}
	for i := range out {
		if calls > 0 {
			out[i].Share = 100 * out[i].PerMinute * lookback.Minutes() / calls
		}
	}
	slices.SortFunc(out, func(a, b Version) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Lower notes windows about which more is missing than was known when they were taken.
func (p *Planner) Lower(incomplete []schemas.Incomplete) {
	for _, w := range incomplete {
		if t := p.workloads[w.Unversioned()][w.Version]; t != nil {
			t.lower(w.Start.UnixNano(), w.Completeness)
		}
	}
}

func (p *Planner) follow(w schemas.ServiceWindow) {
	all := unversioned(w.Workload)
	t := p.workloads[all][w.Version]
	if t == nil {
		if p.versions >= most {
			return
		}
		if p.workloads[all] == nil {
			p.workloads[all] = map[string]*traffic{}
		}
		t = &traffic{}
		p.workloads[all][w.Version] = t
		p.versions++
	}
	t.observe(w)
}

// sweep forgets versions that were silent for a day.
func (p *Planner) sweep(now time.Time) {
	for all, versions := range p.workloads {
		for name, t := range versions {
			if now.UnixNano()-t.last >= int64(forget) {
				delete(versions, name)
				p.versions--
			}
		}
		if len(versions) == 0 {
			delete(p.workloads, all)
		}
	}
}

// gravest is the worst finding of each version: critical before warning, failed calls before slow ones, the older first.
func gravest(firing []schemas.Finding) map[schemas.Workload]schemas.Finding {
	worst := map[schemas.Workload]schemas.Finding{}
	for _, f := range firing {
		old, ok := worst[f.Workload]
		if !ok || cmp.Or(cmp.Compare(old.Severity, f.Severity), cmp.Compare(f.Kind, old.Kind), f.StartedAt.Compare(old.StartedAt),
			cmp.Compare(f.ID, old.ID)) < 0 {
			worst[f.Workload] = f
		}
	}
	return worst
}

func sorted(worst map[schemas.Workload]schemas.Finding) []schemas.Workload {
	targets := make([]schemas.Workload, 0, len(worst))
	for t := range worst {
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b schemas.Workload) int {
		return cmp.Or(cmp.Compare(a.Versioned(), b.Versioned()), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Region, b.Region))
	})
	return targets
}

func unversioned(w schemas.Workload) schemas.Workload {
	w.Version = ""
	return w
}
