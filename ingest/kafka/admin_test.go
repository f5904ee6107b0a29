package kafka_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
)

func describe(t *testing.T, c *kafka.Client) kafka.TopicState {
	t.Helper()
	states, err := c.DescribeTopics(t.Context(), topic)
	if err != nil || len(states) != 1 {
		t.Fatalf("states %+v, error %v", states, err)
	}
	return states[0]
}

func TestTopicsAreChangedAndDescribed(t *testing.T) {
	_, c := newCluster(t)
	made := kafka.Topic{Name: "other", Partitions: 2, Replication: 1, Retention: time.Hour, MinInsync: 1}
	if err := c.CreateTopics(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	states, err := c.DescribeTopics(t.Context(), "missing", "other")
	if err != nil || states[0].Partitions != 0 || states[1].Partitions != 2 || states[1].Replication != 1 || states[1].Retention() != time.Hour ||
		states[1].Config[kafka.CleanupPolicy] != "delete" || states[1].Config[kafka.MaxMessageBytes] == "" {
		t.Errorf("states %+v, error %v", states, err)
	}
	if err := c.SetTopicConfig(t.Context(), topic, kafka.RetentionMs, "60000"); err != nil {
		t.Fatal(err)
	}
	if got := describe(t, c).Retention(); got != time.Minute {
		t.Errorf("retention %s, want a minute", got)
	}
	produce(t, c, 0, 0, 2)
	if err := c.AddPartitions(t.Context(), topic, 3); err != nil {
		t.Fatal(err)
	}
	if got := describe(t, c).Partitions; got != 3 {
		t.Errorf("%d partitions, want 3", got)
	}
	if got := read(t, c, 0, 0); len(got) != 2 {
		t.Errorf("the log holds %q behind the change", got)
	}
	for range 2 { // a second time is fine
		if err := c.DeleteTopic(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
	if got := describe(t, c).Partitions; got != 0 {
		t.Errorf("%d partitions of a topic that was deleted", got)
	}
}

func TestWhatAGroupDidIsToldAndForgotten(t *testing.T) {
	_, c := taken(t)
	if at, err := c.Committed(t.Context(), group, topic); err != nil || at[0].Durable != 3 {
		t.Errorf("committed %+v, error %v", at, err)
	}
	if n, err := c.Members(t.Context(), group); n != 0 || err != nil {
		t.Errorf("%d members, error %v", n, err)
	}
	if err := c.ForgetOffsets(t.Context(), group, topic, 5); err != nil {
		t.Fatal(err)
	}
	if at, err := c.Committed(t.Context(), group, topic); err != nil || at[0] != (ingest.Position{}) {
		t.Errorf("committed %+v, error %v", at, err)
	}
	if err := c.ForgetOffsets(t.Context(), "nobody", topic, 1); err != nil {
		t.Errorf("a group that never was: %v", err)
	}
}
