package plan

import (
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Planner decides for many targets. It is not safe for concurrent use.
type Planner struct {
	cfg   Config
	heard map[schemas.Workload]memory
}

// memory is what was said last about a target. A zero `until` has always passed.
type memory struct {
	proposed, current int // of the last proposal
	madeAt, until     time.Time
	code              string // of the last decline since
	declinedAt        time.Time
	declinedUntil     time.Time
}

// New gives a planner that has said nothing yet, or what is wrong with the configuration.
func New(cfg Config) (*Planner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("planner: %w", err)
	}
	return &Planner{cfg: cfg, heard: map[schemas.Workload]memory{}}, nil
}

// Remember takes a decision as said. Decide calls it with its own; after a restart, the decisions of the last validity that were
// published, in the order of MadeAt, make the planner what it was.
func (p *Planner) Remember(d schemas.Decision) {
	if d.Kind != schemas.Scale {
		return
	}
	m := p.heard[d.Target]
	if d.Verdict == schemas.Propose {
		m = memory{proposed: int(d.Proposed), current: int(d.Current), madeAt: d.MadeAt, until: d.ValidUntil}
	} else {
		m.code, m.declinedAt, m.declinedUntil = d.Code, d.MadeAt, d.ValidUntil
	}
	p.heard[d.Target] = m
}

// Forget drops what has expired at a time, so that targets that are gone take no memory. It changes no decision made then or later.
func (p *Planner) Forget(at time.Time) {
	for target, m := range p.heard {
		if !at.Before(m.until) && !at.Before(m.declinedUntil) {
			delete(p.heard, target)
		}
	}
}

// settle says whether a verdict is to be spoken, and as what, given what was said before.
func (p *Planner) settle(in Input, v verdict) (verdict, bool) {
	m := p.heard[in.Target]
	live := in.At.Before(m.until)
	switch {
	case live && v.decline && m.takesFrom(in.Replicas):
		return p.withdraw(in, v, m), true
	case live && v.decline, live && v.replicas < m.proposed:
		// A lower number waits until the higher one has expired: a proposal that comes and goes with each minute helps nobody.
		return v, false
	case live && v.replicas == m.proposed:
		return v, half(m.madeAt, m.until, in.At)
	case v.decline:
		return v, p.due(m, v.code, in.At)
	}
	return v, true
}

// takesFrom reports whether the proposal, carried out now, would take replicas away.
func (m memory) takesFrom(running int) bool {
	return m.proposed < running || running == 0 && m.proposed < m.current
}

// withdraw turns a decline into the proposal to leave all as it is, because a decline supersedes nothing and the live proposal would go on
// asking for less. It holds for as long as that one would have.
func (p *Planner) withdraw(in Input, v verdict, m memory) verdict {
	v.decline, v.replicas = false, max(in.Replicas, m.current, 1)
	v.reason = fmt.Sprintf("Keep %s; the proposal of %d made at %s no longer holds. %s",
		replicas(v.replicas), m.proposed, clock(m.madeAt, in.At), v.reason)
	v.valid = max(p.cfg.ValidOut, m.until.Sub(in.At))
	return v
}

// due reports whether a decline is news: the last one expired, or had another code. Reasons that take turns each minute are held to one in
// half the validity of a proposal.
func (p *Planner) due(m memory, code string, at time.Time) bool {
	if !at.Before(m.declinedUntil) {
		return true
	}
	return code != m.code && at.Sub(m.declinedAt) >= p.cfg.ValidOut/2
}

func half(from, until, at time.Time) bool { return at.Sub(from) >= until.Sub(from)/2 }
