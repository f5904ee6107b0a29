package weirexporter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/wire"
)

const (
	// maxBatch is how many bytes go to a partition in one write: brokers refuse batches above 1 MB by default.
	maxBatch = 768 << 10
	// attemptTime bounds one write, for brokers that take a connection and never answer.
	attemptTime = 30 * time.Second
)

// sender writes messages until Kafka holds them or the request's sender gives up.
type sender struct {
	producer ingest.Producer
	id       string // names this producer, new with every start
	retry    RetryConfig
	logger   *zap.Logger
	count    *counters
	sequence atomic.Uint64
	away     atomic.Bool // Kafka took nothing when last tried
}

type place struct {
	topic     string
	partition int
}

// send returns nil when all in-sync replicas hold every record. Partitions are written side by side and tried again on their own, so
// that one that is away does not make the others hold records twice.
func (s *sender) send(ctx context.Context, records []ingest.Record) error {
	grouped := map[place][]ingest.Record{}
	for _, r := range records {
		r.Headers = append(r.Headers,
			wire.Header{Key: wire.HeaderProducer, Value: s.id},
			wire.Header{Key: wire.HeaderSeq, Value: strconv.FormatUint(s.sequence.Add(1), 10)},
			wire.Header{Key: wire.HeaderSent, Value: strconv.FormatInt(time.Now().UnixNano(), 10)},
		)
		at := place{r.Topic, r.Partition}
		grouped[at] = append(grouped[at], r)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards first
		first error
	)
	for _, group := range grouped {
		wg.Go(func() {
			err := s.write(ctx, group)
			mu.Lock()
			defer mu.Unlock()
			// A permanent error outranks the others: it decides whether the request may come again.
			if err != nil && (first == nil || ingest.IsPermanent(err)) {
				first = err
			}
		})
	}
	wg.Wait()
	return first
}

// write writes the records of one partition in order.
func (s *sender) write(ctx context.Context, records []ingest.Record) error {
	for len(records) > 0 {
		n, size := 1, len(records[0].Value)
		for n < len(records) && size+len(records[n].Value) <= maxBatch {
			size += len(records[n].Value)
			n++
		}
		chunk := records[:n]
		if err := s.try(ctx, func(ctx context.Context) error { return s.producer.Produce(ctx, chunk...) }); err != nil {
			return err
		}
		s.count.messages(ctx, chunk[0].Topic, n)
		records = records[n:]
	}
	return nil
}

// try calls do until it succeeds, fails for good, or ctx ends.
func (s *sender) try(ctx context.Context, do func(context.Context) error) error {
	wait := s.retry.InitialInterval
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		err := do(attempt)
		cancel()
		if err == nil {
			if s.away.CompareAndSwap(true, false) {
				s.logger.Warn("Kafka takes messages again")
			}
			return nil
		}
		if ingest.IsPermanent(err) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w while waiting for Kafka: %w", context.Cause(ctx), err)
		}
		if s.away.CompareAndSwap(false, true) {
			s.logger.Warn("Kafka takes no messages, senders wait", zap.Error(err))
		}
		// Up to half of the wait is left to chance, so that senders do not return all at once.
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w while waiting for Kafka: %w", context.Cause(ctx), err)
		}
		wait = min(2*wait, s.retry.MaxInterval)
	}
}
