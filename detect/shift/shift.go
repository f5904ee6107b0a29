// Package shift proposes to give less of a workload's traffic to a version with a firing finding, where other versions take traffic at the
// same time and do better.
//
// A critical finding asks for 0 percent, a warning for half of the share the version had when it began. The other versions may not get more
// load per instance than they have been seen to carry within a day, or a quarter more where the finding is critical: calls that fail now
// weigh more than a modest step into the unknown. Less is proposed where that is not enough. Proposals hold for ten minutes and are renewed
// while the finding fires. None is made on partial telemetry, of the version itself or of those that would take its calls, and one that
// turns out to have been is taken back; otherwise nobody withdraws one, it ends. A version that gets no calls says nothing either: its
// finding resolves for want of telemetry, and what was proposed ends with it.
//
// All of it is pure: the same windows and findings give the same decisions.
package shift

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// leastComplete is how complete telemetry has to be for a shift: what was not told of a version may have gone well, and what was not told of
// its siblings takes room that they seem to have. It is the planner's demand too.
const leastComplete = 0.98

const (
	proposalHolds = 10 * time.Minute
	declineHolds  = time.Hour
)

// The codes of decisions.
const (
	CodeFinding      = "finding"            // the version has a firing finding
	CodeSiblingRange = "sibling_range"      // the other versions would get more load than they have been seen to carry
	CodeOnlyVersion  = "only_version"       // no other version takes traffic
	CodeNoHealthy    = "no_healthy_sibling" // the other versions are no better
	// CodeIncomplete: part of what happened was not told, so that the version may look worse, or the others idler, than they are.
	CodeIncomplete = "incomplete_telemetry"
)

// Version is how one version of a workload has done in the last five minutes.
type Version struct {
	Name      string
	Share     float64 // percent of the workload's calls
	PerMinute float64 // calls per minute; 0 = it takes no traffic
	Firing    bool    // a finding fires on it
	// Signal is that of the finding, since the finding began, with Low and High two standard errors off; NaN where nothing is known.
	Signal, Low, High float64
	// PerInstance is its calls per second and instance; Seen is the most it has carried over a minute within a day.
	PerInstance, Seen float64
	// Missing is the part of its telemetry that is missing in these five minutes, or since the finding began where that is more; 0..1.
	Missing float64
}

// Case is what is known when a shift is considered.
type Case struct {
	Finding  schemas.Finding // firing
	Versions []Version       // of the finding's workload, the one it is about among them
	Base     float64         // percent that the version had when the finding began, so that renewing does not halve again; 0 = as now
	At       time.Time       // end of the window
}

// Propose decides what share the version should get. The decision's verdict says whether anything is proposed.
func Propose(c Case) schemas.Decision {
	sick, others := c.split()
	current := math.Round(sick.Share)
	if len(others) == 0 {
		return c.decline(CodeOnlyVersion, current, sick)
	}
	healthy := c.healthy(sick, others)
	if len(healthy) == 0 {
		return c.decline(CodeNoHealthy, current, sick)
	}
	healthy = told(healthy)
	if sick.untold() || len(healthy) == 0 {
		return c.decline(CodeIncomplete, current, sick)
	}
	goal := min(c.goal(current), current)
	proposed := max(goal, math.Ceil(sick.Share-room(healthy, c.stretch())-1e-9))
	switch {
	case proposed <= goal:
		return c.propose(CodeFinding, current, goal, sick, healthy)
	case proposed >= current:
		return c.decline(CodeSiblingRange, current, sick)
	}
	return c.propose(CodeSiblingRange, current, proposed, sick, healthy)
}

func (v Version) untold() bool { return v.Missing > 1-leastComplete+1e-9 }

// told are the versions whose telemetry is complete enough.
func told(versions []Version) []Version {
	return slices.DeleteFunc(slices.Clone(versions), Version.untold)
}

// split parts the version of the finding from the others that take traffic.
func (c Case) split() (sick Version, others []Version) {
	sick = Version{Name: c.Finding.Workload.Version, Signal: math.NaN(), Low: math.NaN(), High: math.NaN()}
	for _, v := range c.Versions {
		if v.Name == sick.Name {
			sick = v
		} else if v.PerMinute > 0 {
			others = append(others, v)
		}
	}
	if math.IsNaN(sick.Signal) {
		sick.Signal, sick.Low, sick.High = c.Finding.Observed, c.Finding.Observed, c.Finding.Observed
	}
	return sick, others
}

// healthy are the versions on which nothing fires and whose signal is nearer to what was expected than to what is wrong.
func (c Case) healthy(sick Version, others []Version) []Version {
	var out []Version
	for _, v := range others {
		if !v.Firing && v.Signal <= (c.Finding.Expected+sick.Signal)/2 {
			out = append(out, v)
		}
	}
	return out
}

// goal is the share to ask for.
func (c Case) goal(current float64) float64 {
	base := c.Base
	if base == 0 {
		base = current
	}
	if c.Finding.Severity >= schemas.SeverityCritical {
		return 0
	}
	return math.Floor(base / 2)
}

// stretch is how far the range that the other versions have been seen in is taken to go on, as a factor.
func (c Case) stretch() float64 {
	if c.Finding.Severity >= schemas.SeverityCritical {
		return 1.25
	}
	return 1
}

// room is how many percent of the workload's calls the versions can take over without leaving the range they have been seen in, stretched
// by a factor. They share what comes in proportion to what they have.
func room(healthy []Version, stretch float64) float64 {
	factor := math.Inf(1)
	for _, v := range healthy {
		if v.PerInstance > 0 {
			factor = min(factor, max(v.Seen*stretch/v.PerInstance, 1))
		}
	}
	return shares(healthy) * (factor - 1)
}

func shares(versions []Version) (sum float64) {
	for _, v := range versions {
		sum += v.Share
	}
	return sum
}

// growth is the factor by which the load of healthy versions grows when so many percent are shifted to them.
func growth(healthy []Version, percent float64) float64 {
	return 1 + max(percent, 0)/max(shares(healthy), 1e-9)
}

func (c Case) propose(code string, current, proposed float64, sick Version, healthy []Version) schemas.Decision {
	d := c.decision(schemas.Propose, code, proposalHolds)
	d.Current, d.Proposed = current, proposed
	grow := growth(healthy, sick.Share-proposed)
	d.Expected, d.Low, d.High = c.after(sick, healthy, proposed, grow)
	d.Reason = reason(c, d, sick, healthy, grow)
	d.Counterfactual = c.without(sick, proposed)
	d.Evidence = evidence(c, sick, healthy, grow)
	d.ID = d.Identity()
	return d
}

func (c Case) decline(code string, current float64, sick Version) schemas.Decision {
	d := c.decision(schemas.Decline, code, declineHolds)
	d.Current, d.Proposed = current, current
	d.Expected, d.Low, d.High = c.after(sick, nil, sick.Share, 1)
	d.Reason = why(code, c.Finding.Workload)
	d.Counterfactual = c.otherwise(current)
	d.Evidence = evidence(c, sick, nil, 1)
	d.ID = d.Identity()
	return d
}

// keep takes a proposal back: a decline supersedes nothing, and the proposal would go on asking for less. It holds for as long as that one.
func (c Case) keep(was, declined schemas.Decision) schemas.Decision {
	d := declined
	d.Verdict, d.ValidUntil = schemas.Propose, was.ValidUntil
	d.Reason = fmt.Sprintf("Keep %.0f percent; the proposal of %.0f percent made at %s no longer holds. %s",
		d.Current, was.Proposed, was.MadeAt.UTC().Format(time.TimeOnly), declined.Reason)
	d.ID = d.Identity()
	return d
}

func (c Case) decision(v schemas.Verdict, code string, holds time.Duration) schemas.Decision {
	return schemas.Decision{
		MadeAt: c.At, ValidUntil: c.At.Add(holds), Kind: schemas.Shift, Verdict: v, Target: c.Finding.Workload, Signal: c.Finding.Signal,
		Code: code, Cause: c.Finding.ID, Inputs: c.Finding.Inputs, Model: schemas.Model{Name: "shift", Version: "2"},
	}
}

// after is what the signal of the whole workload will be when the version gets share percent and the load of the healthy ones has grown.
func (c Case) after(sick Version, healthy []Version, share, grow float64) (expected, low, high float64) {
	var total float64
	for _, v := range c.Versions {
		part := v.Share
		switch {
		case v.Name == sick.Name:
			v, part = sick, share
		case contains(healthy, v.Name):
			part *= grow
		}
		if part <= 0 || math.IsNaN(v.Signal) {
			continue
		}
		total += part
		expected += part * v.Signal
		low += part * v.Low
		high += part * v.High
	}
	if total == 0 {
		return c.Finding.Observed, c.Finding.Observed, c.Finding.Observed
	}
	return expected / total, low / total, high / total
}

func contains(versions []Version, name string) bool {
	for _, v := range versions {
		if v.Name == name {
			return true
		}
	}
	return false
}
