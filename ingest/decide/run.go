package decide

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// run is one session at work.
type run struct {
	*Runner
	service   Service
	closed    *Closed
	shards    int
	positions map[int]time.Time        // of the session's shards; zero = nothing decided yet
	heard     map[schemas.Source]int64 // next progress record of each shard
	at        time.Time                // the windows up to here are decided, or were when this session began
	started   bool                     // the service has learnt what came before at
	published map[string]bool          // ids of events that the log held for times after at when the session began
}

// loop decides each time the closed time has moved on.
func (n *run) loop(ctx context.Context, s ingest.Session) error {
	for {
		m, err := s.Next(ctx)
		if err != nil {
			return err
		}
		p, err := wire.DecodeProgress(m.Value)
		if err != nil {
			n.parts.Logger.Warn("Progress record cannot be read and is skipped", "source", m.Source, "offset", m.Offset, "error", err)
			continue
		}
		n.heard[m.Source] = m.Offset + 1
		n.closed.Take(p)
		if m.Offset+1 < m.End {
			continue // more is known already
		}
		moved, err := n.advance(ctx)
		if err != nil {
			return err
		}
		if moved {
			n.commit(ctx, s)
		}
	}
}

// advance decides about everything that is closed by now.
func (n *run) advance(ctx context.Context) (bool, error) {
	to := n.closed.At().Truncate(time.Duration(n.cfg.Resolution))
	if to.IsZero() || !to.After(n.at) {
		return false, nil
	}
	if !n.started {
		if err := n.learn(ctx, to); err != nil {
			return false, err
		}
	}
	moved := false
	for n.at.Before(to) {
		if err := n.skip(ctx, to); err != nil {
			return moved, err
		}
		next := n.at.Add(n.cfg.Chunk)
		if next.After(to) {
			next = to
		}
		if err := n.decide(ctx, next); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// longSilence is how long there must be no window for a service to begin anew behind the silence, instead of living through it minute by
// minute: one clock that is wrong by a century must not keep it busy for a day.
const longSilence = 14 * 24 * time.Hour

// skip jumps over a long silence.
func (n *run) skip(ctx context.Context, to time.Time) error {
	if to.Sub(n.at) <= longSilence {
		return nil
	}
	next, err := n.parts.Store.NextWindow(ctx, n.cfg.Resolution, n.at)
	if err != nil {
		return err
	}
	if next.IsZero() || next.After(to) {
		next = to.Add(-n.cfg.Chunk)
	}
	if next.Sub(n.at) <= longSilence {
		return nil
	}
	n.parts.Logger.Warn("No windows for a long time: starting anew behind it", "stage", n.cfg.Stage, "from", n.at, "to", next)
	if n.service, err = n.parts.New(n.owns); err != nil {
		return ingest.Permanent{Err: err}
	}
	n.at = next
	return nil
}

// learn lets the service see the history before its position, or finds where a new one begins.
func (n *run) learn(ctx context.Context, to time.Time) error {
	first, err := n.parts.Store.NextWindow(ctx, n.cfg.Resolution, time.Time{})
	if err != nil {
		return err
	}
	if first.IsZero() {
		first = to
	}
	from := first
	if n.at.IsZero() { // a new service decides about all history that it would learn from
		if oldest := to.Add(-n.cfg.History); from.Before(oldest) {
			from = oldest.Truncate(time.Duration(n.cfg.Resolution))
		}
		n.at, n.started = from, true
		return nil
	}
	if oldest := n.at.Add(-n.cfg.History); from.Before(oldest) {
		from = oldest
	}
	for from.Before(n.at) {
		next := from.Add(n.cfg.Chunk)
		if next.After(n.at) {
			next = n.at
		}
		if _, err := n.service.Step(ctx, from, next); err != nil {
			return fmt.Errorf("learn from %s: %w", from.Format(time.RFC3339), err)
		}
		from = next
	}
	n.started = true
	return nil
}

// decide steps the service up to `to` and makes what it says durable, then public. Each part may be repeated after a crash.
func (n *run) decide(ctx context.Context, to time.Time) error {
	began := n.parts.Now()
	out, err := n.service.Step(ctx, n.at, to)
	if err != nil {
		return fmt.Errorf("decide about windows up to %s: %w", to.Format(time.RFC3339), err)
	}
	n.mine(&out)
	events, signed, err := n.parts.Events.encode(out, began)
	if err != nil {
		return err
	}
	if err := n.save(ctx, out, signed); err != nil {
		return err
	}
	records, err := n.records(events, to)
	if err != nil {
		return err
	}
	if err := n.parts.Producer.Produce(ctx, records...); err != nil {
		return fmt.Errorf("publish decisions: %w", err)
	}
	positions := map[int]time.Time{}
	for shard, at := range n.positions {
		if to.After(at) {
			positions[shard], n.positions[shard] = to, to
		}
	}
	if err := n.parts.Store.SavePositions(ctx, n.cfg.Stage, positions); err != nil {
		return err
	}
	n.at = to
	n.parts.Metrics.observe(n.cfg.Stage, out, to, n.parts.Now().Sub(began))
	return nil
}

// owns reports whether a workload belongs to this session's shards.
func (n *run) owns(w schemas.Workload) bool {
	_, ours := n.positions[shardOf(w, n.shards)]
	return ours
}

// mine leaves what this session's shards have not decided yet.
func (n *run) mine(out *Output) {
	other := func(w schemas.Workload, made time.Time) bool {
		at, ours := n.positions[shardOf(w, n.shards)]
		return !ours || !made.After(at)
	}
	out.Forecasts = slices.DeleteFunc(out.Forecasts, func(f schemas.Forecast) bool { return other(f.Workload, f.MadeAt) })
	out.Findings = slices.DeleteFunc(out.Findings, func(f schemas.Finding) bool { return other(f.Workload, f.UpdatedAt) })
	out.Decisions = slices.DeleteFunc(out.Decisions, func(d schemas.Decision) bool { return other(d.Target, d.MadeAt) })
}

func (n *run) save(ctx context.Context, out Output, signed []schemas.SignedDecision) error {
	if len(out.Forecasts) > 0 {
		if err := n.parts.Store.SaveForecasts(ctx, out.Forecasts); err != nil {
			return err
		}
	}
	if len(out.Findings) > 0 {
		if err := n.parts.Store.SaveFindings(ctx, out.Findings); err != nil {
			return err
		}
	}
	if len(signed) > 0 {
		return n.parts.Store.SaveDecisions(ctx, signed)
	}
	return nil
}

// records are the events that the log does not hold yet, followed by the word that this stage has decided everything before `to`.
func (n *run) records(events []topicEvent, to time.Time) ([]ingest.Record, error) {
	var out []ingest.Record
	for _, e := range events {
		if n.published[e.ID] {
			continue
		}
		key, value, headers := e.Encode()
		out = append(out, ingest.Record{
			Topic: e.topic, Partition: wire.PartitionOf([]byte(e.PartitionKey), n.shards), Key: key, Value: value, Headers: headers,
		})
	}
	for p := range n.positions { // a shard's decisions are in the partition of the same number
		out = append(out, ingest.Record{Topic: wire.TopicDecisions, Partition: p, Headers: []wire.Header{
			{Key: wire.HeaderControl, Value: wire.ControlWatermark},
			{Key: wire.HeaderEventTime, Value: strconv.FormatInt(to.UnixNano(), 10)},
			{Key: wire.HeaderProducer, Value: n.cfg.Stage},
		}})
	}
	return out, nil
}

// commit says where a later session begins to listen. What is decided is in the store's positions, not here.
func (n *run) commit(ctx context.Context, s ingest.Session) {
	for source, next := range n.heard {
		at := max(next-positionLookBack, 0)
		if err := s.Commit(ctx, source, ingest.Position{Restart: at, Durable: at}); err != nil {
			n.parts.Logger.Warn("Position on progress was not committed", "source", source, "error", err)
		}
	}
}

// oldest is how far the shard that is furthest behind has come.
func (n *run) oldest() time.Time {
	var low time.Time
	first := true
	for _, at := range n.positions {
		if first || at.Before(low) {
			low, first = at, false
		}
	}
	return low
}
