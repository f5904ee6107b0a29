package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/weirmesh/weir/ingest"
)

// Names of the settings of a topic that matter to Weir.
const (
	RetentionMs       = "retention.ms"
	MinInsyncReplicas = "min.insync.replicas"
	CleanupPolicy     = "cleanup.policy"
	MaxMessageBytes   = "max.message.bytes"
)

// TopicState is a topic as the cluster has it now.
type TopicState struct {
	Name        string
	Partitions  int // 0 = it is not there
	Replication int // fewest copies of a partition
	InSync      int // fewest copies of a partition that are in sync
	Leaderless  int // partitions that nobody serves just now
	Config      map[string]string
}

// Retention is how long records are kept; negative = for ever, 0 = unknown.
func (t TopicState) Retention() time.Duration {
	ms, err := strconv.ParseInt(t.Config[RetentionMs], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// MinInSync is how many copies must acknowledge a write; 0 = unknown.
func (t TopicState) MinInSync() int {
	n, err := strconv.Atoi(t.Config[MinInsyncReplicas])
	if err != nil {
		return 0
	}
	return n
}

// MaxBytes is how large a batch may be; 0 = unknown.
func (t TopicState) MaxBytes() int64 {
	n, err := strconv.ParseInt(t.Config[MaxMessageBytes], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// DescribeTopics asks the cluster itself, not what this client remembers. The answer has one entry for each name, in their order.
func (c *Client) DescribeTopics(ctx context.Context, names ...string) ([]TopicState, error) {
	m, err := c.ask(ctx, &metadata.Request{TopicNames: names})
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	resp, ok := m.(*metadata.Response)
	if !ok {
		return nil, fmt.Errorf("describe topics: unexpected answer %T", m)
	}
	found := map[string]TopicState{}
	for _, t := range resp.Topics {
		switch err := kafka.Error(t.ErrorCode); {
		case errors.Is(err, kafka.UnknownTopicOrPartition):
		case t.ErrorCode != 0:
			return nil, fmt.Errorf("describe topic %s: %w", t.Name, c.explain("topic "+t.Name, err))
		default:
			found[t.Name] = stateOf(t)
		}
	}
	out := make([]TopicState, len(names))
	for i, name := range names {
		if out[i], ok = found[name]; !ok {
			out[i] = TopicState{Name: name}
			continue
		}
		if out[i].Config, err = c.topicConfig(ctx, name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func stateOf(t metadata.ResponseTopic) TopicState {
	s := TopicState{Name: t.Name, Partitions: len(t.Partitions)}
	for i, p := range t.Partitions {
		if n := len(p.ReplicaNodes); i == 0 || n < s.Replication {
			s.Replication = n
		}
		if n := len(p.IsrNodes); i == 0 || n < s.InSync {
			s.InSync = n
		}
		if p.LeaderID < 0 {
			s.Leaderless++
		}
	}
	return s
}

func (c *Client) topicConfig(ctx context.Context, topic string) (map[string]string, error) {
	if _, err := c.ClusterID(ctx); err != nil { // the transport must know the brokers
		return nil, err
	}
	resp, err := c.kafka.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		ConfigNames: []string{RetentionMs, MinInsyncReplicas, CleanupPolicy, MaxMessageBytes},
	}}})
	if err != nil {
		return nil, fmt.Errorf("read settings of topic %s: %w", topic, c.explain("the settings of topic "+topic, err))
	}
	out := map[string]string{}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("read settings of topic %s: %w", topic, c.explain("the settings of topic "+topic, r.Error))
		}
		for _, e := range r.ConfigEntries {
			out[e.ConfigName] = e.ConfigValue
		}
	}
	return out, nil
}

// SetTopicConfig changes one setting of a topic.
func (c *Client) SetTopicConfig(ctx context.Context, topic, name, value string) error {
	resp, err := c.kafka.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
	}}})
	if err == nil {
		for _, r := range resp.Resources {
			err = errors.Join(err, r.Error)
		}
	}
	if err != nil {
		return fmt.Errorf("set %s of topic %s: %w", name, topic, c.explain("topic "+topic, err))
	}
	return nil
}

// AddPartitions raises the number of partitions of a topic to n. What the topic holds stays where it is.
func (c *Client) AddPartitions(ctx context.Context, topic string, n int) error {
	resp, err := c.kafka.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(n)}}, //nolint:gosec // the configuration bounds it
	})
	if err == nil {
		err = resp.Errors[topic]
	}
	if err != nil {
		return fmt.Errorf("raise the partitions of topic %s to %d: %w", topic, n, c.explain("topic "+topic, err))
	}
	return nil
}

// DeleteTopic deletes a topic and all that it holds. One that is not there is no error.
func (c *Client) DeleteTopic(ctx context.Context, topic string) error {
	resp, err := c.kafka.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err == nil {
		err = resp.Errors[topic]
	}
	if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return fmt.Errorf("delete topic %s: %w", topic, c.explain("topic "+topic, err))
	}
	return nil
}

// Committed returns the positions that a group has committed for the topic's present log, by partition.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int]ingest.Position, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	all := make([]int, n)
	for p := range all {
		all[p] = p
	}
	resp, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
	if err == nil && !errors.Is(resp.Error, kafka.GroupIdNotFound) {
		err = resp.Error
	}
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", group, c.explain("group "+group, err))
	}
	incarnation, err := c.Incarnation(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := map[int]ingest.Position{}
	for p := range n {
		if at, _, ok := position(resp.Topics[topic], p, incarnation); ok {
			out[p] = at
		}
	}
	return out, nil
}

// Members counts the members of a consumer group. A worker that assigns itself all partitions, as in `weir up`, is none.
func (c *Client) Members(ctx context.Context, group string) (int, error) {
	resp, err := c.kafka.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return 0, fmt.Errorf("describe group %s: %w", group, c.explain("group "+group, err))
	}
	n := 0
	for _, g := range resp.Groups {
		if g.Error != nil && !errors.Is(g.Error, kafka.GroupIdNotFound) {
			return 0, fmt.Errorf("describe group %s: %w", group, c.explain("group "+group, g.Error))
		}
		n += len(g.Members)
	}
	return n, nil
}

// ForgetOffsets deletes what a group without members has committed for the first n partitions of a topic.
func (c *Client) ForgetOffsets(ctx context.Context, group, topic string, n int) error {
	all := make([]int, n)
	for p := range all {
		all[p] = p
	}
	resp, err := c.kafka.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: all}})
	if err == nil {
		err = resp.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil
	}
	if err == nil {
		for _, p := range resp.Topics[topic] {
			if !errors.Is(p.Error, kafka.UnknownTopicOrPartition) {
				err = errors.Join(err, p.Error)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("forget what group %s has committed for %s: %w", group, topic, c.explain("group "+group, err))
	}
	return nil
}
