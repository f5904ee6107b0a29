package features

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store"
)

// run is one session at work.
type run struct {
	*Worker
	session ingest.Session
	sources map[schemas.Source]*source
	said    time.Time // when progress was published last
}

// quietProgress is how often progress is said while nothing happens.
const quietProgress = 5 * time.Second

// loop reads and flushes until the session or ctx ends.
func (r *run) loop(ctx context.Context) error {
	deadline := r.parts.Now().Add(r.cfg.FlushInterval)
	for {
		err := r.read(ctx, deadline)
		switch {
		case ctx.Err() != nil:
			return r.flush(ctx)
		case err != nil:
			return err
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		r.look(ctx)
		deadline = r.parts.Now().Add(r.cfg.FlushInterval)
	}
}

// read takes messages until the deadline, or until enough is held.
func (r *run) read(ctx context.Context, deadline time.Time) error {
	wait, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for r.rows() < r.cfg.MaxRows {
		m, err := r.session.Next(wait)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.take(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) rows() int {
	n := 0
	for _, s := range r.sources {
		n += s.open.Rows() + len(s.samples) + s.keptRows
	}
	return n
}

func (r *run) take(ctx context.Context, m ingest.Message) error {
	s := r.sources[m.Source]
	r.count.messages.WithLabelValues(m.Source.Topic).Inc()
	unreadable := s.take(m, r.parts.Now(), r.count)
	if unreadable == nil || m.Offset < s.assigned.Position.Durable {
		return nil
	}
	r.count.unreadable.Inc()
	r.parts.Logger.Warn("Message cannot be read and goes to the dead letter", "source", m.Source, "offset", m.Offset, "reason", redact.Text(unreadable.Error()))
	return r.retry(ctx, "write dead letter", func(ctx context.Context) error {
		return r.parts.Producer.Produce(ctx, deadLetter(m, unreadable))
	})
}

// flush makes everything that was read durable, commits it and says so. It may take drainTime longer than ctx: what it has taken from
// the sources is not there for a second flush. After an error the session must end.
func (r *run) flush(ctx context.Context) error {
	ctx, cancel := pause.Grace(ctx, drainTime)
	defer cancel()
	now := r.parts.Now()
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for _, s := range r.sources {
		s.open.Flush(s.next-1, f.Partials)
		f.Samples = append(f.Samples, s.samples...)
		f.Gaps = append(f.Gaps, s.gaps...)
		f.Spans = append(f.Spans, s.kept...)
	}
	if !f.Empty() {
		if err := r.retry(ctx, "write windows", func(ctx context.Context) error { return r.write(ctx, f) }); err != nil {
			return err
		}
		r.count.flushes.Inc()
		r.count.flushSeconds.Observe(r.parts.Now().Sub(now).Seconds())
		r.parts.Metrics.lastFlush.Set(float64(r.parts.Now().UnixNano()) / 1e9)
	}
	moved := false
	for _, s := range r.sources {
		moved = moved || s.pending()
		s.flushed()
	}
	if err := r.commit(ctx); err != nil {
		return err
	}
	return r.progress(ctx, moved)
}

// write tries to write a flush, for a bounded time: a server that vanished without a word never answers, and trying again is safe.
func (r *run) write(ctx context.Context, f store.Flush) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.WriteTimeout)
	defer cancel()
	return r.parts.Store.Write(ctx, f)
}

func (r *run) commit(ctx context.Context) error {
	for _, s := range r.sources {
		if !s.unsaved {
			continue
		}
		err := r.session.Commit(ctx, s.assigned.Source, s.position(r.cfg.Generation))
		if errors.Is(err, ingest.ErrRevoked) {
			return err
		}
		if err != nil { // the marks hold what is counted; the next commit may succeed
			r.parts.Logger.Warn("Position was not committed", "source", s.assigned.Source, "error", err)
			continue
		}
		s.unsaved = false
	}
	return nil
}

// progress publishes how far every source is, and closes the windows that all of them have passed.
func (r *run) progress(ctx context.Context, moved bool) error {
	now := r.parts.Now()
	closed := r.watermark(now)
	for _, s := range r.sources {
		s.open.Close(closed)
		r.observe(s, now)
	}
	if !moved && now.Sub(r.said) < quietProgress {
		return nil
	}
	records, err := r.progressRecords(now)
	if err != nil {
		return err
	}
	if err := r.parts.Producer.Produce(ctx, records...); err != nil {
		r.parts.Logger.Warn("Progress was not published", "error", err)
		return nil
	}
	r.said = now
	return nil
}

// watermark is the event time that every source which is not idle has passed.
func (r *run) watermark(now time.Time) int64 {
	low, idle := int64(0), int64(0)
	for _, s := range r.sources {
		if s.assigned.Source.Topic != wire.TopicCalls {
			continue
		}
		event := r.sourceWatermark(s, now)
		switch {
		case r.idle(s, now):
			idle = max(idle, event)
		case low == 0 || event < low:
			low = event
		}
	}
	if low == 0 {
		return idle
	}
	return low
}

func (r *run) idle(s *source, now time.Time) bool {
	return s.next >= s.end && s.clock.Idle(now, r.cfg.Idle)
}

func (r *run) sourceWatermark(s *source, now time.Time) int64 {
	if event := s.clock.Event(now); event > 0 {
		return event - int64(r.cfg.Lateness)
	}
	return 0
}

// retry calls do until it succeeds. It gives up when ctx ends, when the session is over, and on errors that do not pass.
func (r *run) retry(ctx context.Context, what string, do func(context.Context) error) error {
	final := func(err error) bool { return errors.Is(err, store.ErrConflict) || ingest.IsPermanent(err) }
	err := ingest.Retry(ctx, what, do, final, func(err error, in time.Duration) {
		r.parts.Ready(fmt.Errorf("%s: %w", what, err))
		r.parts.Logger.Warn("Trying again", "to", what, "in", in, "error", err)
	})
	if err == nil {
		r.parts.Ready(nil)
	}
	return err
}
