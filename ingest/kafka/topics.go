package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Topic is how a topic should be made.
type Topic struct {
	Name        string
	Partitions  int
	Replication int
	Retention   time.Duration // 0 = the cluster's default
}

// EnsureTopics creates the topics that are missing. A topic that exists with another number of partitions is an error: rows are
// placed by hash modulo that number, so a change would part what belongs together.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		entry := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		if t.Retention > 0 {
			entry.ConfigEntries = append(entry.ConfigEntries, kafka.ConfigEntry{
				ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(t.Retention.Milliseconds(), 10),
			})
		}
		req.Topics = append(req.Topics, entry)
	}
	resp, err := c.kafka.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", c.explain(err))
	}
	for _, t := range topics {
		if err := resp.Errors[t.Name]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		n, err := c.Partitions(ctx, t.Name)
		if err != nil {
			return err
		}
		if n != t.Partitions {
			return fmt.Errorf("topic %s has %d partitions, but %d are configured: set kafka.partitions to %d (changing it needs a migration)",
				t.Name, n, t.Partitions, n)
		}
	}
	return nil
}

// Partitions returns the number of partitions of a topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, c.explain(err))
	}
	if len(meta.Topics) != 1 {
		return 0, fmt.Errorf("describe topic %s: %d answers", topic, len(meta.Topics))
	}
	if err := meta.Topics[0].Error; err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	return len(meta.Topics[0].Partitions), nil
}

// Bounds are the offsets a partition holds: [First, End).
type Bounds struct{ First, End int64 }

// Bounds returns the bounds of every partition of a topic.
func (c *Client) Bounds(ctx context.Context, topic string) ([]Bounds, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	var first, last []kafka.OffsetRequest
	for p := range n {
		first = append(first, kafka.FirstOffsetOf(p))
		last = append(last, kafka.LastOffsetOf(p))
	}
	out := make([]Bounds, n)
	for i, asked := range [][]kafka.OffsetRequest{first, last} {
		resp, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
		if err != nil {
			return nil, fmt.Errorf("list offsets of %s: %w", topic, c.explain(err))
		}
		for _, p := range resp.Topics[topic] {
			if p.Error != nil {
				return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, p.Partition, p.Error)
			}
			if i == 0 {
				out[p.Partition].First = p.FirstOffset
			} else {
				out[p.Partition].End = p.LastOffset
			}
		}
	}
	return out, nil
}
