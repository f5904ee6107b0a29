package features

import (
	"context"
	"fmt"
	"time"

	"github.com/weirmesh/weir/features/complete"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store"
)

// How far back windows are judged again: every time, and once in longEvery times, for what comes late.
const (
	shortLook = 2 * time.Minute
	longLook  = 15 * time.Minute
	longEvery = 12
	// usualLook is how much further back is read, so that it is known what was usual.
	usualLook = (complete.BaselineWindows + 2) * 10 * time.Second
	// servedLook is how far back proxies are compared, between two long looks, and servedBefore where in longEvery times; once in servedLong
	// times it is as far as all else.
	servedLook   = 5 * time.Minute
	servedBefore = longEvery / 2
	servedLong   = 5
)

// checker looks for missing telemetry. It runs where partition 0 of weir.calls is, and so in one worker of all.
type checker struct {
	reader store.Accountant
	next   time.Time
	times  int
}

// judged are the kinds of gaps that a checker writes.
func judged() []schemas.GapKind {
	return []schemas.GapKind{schemas.GapCollectorSilent, schemas.GapDropped, schemas.GapLost, schemas.GapSourceSilent}
}

// look writes what is found to be missing, if it is time to look again. Nothing depends on it: after an error the next look finds the same.
func (r *run) look(ctx context.Context) {
	c := r.check
	now := r.parts.Now()
	if r.cfg.CheckInterval <= 0 || c.reader == nil || now.Before(c.next) || !r.checks() {
		return
	}
	look := shortLook
	if c.times%longEvery == 0 {
		look = longLook
	}
	if r.found(ctx, func(ctx context.Context) ([]schemas.Gap, error) { return c.find(ctx, now, look) }) {
		if c.times%longEvery == servedBefore {
			r.found(ctx, func(ctx context.Context) ([]schemas.Gap, error) { return c.untold(ctx, now) })
		}
		c.times++
	}
	c.next = r.parts.Now().Add(r.cfg.CheckInterval)
}

// found writes the gaps that find returns, and reports whether it could.
func (r *run) found(ctx context.Context, find func(context.Context) ([]schemas.Gap, error)) bool {
	limit, cancel := context.WithTimeout(ctx, r.cfg.CheckInterval)
	defer cancel()
	gaps, err := find(limit)
	if err == nil && len(gaps) > 0 {
		err = r.parts.Store.Write(limit, store.Flush{Gaps: gaps})
	}
	if err != nil && ctx.Err() == nil {
		r.parts.Logger.Warn("Completeness was not checked, it will be again", "error", err)
	}
	return err == nil
}

// checks reports whether this worker is the one that checks, and has counted what it has read: before, rows are late and not missing.
func (r *run) checks() bool {
	first := false
	for s, source := range r.sources {
		if source.next < source.end {
			return false
		}
		first = first || s.Topic == wire.TopicCalls && s.Partition == 0
	}
	return first
}

// find reads what all have told and judges it.
func (c *checker) find(ctx context.Context, now time.Time, look time.Duration) ([]schemas.Gap, error) {
	beats, err := c.reader.Heartbeats(ctx, now.Add(-complete.GoneAfter))
	if err != nil {
		return nil, fmt.Errorf("check completeness: %w", err)
	}
	from := now.Add(-look).Truncate(time.Duration(schemas.Shortest()))
	q := store.AccountsQuery{
		From: from.Add(-usualLook), To: now, Called: now, Judged: from, Kinds: judged(), Metrics: complete.DropMetrics(),
	}
	if look == longLook { // it takes a generation of the join until nobody answers for a call
		q.Called = from
	}
	for _, h := range beats {
		last := time.Unix(0, h.Last)
		if silent := now.Sub(last); !h.Stopped && silent > complete.SilentAfter && silent < complete.GoneAfter {
			q.Before = append(q.Before, last)
		}
	}
	told, err := c.reader.Accounts(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("check completeness: %w", err)
	}
	return complete.Find(complete.Input{
		Now: now.UnixNano(), From: from.UnixNano(), To: now.UnixNano(), Heartbeats: beats,
		Written: told.Written, Counted: told.Counted, Totals: told.Totals, Called: told.Called, Known: told.Gaps,
	}), nil
}

// untold reads what proxies have served and compares it with what was counted.
func (c *checker) untold(ctx context.Context, now time.Time) ([]schemas.Gap, error) {
	look := servedLook
	if c.times/longEvery%servedLong == 0 {
		look = longLook
	}
	q := store.ServedQuery{
		From: now.Add(-look).Truncate(time.Minute), To: now, Metrics: complete.ServedMetrics(), Attributes: complete.Inbound(),
	}
	told, err := c.reader.Served(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("compare with proxies: %w", err)
	}
	return complete.Untold(complete.Served{
		Now: now.UnixNano(), From: q.From.UnixNano(), To: q.To.UnixNano(), Totals: told.Totals, Calls: told.Calls, Known: told.Gaps,
	}), nil
}
