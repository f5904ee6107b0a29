package weirexporter

import (
	"context"
	"crypto/rand"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// farewellTime bounds how long a collector that stops waits for Kafka to take its goodbye.
const farewellTime = time.Second

// reporter tells weir.samples what a ledger holds, every schemas.HeartbeatInterval, beside the requests and never in their way.
type reporter struct {
	ledger *ledger
	sender *sender
	// partitions asks how many weir.samples has.
	partitions func(context.Context) (int, error)
	now        func() time.Time
	logger     *zap.Logger
	stop       context.CancelFunc
	over       sync.WaitGroup
}

// newID names a process: its host, for people, and something that no other process has.
func newID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "collector"
	}
	return rows.Name(host + "-" + rand.Text()[:8])
}

// start begins to tell. The start's context ends with the start.
func (r *reporter) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = cancel
	r.over.Go(func() {
		tick := time.NewTicker(schemas.HeartbeatInterval)
		defer tick.Stop()
		for {
			r.tell(ctx, schemas.HeartbeatInterval, false)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// end says goodbye. It may be called more than once.
func (r *reporter) end(ctx context.Context) {
	if r.stop == nil {
		return
	}
	r.stop()
	r.over.Wait()
	r.stop = nil
	r.tell(ctx, farewellTime, true)
}

// tell writes one report. One that does not get through is not repeated: the next one says more.
func (r *reporter) tell(ctx context.Context, limit time.Duration, stopped bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	partitions, err := r.partitions(ctx)
	if err == nil && partitions > 0 {
		batch, failed := rows.OwnSamples(r.ledger.samples(r.now(), stopped), partitions)
		if err = failed; err == nil {
			err = r.sender.send(ctx, batch)
		}
	}
	if err != nil && ctx.Err() == nil {
		r.logger.Debug("The collector's samples about itself are not written", zap.String("topic", wire.TopicSamples), zap.Error(err))
	}
}
