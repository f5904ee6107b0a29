package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// TopicState is how a topic stands. What the cluster does not tell is 0.
type TopicState struct {
	Name        string
	Missing     bool
	Partitions  int
	Replication int           // copies of the partition that has fewest
	InSync      int           // copies in sync of the partition that has fewest
	MinInSync   int           // copies that must acknowledge a write
	Retention   time.Duration // 0 = not told; negative = forever
}

// Describe tells how topics stand, in their order. A topic that is not there is no error.
func (c *Client) Describe(ctx context.Context, topics ...string) ([]TopicState, error) {
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", c.explain(err))
	}
	out := make([]TopicState, len(topics))
	for i, name := range topics {
		out[i] = TopicState{Name: name, Missing: true}
		for _, t := range meta.Topics {
			if t.Name == name && t.Error == nil {
				out[i] = stateOf(t)
			}
		}
		if out[i].Missing {
			continue
		}
		if err := c.addSettings(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func stateOf(t kafka.Topic) TopicState {
	s := TopicState{Name: t.Name, Partitions: len(t.Partitions)}
	for i, p := range t.Partitions {
		if i == 0 || len(p.Replicas) < s.Replication {
			s.Replication = len(p.Replicas)
		}
		if i == 0 || len(p.Isr) < s.InSync {
			s.InSync = len(p.Isr)
		}
	}
	return s
}

// addSettings reads what a topic is configured with.
func (c *Client) addSettings(ctx context.Context, s *TopicState) error {
	resp, err := c.kafka.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: s.Name, ConfigNames: []string{"retention.ms", "min.insync.replicas"},
	}}})
	if err != nil {
		return fmt.Errorf("read settings of topic %s: %w", s.Name, c.explain(err))
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return fmt.Errorf("read settings of topic %s: %w", s.Name, r.Error)
		}
		for _, e := range r.ConfigEntries {
			n, err := strconv.ParseInt(e.ConfigValue, 10, 64)
			switch {
			case err != nil: // a setting that is not a number is not one of ours
			case e.ConfigName == "retention.ms":
				s.Retention = time.Duration(n) * time.Millisecond
			case e.ConfigName == "min.insync.replicas":
				s.MinInSync = int(n)
			}
		}
	}
	return nil
}

// GroupState is how far a consumer group has come on some topics.
type GroupState struct {
	Committed bool  // it has committed something
	Lag       int64 // messages behind what it says is done
	Members   int
	State     string // Stable, Empty, Dead, ...
}

// DescribeGroup tells how a consumer group stands on all partitions of topics.
func (c *Client) DescribeGroup(ctx context.Context, group string, topics ...string) (GroupState, error) {
	described, err := c.kafka.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return GroupState{}, fmt.Errorf("describe group %s: %w", group, c.explain(err))
	}
	var s GroupState
	for _, g := range described.Groups {
		if g.Error != nil && !errors.Is(g.Error, kafka.GroupIdNotFound) {
			return s, fmt.Errorf("describe group %s: %w", group, g.Error)
		}
		s.State, s.Members = g.GroupState, len(g.Members)
	}
	partitions := map[string][]int{}
	for _, topic := range topics {
		n, err := c.Partitions(ctx, topic)
		if err != nil {
			return s, err
		}
		for p := range n {
			partitions[topic] = append(partitions[topic], p)
		}
	}
	committed, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: partitions})
	if err == nil && !errors.Is(committed.Error, kafka.GroupIdNotFound) {
		err = committed.Error
	}
	if err != nil {
		return s, fmt.Errorf("fetch offsets of group %s: %w", group, c.explain(err))
	}
	for topic, ps := range partitions {
		bounds, err := c.Bounds(ctx, topic)
		if err != nil {
			return s, err
		}
		for _, p := range ps {
			s.Lag += max(0, bounds[p].End-position(committed.Topics[topic], p, bounds[p]).Durable)
		}
		for _, p := range committed.Topics[topic] {
			s.Committed = s.Committed || p.CommittedOffset >= 0
		}
	}
	return s, nil
}
