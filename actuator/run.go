package actuator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weirmesh/weir/actuator/arbiter"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas"
)

const (
	// chunk is how many outcomes are judged and written at once.
	chunk = 500
	// maxDead is how many unreadable messages are held before they are written.
	maxDead = 16
	// quietLog is how often unreadable messages are spoken of.
	quietLog = time.Minute
)

// run is one session at work.
type run struct {
	*Worker
	session    ingest.Session
	partitions map[schemas.Source]*partition
	settled    []arbiter.Settled // not written yet
	dead       []dead            // not kept yet
	published  map[string]bool   // decisions whose outcomes were on the log when the session began
	unreadable int               // since it was said last
	saidAt     time.Time
}

// dead is a message that cannot be believed.
type dead struct {
	message ingest.Message
	reason  error
}

// loop reads and writes until the session or ctx ends.
func (r *run) loop(ctx context.Context) error {
	for {
		err := r.read(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err := r.flush(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// read takes messages for the flush interval, or until there is enough to write.
func (r *run) read(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, r.cfg.FlushInterval)
	defer cancel()
	for len(r.settled) < chunk && len(r.dead) < maxDead {
		m, err := r.session.Next(wait)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return err
		}
		r.take(m)
	}
	return nil
}

// take learns from one message. A message that cannot be believed stops nothing.
func (r *run) take(m ingest.Message) {
	p := r.partitions[m.Source]
	settled, err := p.take(m, r.parts.Verify, r.parts.Now().UTC().Truncate(time.Millisecond))
	r.settled = append(r.settled, slices.DeleteFunc(settled, func(s arbiter.Settled) bool { return r.published[s.Decision.ID] })...)
	r.parts.Metrics.messages.Inc()
	switch {
	case err == nil || m.Offset < p.durable:
	case errors.Is(err, errDuplicate):
		r.parts.Metrics.duplicates.Inc()
	default:
		r.parts.Metrics.unreadable.Inc()
		r.dead = append(r.dead, dead{m, err})
		r.say(m, err)
	}
}

// say logs unreadable messages once in a while: whoever sends many must not fill the log.
func (r *run) say(m ingest.Message, reason error) {
	r.unreadable++
	now := r.parts.Now()
	if !r.saidAt.IsZero() && now.Sub(r.saidAt) < quietLog {
		return
	}
	r.parts.Logger.Warn("Decision is not believed and goes to the dead letter", "source", m.Source, "offset", m.Offset, "reason", redact.Text(reason.Error()),
		"since_last", r.unreadable)
	r.unreadable, r.saidAt = 0, now
}

// flush makes the outcomes of everything settled durable, tells others, and commits. It may take drainTime longer than ctx. After an
// error the session must end.
func (r *run) flush(ctx context.Context) error {
	ctx, cancel := pause.Grace(ctx, drainTime)
	defer cancel()
	look := &look{source: r.parts.State, cluster: r.cfg.Cluster, seen: map[asked]answer{}}
	for some := range slices.Chunk(r.settled, chunk) {
		if err := r.write(ctx, some, look); err != nil {
			return err
		}
	}
	for _, one := range r.dead {
		keep := func(ctx context.Context) error { return r.parts.DeadLetter(ctx, one.message, one.reason) }
		if err := r.retry(ctx, "write dead letter", keep); err != nil {
			return err
		}
	}
	r.settled, r.dead = nil, nil
	return r.commit(ctx)
}

func (r *run) write(ctx context.Context, settled []arbiter.Settled, look *look) error {
	outcomes := make([]schemas.DecisionOutcome, 0, len(settled))
	for _, s := range settled {
		var v view
		if s.Verdict == arbiter.Won {
			v = look.at(ctx, s.Decision)
		}
		outcomes = append(outcomes, r.judge.outcome(s, v))
	}
	err := r.retry(ctx, "save outcomes", func(ctx context.Context) error { return r.parts.Outcomes.SaveOutcomes(ctx, outcomes) })
	if err != nil {
		return err
	}
	if err := r.retry(ctx, "publish outcomes", func(ctx context.Context) error { return r.parts.Publish(ctx, outcomes) }); err != nil {
		return err
	}
	for _, o := range outcomes {
		r.parts.Metrics.outcomes.WithLabelValues(string(o.Stage)).Inc()
	}
	return nil
}

// commit says how far the partitions are, except those that still remember what was done before: their position would go back.
func (r *run) commit(ctx context.Context) error {
	for _, p := range r.partitions {
		r.observe(p)
		at := p.position(r.parts.Now())
		if p.next < p.durable || at.Durable < p.committed.Durable || at == p.committed {
			continue
		}
		err := r.session.Commit(ctx, p.source, at)
		if errors.Is(err, ingest.ErrRevoked) {
			return err
		}
		if err != nil { // what is judged again has the same outcomes; the next commit may succeed
			r.parts.Logger.Warn("Position was not committed", "source", p.source, "error", err)
			continue
		}
		p.committed = at
	}
	return nil
}

func (r *run) observe(p *partition) {
	label := strconv.Itoa(p.source.Partition)
	r.parts.Metrics.waiting.WithLabelValues(label).Set(float64(len(p.waiting)))
	r.parts.Metrics.live.WithLabelValues(label).Set(float64(p.live.Live() + p.replay.Live()))
	r.parts.Metrics.lag.WithLabelValues(label).Set(float64(max(0, p.end-p.next)))
}

// retry calls do until it succeeds. It gives up when ctx ends and on errors that do not pass.
func (r *run) retry(ctx context.Context, what string, do func(context.Context) error) error {
	err := ingest.Retry(ctx, what, do, ingest.IsPermanent, func(err error, in time.Duration) {
		r.parts.Ready(fmt.Errorf("%s: %w", what, err))
		r.parts.Logger.Warn("Trying again", "to", what, "in", in, "error", err)
	})
	if err == nil {
		r.parts.Ready(nil)
	}
	return err
}
