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
	grouped := map[partition][]kafka.Record{}
	for _, r := range records {
		at := partition{r.Topic, r.Partition}
		grouped[at] = append(grouped[at], recordOf(r))
	}
	group, ctx := errgroup.WithContext(ctx)
	for at, rows := range grouped {
		group.Go(func() error { return c.produce(ctx, at, rows) })
	}
	return group.Wait()
}

func (c *Client) produce(ctx context.Context, at partition, rows []kafka.Record) error {
	resp, err := c.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: at.topic, Partition: at.id, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(rows...), Compression: c.compression,
	})
	if err == nil {
		err = resp.Error
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
