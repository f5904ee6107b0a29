package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// migration moves the topics that are counted to another number of partitions. Rows are placed by hash modulo that number, so spans of one
// trace would be parted: therefore everything written is counted before the number changes, and nobody writes meanwhile. Each step finds
// out itself whether it is done, so that the command can be run again after any interruption.
type migration struct {
	*app
	kafka *kafka.Client
	store *clickhouse.Client
	out   io.Writer
	dry   bool
	anew  bool          // the log was made anew by somebody; count it from its start
	quiet time.Duration // how long nobody may write
}

// move is one topic's way.
type move struct {
	want    kafka.Topic
	have    kafka.TopicState
	known   clickhouse.TopicRecord
	cluster string
}

func (m move) done() bool {
	return m.have.Partitions == m.want.Partitions && (m.known.Partitions == 0 || m.known.Partitions == m.want.Partitions)
}

// fewer reports whether the topic must be made anew: Kafka cannot take partitions away. So must one that a migration had deleted already.
func (m move) fewer() bool { return m.have.Partitions > m.want.Partitions || m.have.Partitions == 0 }

func (m *migration) run(ctx context.Context) error {
	if err := learnEpochs(ctx, m.kafka, m.store); err != nil {
		return err
	}
	moves, err := m.plan(ctx)
	if err != nil {
		return err
	}
	m.describe(moves)
	switch {
	case len(moves) == 0:
		return nil
	case m.dry:
		m.say("nothing was changed: --yes does it")
		return nil
	case m.anew:
		return m.beginAnew(ctx, moves)
	}
	for _, step := range []func(context.Context, []move) error{m.silence, m.endStreams, m.untilCounted, m.untilStopped, m.change} {
		if err := step(ctx, moves); err != nil {
			return err
		}
	}
	m.say("done. Set kafka.partitions to %d for every stage. Start features, then the collectors, and start forecast and detect again.", moves[0].want.Partitions)
	return nil
}

// plan finds the topics that are to be moved.
func (m *migration) plan(ctx context.Context) ([]move, error) {
	cluster, err := m.kafka.ClusterID(ctx)
	if err != nil {
		return nil, err
	}
	states, err := m.kafka.DescribeTopics(ctx, topicsRead()...)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, want := range m.topics() {
		i := slices.Index(topicsRead(), want.Name)
		if i < 0 {
			continue
		}
		known, err := m.store.Topic(ctx, cluster, want.Name)
		if err != nil {
			return nil, err
		}
		one := move{want: want, have: states[i], known: known, cluster: cluster}
		if m.anew {
			one.want.Partitions = one.have.Partitions
		}
		if m.anew || !one.done() {
			moves = append(moves, one)
		}
	}
	return moves, nil
}

func (m *migration) describe(moves []move) {
	if len(moves) == 0 {
		m.say("nothing to do: weir.calls and weir.samples have the partitions that are configured")
		return
	}
	for _, one := range moves {
		switch from, to := one.have.Partitions, one.want.Partitions; {
		case m.anew:
			m.say("%s: its log was made anew; count it from its start as epoch %d", one.want.Name, one.known.Epoch+1)
		case from == 0 && one.known.Partitions == 0:
			m.say("%s: is missing; make it with %d partitions", one.want.Name, to)
		case from == 0:
			m.say("%s: was deleted; make it anew with %d partitions as epoch %d", one.want.Name, to, one.known.Epoch+1)
		case from == to:
			m.say("%s: has %d partitions already, but its windows are counted with %d; record the new number (spans written meanwhile may be parted)",
				one.want.Name, to, one.known.Partitions)
		case one.fewer():
			m.say("%s: from %d to %d partitions; delete it and make it anew as epoch %d. Its log is counted by then, and gone", one.want.Name, from, to, one.known.Epoch+1)
		default:
			m.say("%s: from %d to %d partitions; add partitions. Its log stays", one.want.Name, from, to)
		}
	}
}

func (m *migration) say(format string, args ...any) { fmt.Fprintf(m.out, format+"\n", args...) }

// ends is where the logs of topics end, by topic and partition.
func (m *migration) ends(ctx context.Context, topics ...string) (map[string][]kafka.Bounds, error) {
	out := map[string][]kafka.Bounds{}
	for _, topic := range topics {
		bounds, err := m.kafka.Bounds(ctx, topic)
		if err != nil {
			return nil, err
		}
		out[topic] = bounds
	}
	return out, nil
}

// moved reports whether somebody writes to the topics within the quiet time.
func (m *migration) moved(ctx context.Context, topics ...string) (bool, error) {
	before, err := m.ends(ctx, topics...)
	if err != nil {
		return false, err
	}
	if err := pause.For(ctx, m.quiet); err != nil {
		return false, err
	}
	after, err := m.ends(ctx, topics...)
	return !maps.EqualFunc(before, after, slices.Equal), err
}

// silence refuses while producers write.
func (m *migration) silence(ctx context.Context, moves []move) error {
	m.say("1. is anybody writing? (%s)", m.quiet)
	busy, err := m.moved(ctx, existing(moves)...)
	if err == nil && busy {
		return refusedf("somebody writes to weir.calls or weir.samples: stop the collectors (senders wait), then run this again")
	}
	return err
}

func existing(moves []move) (topics []string) {
	for _, one := range moves {
		if one.have.Partitions > 0 {
			topics = append(topics, one.want.Name)
		}
	}
	return topics
}

// endStreams tells every partition that nothing older follows, so that spans that wait for their other half are counted as they are.
func (m *migration) endStreams(ctx context.Context, moves []move) error {
	m.say("2. end the stream of every partition")
	at, err := m.newestEvent(ctx)
	if err != nil {
		return err
	}
	var records []ingest.Record
	for _, topic := range existing(moves) {
		bounds, err := m.kafka.Bounds(ctx, topic)
		if err != nil {
			return err
		}
		for p, log := range bounds {
			ended, err := m.ended(ctx, topic, p, log)
			if err != nil {
				return err
			}
			if !ended {
				records = append(records, streamEnd(topic, p, at, "topics"))
			}
		}
	}
	return m.kafka.Produce(ctx, records...)
}

// ended reports whether nothing is in a partition, or a control message is its last.
func (m *migration) ended(ctx context.Context, topic string, partition int, log kafka.Bounds) (ended bool, err error) {
	if log.End == log.First {
		return true, nil
	}
	err = m.kafka.Read(ctx, topic, partition, log.End-1, false, func(r ingest.Message) bool {
		_, ended = wire.Find(r.Headers, wire.HeaderControl)
		return true
	})
	return ended, err
}

// newestEvent is just behind the newest event time that a worker has believed; now, if none has spoken lately.
func (m *migration) newestEvent(ctx context.Context) (time.Time, error) {
	said, _, err := lastProgress(ctx, m.kafka)
	if err != nil {
		return time.Time{}, err
	}
	newest := int64(0)
	for _, s := range said {
		newest = max(newest, s.Watermark)
	}
	if newest == 0 {
		return time.Now(), nil
	}
	return time.Unix(0, newest).Add(m.cfg.Features.Lateness + time.Second), nil
}

func streamEnd(topic string, partition int, at time.Time, producer string) ingest.Record {
	return ingest.Record{Topic: topic, Partition: partition, Headers: []wire.Header{
		{Key: wire.HeaderControl, Value: wire.ControlWatermark},
		{Key: wire.HeaderEventTime, Value: strconv.FormatInt(at.UnixNano(), 10)},
		{Key: wire.HeaderProducer, Value: producer},
	}}
}

// migratePoll is how often a step that waits for somebody looks again.
const migratePoll = 200 * time.Millisecond

// until calls look until it says nothing is missing any more, for as long as --wait allows; then what is missing is the refusal.
func (m *migration) until(ctx context.Context, look func(context.Context) (missing string, err error)) error {
	wait, cancel := context.WithTimeout(ctx, m.cfg.Wait)
	defer cancel()
	said := ""
	for {
		missing, err := look(ctx)
		if err != nil || missing == "" {
			return err
		}
		if missing != said {
			m.say("   %s", missing)
			said = missing
		}
		if pause.For(wait, migratePoll) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return refusedf("%s: then run this again (--wait waits longer than %s)", missing, m.cfg.Wait)
		}
	}
}

// untilCounted waits until features has made everything durable that the logs hold.
func (m *migration) untilCounted(ctx context.Context, moves []move) error {
	m.say("3. wait until everything is counted")
	return m.until(ctx, func(ctx context.Context) (string, error) {
		for _, topic := range existing(moves) {
			bounds, err := m.kafka.Bounds(ctx, topic)
			if err != nil {
				return "", err
			}
			at, err := m.kafka.Committed(ctx, m.cfg.Kafka.Group, topic)
			if err != nil {
				return "", err
			}
			for p, log := range bounds {
				if at[p].Durable < log.End && log.End > log.First {
					return fmt.Sprintf("features has not counted all of %s: have it run (`weir status` shows how far it is)", topic), nil
				}
			}
		}
		return "", nil
	})
}

// untilStopped waits until no worker counts any more: the group has no members, and nobody speaks on weir.progress.
func (m *migration) untilStopped(ctx context.Context, _ []move) error {
	m.say("4. wait until features has stopped")
	return m.until(ctx, func(ctx context.Context) (string, error) {
		const missing = "features still runs: stop every worker of it now"
		n, err := m.kafka.Members(ctx, m.cfg.Kafka.Group)
		if err != nil || n > 0 {
			return missing, err
		}
		speaks, err := m.moved(ctx, wire.TopicProgress)
		if err != nil || speaks {
			return missing, err
		}
		return "", nil
	})
}

// change gives every topic its new number of partitions.
func (m *migration) change(ctx context.Context, moves []move) error {
	m.say("5. change the topics")
	for _, one := range moves {
		var err error
		if one.fewer() {
			err = m.remake(ctx, one)
		} else {
			err = m.grow(ctx, one)
		}
		if err != nil {
			return err
		}
		m.say("   %s has %d partitions", one.want.Name, one.want.Partitions)
	}
	return nil
}

// grow adds partitions. The record comes first: between the two features refuses to start.
func (m *migration) grow(ctx context.Context, one move) error {
	if err := m.record(ctx, one, one.known.Epoch); err != nil || one.have.Partitions == one.want.Partitions {
		return err
	}
	if err := m.kafka.AddPartitions(ctx, one.want.Name, one.want.Partitions); err != nil {
		return err
	}
	return m.untilShown(ctx, one.want.Name, one.want.Partitions)
}

// remake deletes the topic and makes it again. Each attempt is an epoch of its own, so that no marks can hide messages of the new log.
func (m *migration) remake(ctx context.Context, one move) error {
	epoch := one.known.Epoch
	if one.known.Partitions > 0 {
		epoch++
	}
	if err := m.record(ctx, one, epoch); err != nil {
		return err
	}
	if err := m.kafka.DeleteTopic(ctx, one.want.Name); err != nil {
		return err
	}
	if err := m.untilShown(ctx, one.want.Name, 0); err != nil {
		return err
	}
	if err := m.kafka.CreateTopics(ctx, one.want); err != nil {
		return err
	}
	if err := m.untilShown(ctx, one.want.Name, one.want.Partitions); err != nil {
		return err
	}
	return m.kafka.ForgetOffsets(ctx, m.cfg.Kafka.Group, one.want.Name, max(one.have.Partitions, one.want.Partitions))
}

func (m *migration) record(ctx context.Context, one move, epoch int) error {
	return m.store.RecordTopic(ctx, one.cluster, one.want.Name, clickhouse.TopicRecord{Partitions: one.want.Partitions, Epoch: epoch})
}

// untilShown waits until the cluster shows the topic with n partitions: it changes topics behind its answer.
func (m *migration) untilShown(ctx context.Context, topic string, n int) error {
	return m.until(ctx, func(ctx context.Context) (string, error) {
		states, err := m.kafka.DescribeTopics(ctx, topic)
		if err != nil || states[0].Partitions == n {
			return "", err
		}
		return fmt.Sprintf("%s is shown with %d partitions, want %d", topic, states[0].Partitions, n), nil
	})
}

// beginAnew forgets how far the log before was counted. Its windows stay.
func (m *migration) beginAnew(ctx context.Context, moves []move) error {
	if err := m.untilStopped(ctx, moves); err != nil {
		return err
	}
	for _, one := range moves {
		if one.have.Partitions == 0 {
			return refusedf("%s does not exist: run `weir topics apply`", one.want.Name)
		}
		if err := m.record(ctx, one, one.known.Epoch+1); err != nil {
			return err
		}
		if err := m.kafka.ForgetOffsets(ctx, m.cfg.Kafka.Group, one.want.Name, one.have.Partitions); err != nil {
			return err
		}
	}
	m.say("done. Start features, and start forecast and detect again.")
	return nil
}
