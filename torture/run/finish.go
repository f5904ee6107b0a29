package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/torture/check"
	"github.com/weirmesh/weir/torture/traffic"
)

const countEvery = 500 * time.Millisecond

// finish ends the stream, waits until all of it is counted, and compares.
func (r *runner) finish(ctx context.Context) (Report, error) {
	begun, _, kills := r.harmer.counts()
	report := Report{
		Seed: r.cfg.Seed, Kafka: "embedded broker", Requests: r.sender.acked.Load(), Attempts: r.sender.attempts.Load(),
		Rejected: r.sender.rejected.Load(), Harms: begun, Kills: kills, Processes: r.harmer.killed.Load(),
		Previous: r.harmer.previous.Load(), Notes: r.harmer.notes, strict: r.cfg.Recording == "",
	}
	if r.cfg.Apache > 0 {
		report.Kafka = fmt.Sprintf("%d nodes of Apache Kafka", r.cfg.Apache)
	}
	k, err := kafka.New(kafka.Config{Addresses: r.cluster.Kafka()})
	if err != nil {
		return report, err
	}
	defer k.Close()
	r.enter("counting")
	if err := r.count(ctx, k); err != nil {
		return report, err
	}
	r.enter("reading the log")
	if err := r.read(ctx, k); err != nil {
		return report, err
	}
	report.Log = r.checker.Report()
	r.enter("comparing")
	ends, err := ends(ctx, k)
	if err != nil {
		return report, err
	}
	if report.DeadLetters, err = deadLetters(ctx, k); err != nil {
		return report, err
	}
	report.Store, err = r.load.compare(ctx, clickhouse.Config{Address: r.cluster.ClickHouse()}, ends)
	return report, err
}

// count ends the stream and waits until features has counted up to the log's end.
func (r *runner) count(ctx context.Context, k *kafka.Client) error {
	ready, cancel := context.WithTimeout(ctx, startTakes)
	defer cancel()
	if err := r.cluster.AwaitReady(ready); err != nil {
		return err
	}
	partitions := map[string]int{}
	err := ingest.Retry(ready, "end the stream", func(ctx context.Context) error {
		for _, topic := range topics() {
			n, err := k.Partitions(ctx, topic)
			if err != nil {
				return err
			}
			partitions[topic] = n
		}
		return k.Produce(ctx, traffic.EndOfStream(r.load.end(), partitions)...)
	}, ingest.IsPermanent, func(error, time.Duration) {})
	if err != nil {
		return err
	}
	return r.counted(ctx, k)
}

func topics() []string { return []string{wire.TopicCalls, wire.TopicSamples} }

// counted waits for as long as something comes forward.
func (r *runner) counted(ctx context.Context, k *kafka.Client) error {
	group := config.Default().Kafka.Group
	least, last := int64(-1), time.Now()
	for {
		state, err := k.DescribeGroup(ctx, group, topics()...)
		if err == nil {
			r.lag.Store(state.Lag)
			if state.Committed && state.Lag == 0 {
				return nil
			}
			if least < 0 || state.Lag < least {
				least, last = state.Lag, time.Now()
			}
		}
		if time.Since(last) > r.cfg.Patience {
			return errors.Join(r.dump(), fmt.Errorf("count the log: nothing came forward for %s: %d messages are not counted by group %s; see the logs in %s",
				r.cfg.Patience, least, group, r.cfg.Dir), err)
		}
		if err := pause.For(ctx, countEvery); err != nil {
			return err
		}
	}
}

// dump ends all parts of Weir so that their logs say what they were waiting for.
func (r *runner) dump() error {
	var all []error
	for _, name := range r.cluster.Parts() {
		if !strings.HasPrefix(name, "kafka-") {
			all = append(all, r.cluster.Dump(name))
		}
	}
	return errors.Join(all...)
}

// read reads the log into the checker.
func (r *runner) read(ctx context.Context, k *kafka.Client) error {
	partitions, err := k.Partitions(ctx, wire.TopicCalls)
	if err != nil {
		return err
	}
	for p := range partitions {
		var unreadable error
		err := k.Read(ctx, wire.TopicCalls, p, 0, false, func(m ingest.Message) bool {
			message, err := check.Read(m, r.load.number)
			if err != nil {
				unreadable = err
				return false
			}
			r.checker.Logged(message)
			return true
		})
		if err != nil || unreadable != nil {
			return fmt.Errorf("read the log of partition %d: %w", p, cmp.Or(unreadable, err))
		}
	}
	return nil
}

// ends are the ends of the log by source.
func ends(ctx context.Context, k *kafka.Client) (map[string]int64, error) {
	out := map[string]int64{}
	for _, topic := range topics() {
		incarnation, err := k.Incarnation(ctx, topic)
		if err != nil {
			return nil, err
		}
		bounds, err := k.Bounds(ctx, topic)
		if err != nil {
			return nil, err
		}
		for p, log := range bounds {
			out[schemas.Source{Incarnation: incarnation, Topic: topic, Partition: p}.String()] = log.End
		}
	}
	return out, nil
}

func deadLetters(ctx context.Context, k *kafka.Client) (n int64, err error) {
	bounds, err := k.Bounds(ctx, wire.TopicDeadLetter)
	for _, log := range bounds {
		n += log.End - log.First
	}
	return n, err
}
