// Package replay sends a recording through Weir's front door, as any OpenTelemetry SDK would, and remembers how far it came.
//
// Event times stay as recorded. Requests go out in the recording's order, at most one for each sender at a time. After a crash, a replay
// that resumes sends again what had not been acknowledged; the join drops the spans it has already seen.
package replay

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/internal/pause"
)

// Config says how to send.
type Config struct {
	Senders int     // requests under way at the same time
	Rate    float64 // spans a second; 0 = as fast as the collector takes them
	// Send sends one request and returns when it is acknowledged.
	Send func(context.Context, recording.Request) error
	// Bad is told of every row that cannot be read, one at a time.
	Bad func(context.Context, recording.BadRow) error
	// Save is called with the progress after each acknowledged request, one call at a time.
	Save func(Progress) error
	Now  func() time.Time
}

// Run sends what is left of the recording after the progress given, and returns the progress made.
func Run(ctx context.Context, r *recording.Recording, from Progress, cfg Config) (Progress, error) {
	acks := &acks{progress: from, waiting: map[int]recording.Request{}, save: cfg.Save}
	group, ctx := errgroup.WithContext(ctx)
	requests := make(chan recording.Request)
	group.Go(func() error {
		defer close(requests)
		return read(ctx, r, cfg, acks, requests)
	})
	for range max(1, cfg.Senders) {
		group.Go(func() error {
			for request := range requests {
				if err := cfg.Send(ctx, request); err != nil {
					return err
				}
				if err := acks.add(request); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return acks.now(), err
}

// read hands out requests, no faster than the rate allows.
func read(ctx context.Context, r *recording.Recording, cfg Config, acks *acks, out chan<- recording.Request) error {
	var bad error
	read := recording.ReadConfig{Skip: acks.progress.Requests, Bad: func(row recording.BadRow) {
		if bad == nil {
			bad = cfg.Bad(ctx, row)
		}
		acks.bad()
	}}
	began, sent := cfg.Now(), 0
	for request, err := range r.Requests(ctx, read) {
		if err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		if cfg.Rate > 0 {
			due := began.Add(time.Duration(float64(sent) / cfg.Rate * float64(time.Second)))
			if err := pause.For(ctx, due.Sub(cfg.Now())); err != nil {
				return err
			}
		}
		select {
		case out <- request:
			sent += request.Spans
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return bad
}

// acks turns acknowledgements, which come in any order, into progress without gaps.
type acks struct {
	save func(Progress) error

	mu       sync.Mutex // guards the rest
	progress Progress
	waiting  map[int]recording.Request // acknowledged after a gap; at most one for each sender
}

func (a *acks) add(r recording.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[r.Index] = r
	moved := false
	for {
		next, ok := a.waiting[a.progress.Requests]
		if !ok {
			break
		}
		delete(a.waiting, next.Index)
		a.progress.take(next)
		moved = true
	}
	if !moved {
		return nil
	}
	return a.save(a.progress)
}

func (a *acks) bad() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress.BadRows++
}

func (a *acks) now() Progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.progress
}

func (p *Progress) take(r recording.Request) {
	p.Requests++
	if r.Signal != recording.Traces {
		p.ItemsSent += int64(r.Spans)
		return
	}
	p.SpansSent += int64(r.Spans)
	for _, resource := range r.Traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				p.event(int64(span.EndTimestamp()))
			}
		}
	}
}

func (p *Progress) event(end int64) {
	if end <= 0 {
		return
	}
	if p.FirstEvent == 0 || end < p.FirstEvent {
		p.FirstEvent = end
	}
	p.LastEvent = max(p.LastEvent, end)
}
