package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
)

// Topic is how a topic should be made.
type Topic struct {
	Name        string
	Partitions  int
	Replication int
	Retention   time.Duration // 0 = the cluster's default
	MinInsync   int           // copies that must exist before a write is acknowledged; 0 = the cluster's default
	// Like names a topic with which this one shares its number of partitions, or itself. Where that one is there, its number counts and
	// Partitions does not.
	Like string
}

// Setting is one setting of a topic in Kafka's words.
type Setting struct{ Name, Value string }

// Settings are those that differ from a cluster's defaults, or must not depend on them.
func (t Topic) Settings() []Setting {
	all := []Setting{{CleanupPolicy, "delete"}}
	if t.Retention > 0 {
		all = append(all, Setting{RetentionMs, strconv.FormatInt(t.Retention.Milliseconds(), 10)})
	}
	if t.MinInsync > 0 {
		all = append(all, Setting{MinInsyncReplicas, strconv.Itoa(t.MinInsync)})
	}
	return all
}

// EnsureTopics looks at the topics, and creates those that are missing if create says so and the user may. A topic that exists with
// another number of partitions is an error: rows are placed by hash modulo that number, so a change would part what belongs together.
func (c *Client) EnsureTopics(ctx context.Context, create bool, topics ...Topic) error {
	missing, err := c.missing(ctx, topics)
	if err != nil || len(missing) == 0 {
		return err
	}
	if !create {
		return refusal{fmt.Errorf("topic %s does not exist and kafka.create_topics is false: run `weir topics apply`", names(missing))}
	}
	if err := c.CreateTopics(ctx, missing...); err != nil {
		if IsRefused(err) {
			return refuse(err, "topic %s does not exist and %s may not create it: run `weir topics apply` as a user who may", names(missing), c.who())
		}
		return err
	}
	_, err = c.missing(ctx, topics)
	return err
}

// missing returns the topics that are not there, with the partitions they should have, and refuses those that have other partitions.
func (c *Client) missing(ctx context.Context, topics []Topic) ([]Topic, error) {
	have, err := c.describe(ctx, topics)
	if err != nil {
		return nil, err
	}
	var missing []Topic
	for _, t := range topics {
		n := have[t.Name]
		switch like := have[t.Like]; {
		case t.Like != "" && like > 0:
			t.Partitions = like
		case t.Like != "" && n > 0:
			t.Partitions = n
		}
		switch n {
		case 0:
			missing = append(missing, t)
		case t.Partitions:
		default:
			return nil, ingest.Permanent{Err: fmt.Errorf(
				"topic %s has %d partitions, but %d are configured: set kafka.partitions to %d (`weir topics migrate` changes the number of a topic)",
				t.Name, n, t.Partitions, n)}
		}
	}
	return missing, nil
}

// describe asks for the number of partitions of each topic that is there.
func (c *Client) describe(ctx context.Context, topics []Topic) (map[string]int, error) {
	ask := make([]string, 0, len(topics))
	for _, t := range topics {
		ask = append(ask, t.Name)
	}
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: ask})
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", c.explain("the cluster", err))
	}
	have := map[string]int{}
	for _, t := range meta.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil:
			return nil, fmt.Errorf("describe topic %s: %w", t.Name, c.explain("topic "+t.Name, t.Error))
		default:
			have[t.Name] = len(t.Partitions)
		}
	}
	return have, nil
}

// CreateTopics creates topics and returns once the cluster shows them. One that is there already is left as it is.
func (c *Client) CreateTopics(ctx context.Context, topics ...Topic) error {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		entry := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		for _, s := range t.Settings() {
			entry.ConfigEntries = append(entry.ConfigEntries, kafka.ConfigEntry{ConfigName: s.Name, ConfigValue: s.Value})
		}
		req.Topics = append(req.Topics, entry)
	}
	resp, err := c.kafka.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", c.explain("the cluster", err))
	}
	for _, t := range topics {
		if err := resp.Errors[t.Name]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, c.explain("topic "+t.Name, err))
		}
	}
	return nil
}

func names(topics []Topic) string {
	all := make([]string, len(topics))
	for i, t := range topics {
		all[i] = t.Name
	}
	return strings.Join(all, ", ")
}

// Partitions returns the number of partitions of a topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, c.explain("topic "+topic, err))
	}
	if len(meta.Topics) != 1 {
		return 0, fmt.Errorf("describe topic %s: %d answers", topic, len(meta.Topics))
	}
	if err := meta.Topics[0].Error; err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, c.explain("topic "+topic, err))
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
			return nil, fmt.Errorf("list offsets of %s: %w", topic, c.explain("topic "+topic, err))
		}
		for _, p := range resp.Topics[topic] {
			if p.Error != nil {
				return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, p.Partition, c.explain("topic "+topic, p.Error))
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
