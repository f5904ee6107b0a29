package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	segment "github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestARecordComesBackAsItWasWritten(t *testing.T) {
	addr := startBroker(t, t.TempDir(), "").Addr()
	for partition, compression := range append(kafka.CompressionNames(), "") {
		c := newClient(t, kafka.Config{Addresses: []string{addr}, Compression: compression})
		ensure(t, c, 6)
		want := []ingest.Record{
			{
				Topic: topic, Partition: partition, Key: []byte("k"), Value: bytes.Repeat([]byte("value "), 10_000),
				Headers: []wire.Header{{Key: "a", Value: "1"}, {Key: "b", Value: ""}, {Key: "a", Value: "2"}},
			},
			{Topic: topic, Partition: partition, Value: []byte{}},
			{Topic: topic, Partition: partition, Key: []byte{0, 255}, Value: []byte("third")},
		}
		before := time.Now().Add(-time.Minute)
		if err := c.Produce(t.Context(), want...); err != nil {
			t.Fatalf("%q: %v", compression, err)
		}
		s := session(t, c.Direct(group, topic))
		for i, w := range want {
			m := next(t, s)
			if m.Source.Partition != partition || m.Offset != int64(i) || m.End != 3 || m.Time.Before(before) || m.Source.Incarnation == "" {
				t.Errorf("%q, record %d: %+v", compression, i, m.Source)
			}
			if !bytes.Equal(m.Key, w.Key) || !bytes.Equal(m.Value, w.Value) || !slices.Equal(m.Headers, w.Headers) {
				t.Errorf("%q, record %d: key %q, %d bytes, headers %v", compression, i, m.Key, len(m.Value), m.Headers)
			}
			commit(t, s, m.Source, ingest.Position{Restart: m.Offset + 1, Durable: m.Offset + 1}) // the next round begins behind
		}
		closeSession(t, s)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]kafka.Config{
		"no Kafka addresses": {},
		`compression "brotli" is not one of none, gzip, snappy, lz4, zstd`: {Addresses: []string{"localhost:1"}, Compression: "brotli"},
	} {
		if _, err := kafka.New(cfg); err == nil || err.Error() != name {
			t.Errorf("error %v, want %s", err, name)
		}
	}
}

func TestErrorsTellWhatAPersonNeeds(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	away := newClient(t, kafka.Config{Addresses: []string{addr}})
	_, err = away.ClusterID(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no Kafka broker answers at "+addr) {
		t.Errorf("no broker: %v", err)
	}
	c := newTopic(t, 2)
	_, err = c.Partitions(t.Context(), "unheard.of")
	if err == nil || !strings.Contains(err.Error(), "describe topic unheard.of") {
		t.Errorf("unknown topic: %v", err)
	}
	if err := c.Read(t.Context(), topic, 2, 0, false, nil); err == nil || !strings.Contains(err.Error(), "has 2 partitions, no partition 2") {
		t.Errorf("unknown partition: %v", err)
	}
}

func TestTopicsAreMadeOnceAndNeverRepartitioned(t *testing.T) {
	c := newTopic(t, 3)
	ensure(t, c, 3) // again is fine
	if n, err := c.Partitions(t.Context(), topic); n != 3 || err != nil {
		t.Errorf("%d partitions, error %v", n, err)
	}
	err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: topic, Partitions: 4, Replication: 1, Retention: time.Hour})
	want := "topic weir.calls has 3 partitions, but 4 are configured: set kafka.partitions to 3 (`weir topics migrate` changes the number of a topic)"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestBoundsAreByPartition(t *testing.T) {
	c := newTopic(t, 3)
	produce(t, c, 1, 0, 4)
	produce(t, c, 2, 0, 1)
	got, err := c.Bounds(t.Context(), topic)
	if want := []kafka.Bounds{{}, {First: 0, End: 4}, {First: 0, End: 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("bounds %v, error %v, want %v", got, err, want)
	}
}

func TestRead(t *testing.T) {
	c := newTopic(t, 2)
	produce(t, c, 1, 0, 5)
	if got := read(t, c, 1, 0); !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("read %v", got)
	}
	if got := read(t, c, 1, 3); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("from 3: %v", got)
	}
	if got := slices.Concat(read(t, c, 1, 5), read(t, c, 1, 50), read(t, c, 0, 0)); got != nil {
		t.Errorf("behind the end: %v", got)
	}
	n := 0
	if err := c.Read(t.Context(), topic, 1, 0, false, func(ingest.Message) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("until told to stop: %d messages, error %v", n, err)
	}
}

func TestReadFollowsPastTheEnd(t *testing.T) {
	c := newTopic(t, 1)
	produce(t, c, 0, 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	err := c.Read(ctx, topic, 0, 0, true, func(m ingest.Message) bool {
		got = append(got, string(m.Value))
		if len(got) < 4 {
			produce(t, c, 0, len(got), 1)
		}
		return len(got) < 4
	})
	if err != nil || !slices.Equal(got, []string{"0", "1", "2", "3"}) {
		t.Errorf("read %v, error %v", got, err)
	}
	cancel()
	if err := c.Read(ctx, topic, 0, 4, true, func(ingest.Message) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestASessionStartsWhereTheLastWasCommitted(t *testing.T) {
	c := newTopic(t, 2)
	produce(t, c, 0, 0, 10)
	s := session(t, c.Direct(group, topic))
	a := assigned(t, s, 0)
	if (a.Position != ingest.Position{}) || a.First != 0 || a.End != 10 || a.Partitions != 2 {
		t.Errorf("a group that never committed: %+v", a)
	}
	for _, p := range []ingest.Position{{Restart: 3, Durable: 7}, {Restart: 2, Durable: 5}, {Restart: 8, Durable: 8}, {Restart: 4, Durable: 9}} {
		commit(t, s, a.Source, p)
		closeSession(t, s)
		s = session(t, c.Direct(group, topic))
		if got := assigned(t, s, 0).Position; got != p {
			t.Errorf("committed %+v, came back as %+v", p, got)
		}
		if got := assigned(t, s, 1).Position; got != (ingest.Position{}) {
			t.Errorf("the other partition is at %+v", got)
		}
		if m := next(t, s); m.Offset != p.Restart {
			t.Errorf("reads from %d, want %d", m.Offset, p.Restart)
		}
	}
	if got := assigned(t, session(t, c.Direct("another group", topic)), 0).Position; got != (ingest.Position{}) {
		t.Errorf("another group is at %+v", got)
	}
}

func TestAClosedSessionIsRevoked(t *testing.T) {
	c := newTopic(t, 1)
	s := session(t, c.Direct(group, topic))
	closeSession(t, s)
	closeSession(t, s) // twice is fine
	if _, err := s.Next(t.Context()); !errors.Is(err, ingest.ErrRevoked) {
		t.Errorf("error %v, want %v", err, ingest.ErrRevoked)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	s := session(t, newTopic(t, 1).Direct(group, topic))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestReadingGoesOnWhenTheBrokerComesBack(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir, "")
	addr := b.Addr()
	c := newClient(t, kafka.Config{Addresses: []string{addr}})
	ensure(t, c, 1)
	produce(t, c, 0, 0, 1)
	s := session(t, c.Direct(group, topic))
	if m := next(t, s); string(m.Value) != "0" {
		t.Fatalf("read %q", m.Value)
	}
	b.Close()
	if err := c.Produce(t.Context(), ingest.Record{Topic: topic, Value: []byte("lost")}); err == nil || ingest.IsPermanent(err) {
		t.Errorf("error of a broker that is away: %v, want one that passes", err)
	}
	startBroker(t, dir, addr)
	back := newClient(t, kafka.Config{Addresses: []string{addr}})
	produce(t, back, 0, 1, 1)
	if m := next(t, s); string(m.Value) != "1" || m.Offset != 1 {
		t.Errorf("read %q at %d, want 1", m.Value, m.Offset)
	}
	// A connection that broke meanwhile may cost a commit or two; the next flush commits again.
	at, err := ingest.Position{Restart: 2, Durable: 2}, errors.New("not tried")
	for tries := 0; err != nil && tries < 5; tries++ {
		err = s.Commit(t.Context(), assigned(t, s, 0).Source, at)
	}
	if err != nil {
		t.Error(err)
	}
	if got := assigned(t, session(t, back.Direct(group, topic)), 0).Position; got != at {
		t.Errorf("committed %+v, want %+v", got, at)
	}
}

func TestALogThatNoLongerHoldsThePlaceEndsTheSession(t *testing.T) {
	cluster, c := newCluster(t)
	produce(t, c, 0, 0, 5)
	if err := cluster.DeleteRecords(topic, 0, 3); err != nil {
		t.Fatal(err)
	}
	s := session(t, c.Direct(group, topic))
	if a := assigned(t, s, 0); a.First != 3 || a.End != 5 || a.Position.Durable != 3 {
		t.Errorf("assigned %+v", a)
	}
	if m := next(t, s); m.Offset != 3 {
		t.Errorf("reads from %d, want 3", m.Offset)
	}
	commit(t, s, assigned(t, s, 0).Source, ingest.Position{Restart: 9, Durable: 9})
	closeSession(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := session(t, c.Direct(group, topic)).Next(ctx)
	if err == nil || !strings.Contains(err.Error(), "from offset 9: the log no longer holds it") {
		t.Errorf("error %v", err)
	}
}

// newCluster starts a broker whose faults the test can set.
func newCluster(t *testing.T) (*kfake.Cluster, *kafka.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := newClient(t, kafka.Config{Addresses: cluster.ListenAddrs()})
	ensure(t, c, 1)
	return cluster, c
}

func TestAWriteWhoseAcknowledgementIsLostIsAnErrorAndMayBeStored(t *testing.T) {
	cluster, c := newCluster(t)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicasAfterAppend})
	r := ingest.Record{Topic: topic, Value: []byte("x")}
	if err := c.Produce(t.Context(), r); err == nil || ingest.IsPermanent(err) {
		t.Errorf("error %v, want one that passes", err)
	}
	if err := c.Produce(t.Context(), r); err != nil {
		t.Error(err)
	}
	if got := read(t, c, 0, 0); !slices.Equal(got, []string{"x", "x"}) {
		t.Errorf("the log holds %q, want the record twice", got)
	}
}

func TestAConnectionThatBreaksDuringAWriteIsAnErrorThatPasses(t *testing.T) {
	cluster, c := newCluster(t)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("hang up"), true })
	if err := c.Produce(t.Context(), ingest.Record{Topic: topic, Value: []byte("x")}); err == nil || ingest.IsPermanent(err) {
		t.Errorf("error %v, want one that passes", err)
	}
	produce(t, c, 0, 1, 1)
	if got := read(t, c, 0, 0); !slices.Equal(got, []string{"1"}) {
		t.Errorf("the log holds %q", got)
	}
}

func TestAWriteThatCanNeverSucceedIsPermanent(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.MessageTooLarge, kerr.InvalidTopicException} {
		cluster, c := newCluster(t)
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: e})
		if err := c.Produce(t.Context(), ingest.Record{Topic: topic, Value: []byte("x")}); !ingest.IsPermanent(err) {
			t.Errorf("%s: error %v, want a permanent one", e.Message, err)
		}
	}
}

func TestARightThatIsTakenAwayEndsTheSession(t *testing.T) {
	cluster, c := newCluster(t)
	s := session(t, c.Direct(group, topic))
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed})
	produce(t, c, 0, 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.Next(ctx); !kafka.IsRefused(err) || ingest.IsPermanent(err) {
		t.Errorf("error %v, want a refusal", err)
	}
	if m := next(t, session(t, c.Direct(group, topic))); string(m.Value) != "0" {
		t.Errorf("once it is given back, %q is read", m.Value)
	}
}

func TestACommitOfSomebodyWhoLostTheSourceIsRevoked(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress} {
		cluster, c := newCluster(t)
		s := session(t, c.Direct(group, topic))
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: e})
		if err := s.Commit(t.Context(), assigned(t, s, 0).Source, ingest.Position{}); !errors.Is(err, ingest.ErrRevoked) {
			t.Errorf("%s: error %v, want %v", e.Message, err, ingest.ErrRevoked)
		}
	}
}

func TestPlacesKeysAsKafkasClientsDo(t *testing.T) {
	balancer := segment.Murmur2Balancer{Consistent: true}
	key := []byte("cluster/namespace/workload with a long name")
	for length := range key {
		for _, n := range []int{1, 2, 3, 4, 64} {
			partitions := make([]int, n)
			for i := range partitions {
				partitions[i] = i
			}
			want := balancer.Balance(segment.Message{Key: key[:length]}, partitions...)
			if got := wire.PartitionOf(key[:length], n); got != want {
				t.Errorf("%q of %d: partition %d, want %d", key[:length], n, got, want)
			}
		}
	}
}

func TestGroupMembersShareThePartitions(t *testing.T) {
	b := startBroker(t, t.TempDir(), "")
	cfg := kafka.Config{Addresses: []string{b.Addr()}, ClientID: "test"}
	c := newClient(t, cfg)
	ensure(t, c, 2)
	join := func() *kafka.Group {
		g, err := c.Group(cfg, group, quiet, topic)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
		return g
	}
	first := join()
	alone := session(t, first)
	if len(alone.Assigned()) != 2 {
		t.Fatalf("alone with %+v", alone.Assigned())
	}
	commit(t, alone, assigned(t, alone, 1).Source, ingest.Position{Restart: 0, Durable: 0})

	second := join()
	joined := make(chan ingest.Session, 1)
	go func() {
		s, err := second.Session(t.Context())
		if err != nil {
			t.Error(err)
		}
		joined <- s
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := alone.Next(ctx); !errors.Is(err, ingest.ErrRevoked) {
		t.Fatalf("error %v, want %v", err, ingest.ErrRevoked)
	}
	closeSession(t, alone)
	mine := session(t, first)
	theirs := <-joined
	t.Cleanup(func() { closeSession(t, theirs) })
	var partitions []int
	for _, s := range []ingest.Session{mine, theirs} {
		if len(s.Assigned()) != 1 {
			t.Fatalf("assigned %+v", s.Assigned())
		}
		a := s.Assigned()[0]
		partitions = append(partitions, a.Source.Partition)
		produce(t, c, a.Source.Partition, a.Source.Partition, 1)
		if m := next(t, s); m.Source != a.Source {
			t.Errorf("message of %v, want of %v", m.Source, a.Source)
		}
		commit(t, s, a.Source, ingest.Position{Restart: 0, Durable: 1})
	}
	slices.Sort(partitions)
	if !slices.Equal(partitions, []int{0, 1}) {
		t.Errorf("partitions %v", partitions)
	}
	if err := alone.Commit(t.Context(), mine.Assigned()[0].Source, ingest.Position{}); !errors.Is(err, ingest.ErrRevoked) {
		t.Errorf("a commit of the session before: %v, want %v", err, ingest.ErrRevoked)
	}
}

func TestAGroupThatIsClosedHandsOutNothing(t *testing.T) {
	b := startBroker(t, t.TempDir(), "")
	cfg := kafka.Config{Addresses: []string{b.Addr()}}
	c := newClient(t, cfg)
	ensure(t, c, 1)
	g, err := c.Group(cfg, group, quiet, topic)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Session(t.Context()); !ingest.IsPermanent(err) {
		t.Errorf("error %v, want a permanent one", err)
	}
}
