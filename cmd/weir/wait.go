package main

import (
	"context"
	"fmt"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// untilDurable waits until everything now in the log is counted and durable, by what the workers say on weir.progress.
func untilDurable(ctx context.Context, k *kafka.Client) error {
	missing := map[string]int64{}
	for _, topic := range topicsRead() {
		incarnation, err := k.Incarnation(ctx, topic)
		if err != nil {
			return err
		}
		bounds, err := k.Bounds(ctx, topic)
		if err != nil {
			return err
		}
		for p, log := range bounds {
			if log.End > 0 {
				missing[sourceName(topic, incarnation, p)] = log.End
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	bounds, err := k.Bounds(ctx, wire.TopicProgress)
	if err != nil {
		return err
	}
	const lookBack = 64 // records, so that what was said just before is heard too
	return k.Read(ctx, wire.TopicProgress, 0, max(0, bounds[0].End-lookBack), true, func(m ingest.Message) bool {
		p, err := wire.DecodeProgress(m.Value)
		if err != nil {
			return true
		}
		for _, s := range p.Sources {
			if s.Durable >= missing[s.Source] {
				delete(missing, s.Source)
			}
		}
		return len(missing) > 0
	})
}

// decidePoll is how often the store is asked whether everything is decided.
const decidePoll = 200 * time.Millisecond

// untilDecided waits until both decision services have decided about every window that ends at or before t, and every decision has its
// outcome.
func untilDecided(ctx context.Context, s *clickhouse.Client, t time.Time) error {
	for {
		done, err := decidedUpTo(ctx, s, t)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
		if err := pause.For(ctx, decidePoll); err != nil {
			return fmt.Errorf("wait for decisions about windows up to %s: %w", t.Format(time.RFC3339), err)
		}
	}
}

func decidedUpTo(ctx context.Context, s *clickhouse.Client, t time.Time) (bool, error) {
	for _, stage := range []string{stageForecast, stageDetect} {
		positions, err := s.Positions(ctx, stage)
		if err != nil {
			return false, err
		}
		for _, at := range positions {
			if at.Before(t) {
				return false, nil
			}
		}
		if len(positions) == 0 {
			return false, nil
		}
	}
	open, err := s.OpenDecisions(ctx)
	return open == 0, err
}
