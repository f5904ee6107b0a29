package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
)

// Direct is a consumer that owns every partition of its topics: for places where a lock makes sure that there is no second one. After a
// crash it goes on at once, where a group would wait for the dead member's session to expire.
type Direct struct {
	client *Client
	group  string
	topics []string
}

var (
	_ ingest.Consumer = (*Direct)(nil)
	_ ingest.Consumer = (*Group)(nil)
)

// Direct returns a consumer that commits under the name of group.
func (c *Client) Direct(group string, topics ...string) *Direct {
	return &Direct{client: c, group: group, topics: topics}
}

// Session assigns all partitions.
func (d *Direct) Session(ctx context.Context) (ingest.Session, error) {
	all := map[string][]int{}
	for _, topic := range d.topics {
		n, err := d.client.Partitions(ctx, topic)
		if err != nil {
			return nil, err
		}
		for p := range n {
			all[topic] = append(all[topic], p)
		}
	}
	return d.client.open(ctx, owner{group: d.group, generation: -1}, all, nil, nil)
}

// Group is a consumer that shares the partitions with the other members of a Kafka consumer group.
type Group struct {
	client *Client
	id     string
	group  *kafka.ConsumerGroup
}

// A member waits groupTimeout longer for the others than the coordinator does at first (rebalanceTimeout). A coordinator may wait again for
// each member that joins; with less patience than that, two members that join in turn each give up just before it has waited long enough,
// come again, and no generation ever begins.
const (
	rebalanceTimeout = 10 * time.Second
	groupTimeout     = rebalanceTimeout
)

// Group joins a consumer group. Close leaves it.
func (c *Client) Group(cfg Config, id string, log *slog.Logger, topics ...string) (*Group, error) {
	first := &rotation{dialer: c.dialer, addresses: cfg.Addresses}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: id, Brokers: []string{anyBroker}, Topics: topics, StartOffset: kafka.FirstOffset,
		Dialer:         &kafka.Dialer{ClientID: cfg.ClientID, Timeout: c.dialer.timeout * time.Duration(len(cfg.Addresses)), DialFunc: first.dial},
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		SessionTimeout: 10 * time.Second, RebalanceTimeout: rebalanceTimeout, Timeout: groupTimeout,
		// A cluster that has just started, or lost a broker, has no coordinator for a moment; the default is to stay away for 5 s. Chance
		// keeps workers that failed together from always coming together.
		JoinGroupBackoff: time.Second + rand.N(time.Second),
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			log.Warn("Kafka consumer group", "group", id, "event", fmt.Sprintf(format, args...))
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", id, err)
	}
	return &Group{client: c, id: id, group: group}, nil
}

// Session waits for the next generation of the group. The session before it must be closed by then.
func (g *Group) Session(ctx context.Context) (ingest.Session, error) {
	generation, err := g.group.Next(ctx)
	if errors.Is(err, kafka.ErrGroupClosed) {
		return nil, ingest.Permanent{Err: fmt.Errorf("join group %s: %w", g.id, err)}
	}
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", g.id, g.client.explain("group "+g.id+" or its topics", err))
	}
	topics := map[string][]int{}
	for topic, assigned := range generation.Assignments {
		for _, a := range assigned {
			topics[topic] = append(topics[topic], a.ID)
		}
	}
	revoked, closed := make(chan struct{}), make(chan struct{})
	generation.Start(func(ctx context.Context) {
		defer close(revoked)
		select {
		case <-ctx.Done():
		case <-closed:
		}
	})
	o := owner{group: g.id, member: generation.MemberID, generation: int(generation.ID)}
	s, err := g.client.open(ctx, o, topics, revoked, func() { close(closed) })
	if err != nil {
		close(closed)
		return nil, err
	}
	return s, nil
}

// Close leaves the group.
func (g *Group) Close() error {
	if err := g.group.Close(); err != nil {
		return fmt.Errorf("leave group %s: %w", g.id, err)
	}
	return nil
}
