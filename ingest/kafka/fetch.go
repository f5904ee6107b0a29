package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

const (
	setupTimeout = 15 * time.Second
	fetchWait    = time.Second // how long the broker may wait for data
	fetchBytes   = 4 << 20
	retryMin     = 50 * time.Millisecond
	retryMax     = 5 * time.Second
)

// fetch reads one source from its restart position for ever. It outlives brokers that are away; it ends with an error only if the
// log no longer holds what it needs, if the cluster refuses to hand it out, or with ctx.
func (c *Client) fetch(ctx context.Context, a ingest.Assigned, out chan<- ingest.Message) error {
	next, wait := max(a.Position.Restart, a.First), retryMin
	for {
		read, err := c.fetchOnce(ctx, a, next, out)
		next += read
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafka.OffsetOutOfRange):
			return fmt.Errorf("fetch %s from offset %d: the log no longer holds it: %w", a.Source, next, err)
		case IsRefused(c.explain("topic "+a.Source.Topic, err)):
			return fmt.Errorf("fetch %s: %w", a.Source, c.explain("topic "+a.Source.Topic, err))
		case err != nil:
			if err := pause.For(ctx, wait); err != nil {
				return err
			}
			wait = min(2*wait, retryMax)
		default:
			wait = retryMin
		}
	}
}

// fetchOnce delivers one answer of the broker and returns how far the offset moved.
func (c *Client) fetchOnce(ctx context.Context, a ingest.Assigned, from int64, out chan<- ingest.Message) (moved int64, err error) {
	resp, err := c.kafka.Fetch(ctx, &kafka.FetchRequest{
		Topic: a.Source.Topic, Partition: a.Source.Partition, Offset: from,
		MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return 0, err
	}
	for {
		record, err := resp.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
		if record.Offset < from+moved {
			continue // a batch starts before the offset that was asked for
		}
		m, err := message(a, record)
		if err != nil {
			return moved, err
		}
		m.End = resp.HighWatermark
		select {
		case out <- m:
			moved = m.Offset + 1 - from
		case <-ctx.Done():
			return moved, ctx.Err()
		}
	}
}

func message(a ingest.Assigned, r *kafka.Record) (ingest.Message, error) {
	key, err := kafka.ReadAll(r.Key)
	if err != nil {
		return ingest.Message{}, fmt.Errorf("read key of %s offset %d: %w", a.Source, r.Offset, err)
	}
	value, err := kafka.ReadAll(r.Value)
	if err != nil {
		return ingest.Message{}, fmt.Errorf("read value of %s offset %d: %w", a.Source, r.Offset, err)
	}
	m := ingest.Message{Source: a.Source, Offset: r.Offset, Key: key, Value: value, Time: r.Time}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, wire.Header{Key: h.Key, Value: string(h.Value)})
	}
	return m, nil
}

// Read calls fn with the messages of one partition, from an offset on, until fn returns false, the log's end as found at the start is
// reached, or ctx ends. With follow it goes on past the end.
func (c *Client) Read(ctx context.Context, topic string, partition int, from int64, follow bool, fn func(ingest.Message) bool) error {
	bounds, err := c.Bounds(ctx, topic)
	if err != nil {
		return err
	}
	if partition >= len(bounds) {
		return fmt.Errorf("topic %s has %d partitions, no partition %d", topic, len(bounds), partition)
	}
	log := bounds[partition]
	next := max(from, log.First)
	if !follow && next >= log.End {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	messages := make(chan ingest.Message)
	failed := make(chan error, 1)
	a := ingest.Assigned{Source: schemas.Source{Topic: topic, Partition: partition}, Position: ingest.Position{Restart: next}, First: log.First}
	go func() { failed <- c.fetch(ctx, a, messages) }()
	defer func() {
		stop()
		<-failed //nolint:errcheck // it ends because it was told to, or its error was returned
	}()
	for {
		select {
		case m := <-messages:
			if !fn(m) || !follow && m.Offset+1 >= log.End {
				return nil
			}
		case err := <-failed:
			failed <- err
			return err
		}
	}
}
