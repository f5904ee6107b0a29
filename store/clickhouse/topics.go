package clickhouse

import (
	"context"
	"fmt"
)

// TopicRecord is what the store knows of a topic whose messages it counts.
type TopicRecord struct {
	Partitions int // 0 = nothing is known
	Epoch      int // how often the topic was made anew under its name
}

// Topic reads the record of a topic on a cluster.
func (c *Client) Topic(ctx context.Context, cluster, topic string) (TopicRecord, error) {
	var partitions, epoch uint32
	sql := fmt.Sprintf("SELECT tupleElement(max((epoch, partitions)) AS latest, 2), tupleElement(latest, 1) FROM weir.topics WHERE incarnation = %s AND topic = %s",
		quote(cluster), quote(topic))
	if err := c.conn.QueryRow(ctx, sql).Scan(&partitions, &epoch); err != nil {
		return TopicRecord{}, fmt.Errorf("read partitions of %s: %w", topic, err)
	}
	return TopicRecord{Partitions: int(partitions), Epoch: int(epoch)}, nil
}

// RecordTopic replaces the record of a topic. Neither its epoch nor, within one, its partitions may go down.
func (c *Client) RecordTopic(ctx context.Context, cluster, topic string, r TopicRecord) error {
	sql := fmt.Sprintf("INSERT INTO weir.topics (incarnation, topic, partitions, epoch) SELECT %s, %s, %d, %d",
		quote(cluster), quote(topic), r.Partitions, r.Epoch)
	if err := c.conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("record partitions of %s: %w", topic, err)
	}
	return nil
}

// CheckTopic records how many partitions a topic has, refuses another number than was recorded, and returns the topic's epoch.
func (c *Client) CheckTopic(ctx context.Context, cluster, topic string, partitions int) (epoch int, err error) {
	known, err := c.Topic(ctx, cluster, topic)
	switch {
	case err != nil:
		return 0, err
	case known.Partitions == 0:
		return 0, c.RecordTopic(ctx, cluster, topic, TopicRecord{Partitions: partitions})
	case known.Partitions != partitions:
		return 0, fmt.Errorf("topic %s has %d partitions, but its windows are counted with %d: `weir topics migrate` changes the number, or ends a change that was begun",
			topic, partitions, known.Partitions)
	}
	return known.Epoch, nil
}
