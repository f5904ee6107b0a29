package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/ingest"
)

var _ ingest.Producer = (*Client)(nil)

type partition struct {
	topic string
	id    int
}

// Produce writes the records, one request for each partition, side by side. Records of one partition keep their order.
func (c *Client) Produce(ctx context.Context, records ...ingest.Record) error {
	grouped := map[partition][]ingest.Record{}
	for _, r := range records {
		at := partition{r.Topic, r.Partition}
		grouped[at] = append(grouped[at], r)
	}
	group, ctx := errgroup.WithContext(ctx)
	for at, rows := range grouped {
		group.Go(func() error { return c.produce(ctx, at, rows) })
	}
	return group.Wait()
}

// produce writes records of one partition. What is too large together is written in halves: topics may allow less than the default.
func (c *Client) produce(ctx context.Context, at partition, rows []ingest.Record) error {
	err := c.produceBatch(ctx, at, rows)
	if half := len(rows) / 2; half > 0 && isTooLarge(err) {
		if err := c.produce(ctx, at, rows[:half]); err != nil {
			return err
		}
		return c.produce(ctx, at, rows[half:])
	}
	if errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoTopic) { // the cluster says why, but not to everybody
		if _, why := c.Partitions(ctx, at.topic); why != nil {
			err = why
		}
	}
	if err != nil {
		return fmt.Errorf("produce to %s/%d: %w", at.topic, at.id, classify(c.explain("topic "+at.topic, err)))
	}
	return nil
}

func (c *Client) produceBatch(ctx context.Context, at partition, rows []ingest.Record) error {
	batch := make([]kafka.Record, len(rows))
	for i, r := range rows {
		batch[i] = recordOf(r)
	}
	resp, err := c.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: at.topic, Partition: at.id, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(batch...), Compression: c.compression,
	})
	if err != nil {
		return err
	}
	return resp.Error
}

// isTooLarge: more than max.message.bytes of the topic, or than one of its segments.
func isTooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

func recordOf(r ingest.Record) kafka.Record {
	out := kafka.Record{Time: time.Now(), Value: kafka.NewBytes(r.Value)}
	if r.Key != nil {
		out.Key = kafka.NewBytes(r.Key)
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kafka.Header{Key: h.Key, Value: []byte(h.Value)})
	}
	return out
}
