package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
)

// queued bounds the messages read ahead of Next, over all sources of a session.
const queued = 64

// session is one assignment: a fetcher for each source, feeding one bounded queue.
type session struct {
	client   *Client
	owner    owner
	assigned []ingest.Assigned
	messages chan ingest.Message
	revoked  <-chan struct{}
	stop     context.CancelFunc
	fetchers *errgroup.Group
	done     <-chan struct{} // closed when a fetcher fails or the session is closed
	close    sync.Once
	onClose  func()

	mu   sync.Mutex
	last map[schemas.Source]seen // guarded by mu; the last message taken of each source
}

// owner is who commits, in the words of the Kafka protocol. Without a group coordinator the generation is -1.
type owner struct {
	group, member string
	generation    int
}

// open starts reading the given partitions. revoked may be nil; onClose runs once.
func (c *Client) open(ctx context.Context, o owner, topics map[string][]int, revoked <-chan struct{}, onClose func()) (*session, error) {
	setup, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	assigned, last, err := c.assigned(setup, o.group, topics)
	if err != nil {
		return nil, err
	}
	if err := c.compare(setup, assigned, last); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // the session outlives the call that opens it
	fetchers, ctx := errgroup.WithContext(ctx)
	s := &session{
		client: c, owner: o, assigned: assigned, messages: make(chan ingest.Message, queued),
		revoked: revoked, stop: stop, fetchers: fetchers, done: ctx.Done(), onClose: onClose, last: map[schemas.Source]seen{},
	}
	for i, a := range assigned {
		s.last[a.Source] = last[i]
		fetchers.Go(func() error { return c.fetch(ctx, a, s.messages) })
	}
	return s, nil
}

func (s *session) Assigned() []ingest.Assigned { return s.assigned }

func (s *session) Next(ctx context.Context) (ingest.Message, error) {
	select {
	case <-s.revoked:
		return ingest.Message{}, ingest.ErrRevoked
	default:
	}
	select {
	case m := <-s.messages:
		s.mu.Lock()
		s.last[m.Source] = seen{offset: m.Offset, print: fingerprintOf(m)}
		s.mu.Unlock()
		return m, nil
	case <-ctx.Done():
		return ingest.Message{}, ctx.Err()
	case <-s.revoked:
		return ingest.Message{}, ingest.ErrRevoked
	case <-s.done:
		if err := s.fetchers.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			return ingest.Message{}, err
		}
		return ingest.Message{}, ingest.ErrRevoked
	}
}

// Commit stores the restart offset as the group's offset and a note about the durable one beside it, in the commit's metadata.
func (s *session) Commit(ctx context.Context, source schemas.Source, p ingest.Position) error {
	n := note{durable: p.Durable, log: source.Incarnation}
	s.mu.Lock()
	if last := s.last[source]; last.offset == p.Durable-1 {
		n.print = last.print
	}
	s.mu.Unlock()
	resp, err := s.client.kafka.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: s.owner.group, MemberID: s.owner.member, GenerationID: s.owner.generation,
		Topics: map[string][]kafka.OffsetCommit{source.Topic: {{
			Partition: source.Partition, Offset: p.Restart, Metadata: n.String(),
		}}},
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", source, s.client.explain("group "+s.owner.group, err))
	}
	for _, r := range resp.Topics[source.Topic] {
		switch {
		case errors.Is(r.Error, kafka.IllegalGeneration), errors.Is(r.Error, kafka.UnknownMemberId), errors.Is(r.Error, kafka.RebalanceInProgress):
			return fmt.Errorf("commit %s: %w", source, ingest.ErrRevoked)
		case r.Error != nil:
			return fmt.Errorf("commit %s: %w", source, s.client.explain("topic "+source.Topic+" or group "+s.owner.group, r.Error))
		}
	}
	return nil
}

func (s *session) Close() error {
	s.close.Do(func() {
		s.stop()
		_ = s.fetchers.Wait() // a fetcher's error was for Next; closing makes them all end with a cancelled context
		if s.onClose != nil {
			s.onClose()
		}
	})
	return nil
}

// assigned asks where each partition stands: what is committed, what the log holds, and what was made durable last.
func (c *Client) assigned(ctx context.Context, group string, topics map[string][]int) (out []ingest.Assigned, last []seen, err error) {
	if _, err := c.ClusterID(ctx); err != nil { // the transport must know the brokers
		return nil, nil, err
	}
	committed, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: topics})
	if err == nil && !errors.Is(committed.Error, kafka.GroupIdNotFound) { // a group that never committed
		err = committed.Error
	}
	if err != nil {
		return nil, nil, fmt.Errorf("fetch offsets of group %s: %w", group, c.explain("group "+group, err))
	}
	for topic, partitions := range topics {
		incarnation, err := c.Incarnation(ctx, topic)
		if err != nil {
			return nil, nil, err
		}
		bounds, err := c.Bounds(ctx, topic)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range partitions {
			if p >= len(bounds) {
				return nil, nil, fmt.Errorf("topic %s has %d partitions, partition %d was assigned", topic, len(bounds), p)
			}
			at, was, ok := position(committed.Topics[topic], p, incarnation)
			if !ok {
				at = ingest.Position{Restart: bounds[p].First, Durable: bounds[p].First}
			}
			out = append(out, ingest.Assigned{
				Source:   schemas.Source{Incarnation: incarnation, Topic: topic, Partition: p},
				Position: at, First: bounds[p].First, End: bounds[p].End, Partitions: len(bounds),
			})
			last = append(last, was)
		}
	}
	return out, last, nil
}

// position reads a commit back. There is none, or one about another log, where ok is false.
func position(committed []kafka.OffsetFetchPartition, id int, incarnation string) (at ingest.Position, last seen, ok bool) {
	for _, p := range committed {
		if p.Partition != id || p.Error != nil || p.CommittedOffset < 0 {
			continue
		}
		at = ingest.Position{Restart: p.CommittedOffset, Durable: p.CommittedOffset}
		n, said := noteOf(p.Metadata)
		if !n.about(incarnation) {
			return ingest.Position{}, seen{}, false
		}
		if said && n.durable > at.Restart {
			at.Durable = n.durable
		}
		return at, seen{offset: n.durable - 1, print: n.print}, true
	}
	return ingest.Position{}, seen{}, false
}
