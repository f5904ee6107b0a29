package actuator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirmesh/weir/actuator/arbiter"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// partition is what is remembered of one partition of weir.decisions. All decisions about a workload are in one partition, and so are the
// watermarks of the stages that decide, so partitions need not know of each other.
//
// Decisions about the present and those about the past never meet: each have an arbiter of their own, and a time of their own.
type partition struct {
	cfg    *Config
	source schemas.Source
	// durable is the first offset whose outcomes may not be durable; what lies before it is only read to remember it.
	durable int64
	next    int64
	end     int64

	live, replay *arbiter.Arbiter
	waiting      map[string]schemas.Decision // decisions about the past whose time has not come
	heard        map[string]watermark        // by stage
	matters      map[string]matter           // by decision
	committed    ingest.Position
}

// watermark says how far a stage has come, and where in the log it said so.
type watermark struct {
	at     time.Time
	offset int64
}

// matter is a decision that a restarted worker may have to know.
type matter struct {
	offset       int64
	madeAt, till time.Time
	replay, done bool
}

func newPartition(cfg *Config, a ingest.Assigned) *partition {
	return &partition{
		cfg: cfg, source: a.Source, durable: a.Position.Durable, next: max(a.Position.Restart, a.First), end: a.End, committed: a.Position,
		live: arbiter.New(cfg.MaxIDs), replay: arbiter.New(cfg.MaxIDs),
		waiting: map[string]schemas.Decision{}, heard: map[string]watermark{}, matters: map[string]matter{},
	}
}

// errDuplicate says that a decision was seen before.
var errDuplicate = errors.New("the decision was seen before")

// take learns from one message, and returns what is settled by it. The error says why a message has no effect.
func (p *partition) take(m ingest.Message, verify Verify, now time.Time) ([]arbiter.Settled, error) {
	p.next, p.end = m.Offset+1, max(m.End, m.Offset+1)
	if control, ok := wire.Find(m.Headers, wire.HeaderControl); ok {
		return p.control(m, control)
	}
	d, err := verify(m)
	if err != nil {
		return nil, err
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	if _, waits := p.waiting[d.ID]; waits || p.live.Knows(d.ID) || p.replay.Knows(d.ID) {
		return nil, errDuplicate
	}
	p.matters[d.ID] = matter{offset: m.Offset, madeAt: d.MadeAt, till: d.ValidUntil, replay: d.Replay}
	if d.Replay {
		p.waiting[d.ID] = d
		if d.MadeAt.After(p.eventTime()) && len(p.waiting) <= p.cfg.MaxWaiting {
			return nil, nil
		}
		return p.settleDue(), nil
	}
	p.live.Add(d)
	return p.done(p.live.Settle(now)), nil
}

// control notes how far a stage has come.
func (p *partition) control(m ingest.Message, control string) ([]arbiter.Settled, error) {
	stage, _ := wire.Find(m.Headers, wire.HeaderProducer)
	if control != wire.ControlWatermark || !slices.Contains(p.cfg.Stages, stage) {
		return nil, nil
	}
	at, ok := wire.FindInt(m.Headers, wire.HeaderEventTime)
	if !ok {
		return nil, fmt.Errorf("watermark of %s has no %s", stage, wire.HeaderEventTime)
	}
	if t := time.Unix(0, at); !t.Before(p.heard[stage].at) {
		p.heard[stage] = watermark{at: t, offset: m.Offset}
	}
	return p.settleDue(), nil
}

// eventTime is how far all deciding stages have come; zero until each has spoken.
func (p *partition) eventTime() time.Time {
	var low time.Time
	for i, stage := range p.cfg.Stages {
		w, heard := p.heard[stage]
		if !heard {
			return time.Time{}
		}
		if i == 0 || w.at.Before(low) {
			low = w.at
		}
	}
	return low
}

// settleDue settles the decisions about the past whose time has come, each as of the instant at which it was made.
func (p *partition) settleDue() []arbiter.Settled {
	var out []arbiter.Settled
	due := p.due()
	for len(due) > 0 {
		at, n := due[0].MadeAt, 0
		for ; n < len(due) && due[n].MadeAt.Equal(at); n++ {
			delete(p.waiting, due[n].ID)
			p.replay.Add(due[n])
		}
		out = append(out, p.done(p.replay.Settle(at))...)
		due = due[n:]
	}
	return out
}

// due lists the waiting decisions whose time has come, oldest first. Should too many wait, because a stage says nothing, the oldest of
// them wait no longer.
func (p *partition) due() []schemas.Decision {
	at := p.eventTime()
	tooMany := len(p.waiting) > p.cfg.MaxWaiting
	var due []schemas.Decision
	for _, d := range p.waiting {
		if tooMany || !d.MadeAt.After(at) {
			due = append(due, d)
		}
	}
	slices.SortFunc(due, func(a, b schemas.Decision) int { return cmp.Or(a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.ID, b.ID)) })
	if tooMany {
		n := len(due) - p.cfg.MaxWaiting
		for n < len(due) && (due[n].MadeAt.Equal(due[n-1].MadeAt) || !due[n].MadeAt.After(at)) {
			n++
		}
		due = due[:n]
	}
	return due
}

// done notes that decisions are settled, and leaves out those whose outcomes are durable.
func (p *partition) done(settled []arbiter.Settled) []arbiter.Settled {
	return slices.DeleteFunc(settled, func(s arbiter.Settled) bool {
		m := p.matters[s.Decision.ID]
		m.done = true
		p.matters[s.Decision.ID] = m
		return m.offset < p.durable
	})
}

// position is where a restarted worker has to begin so that it comes to the same outcomes. What is settled must be durable by now.
//
// Everything from the first decision that still waits is judged again. For that, and for what is yet to come, it has to know the decisions
// that were live at the earliest instant at which one will be judged, and the last word of each stage.
func (p *partition) position(now time.Time) ingest.Position {
	durable := max(p.next, p.durable)
	for _, m := range p.matters {
		if !m.done {
			durable = min(durable, m.offset)
		}
	}
	past := p.eventTime()
	for _, m := range p.matters {
		if m.replay && m.offset >= durable && m.madeAt.Before(past) {
			past = m.madeAt
		}
	}
	maps.DeleteFunc(p.matters, func(_ string, m matter) bool {
		at := now
		if m.replay {
			at = past
		}
		return m.done && m.offset < durable && !m.till.After(at)
	})
	restart := durable
	for _, m := range p.matters {
		restart = min(restart, m.offset)
	}
	for _, w := range p.heard {
		restart = min(restart, w.offset)
	}
	return ingest.Position{Restart: restart, Durable: durable}
}
