package apache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

const (
	topic = "weir.calls"
	group = "weir-features"
)

// TestOneNode tries everything that the stages ask of Kafka on a real one.
func TestOneNode(t *testing.T) {
	c := start(t, 1, 1)
	client := c.client(t, kafka.Topic{Name: topic, Partitions: 2, Replication: 1})
	t.Run("topics", func(t *testing.T) { topics(t, client) })
	t.Run("compression", func(t *testing.T) { compression(t, c) })
	t.Run("too large", func(t *testing.T) { tooLarge(t, client) })
	t.Run("compacted", func(t *testing.T) { compacted(t, client) })
	t.Run("log append time", func(t *testing.T) { logAppendTime(t, client) })
	t.Run("deleted", func(t *testing.T) { deleted(t, client) })
	t.Run("direct", func(t *testing.T) { positions(t, client, client.Direct("weir-direct", topic)) })
	t.Run("group", func(t *testing.T) { positions(t, client, join(t, c, client)) })
	t.Run("rebalance", func(t *testing.T) { rebalance(t, c, client) })
}

func topics(t *testing.T, client *kafka.Client) {
	ctx := t.Context()
	if err := client.EnsureTopics(ctx, true, kafka.Topic{Name: topic, Partitions: 2, Replication: 1}); err != nil {
		t.Errorf("the second time: %v", err)
	}
	err := client.EnsureTopics(ctx, true, kafka.Topic{Name: topic, Partitions: 3, Replication: 1})
	if err == nil || !strings.Contains(err.Error(), "kafka.partitions") {
		t.Errorf("another number of partitions: %v", err)
	}
	if err := client.EnsureTopics(ctx, true, kafka.Topic{Name: "wide", Partitions: 1, Replication: 3}); err == nil {
		t.Error("three copies on one node")
	}
	if n, err := client.Partitions(ctx, topic); err != nil || n != 2 {
		t.Errorf("%d partitions, error %v", n, err)
	}
	if _, err := client.Partitions(ctx, "missing"); err == nil {
		t.Error("a missing topic has partitions")
	}
	if id, err := client.ClusterID(ctx); err != nil || len(id) != 22 {
		t.Errorf("cluster %q, error %v", id, err)
	}
}

// compression writes and reads with each codec: a batch of records with keys and headers.
func compression(t *testing.T, c *cluster) {
	for _, name := range kafka.CompressionNames() {
		client, err := kafka.New(kafka.Config{Addresses: c.addresses, Compression: name})
		if err != nil {
			t.Fatal(err)
		}
		at := bounds(t, client)[0].End
		var records []ingest.Record
		for i := range 3 {
			records = append(records, ingest.Record{
				Topic: topic, Key: []byte{byte(i)}, Value: fmt.Appendf(nil, "%s %d %s", name, i, strings.Repeat("x", 10_000)),
				Headers: []wire.Header{{Key: wire.HeaderProducer, Value: name}},
			})
		}
		if err := client.Produce(t.Context(), records...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		err = client.Read(t.Context(), topic, 0, at, false, func(m ingest.Message) bool {
			want := records[n]
			if string(m.Value) != string(want.Value) || string(m.Key) != string(want.Key) || !slices.Equal(m.Headers, want.Headers) || m.Offset != at+int64(n) {
				t.Errorf("%s: message %d is %q %q %v at %d", name, n, m.Key, m.Value, m.Headers, m.Offset)
			}
			n++
			return true
		})
		if err != nil || n != len(records) {
			t.Errorf("%s: read %d, error %v", name, n, err)
		}
		client.Close()
	}
}

func bounds(t *testing.T, client *kafka.Client) []kafka.Bounds {
	t.Helper()
	var b []kafka.Bounds
	eventually(t, "the bounds", func(ctx context.Context) (err error) { // a new partition may be without its leader for a moment
		b, err = client.Bounds(ctx, topic)
		return err
	})
	return b
}

func tooLarge(t *testing.T, client *kafka.Client) {
	err := client.Produce(t.Context(), ingest.Record{Topic: topic, Value: make([]byte, 2<<20)})
	if !ingest.IsPermanent(err) {
		t.Errorf("2 MB in one record: %v, want a permanent error", err)
	}
	small := kafka.Topic{Name: "small", Partitions: 1, Replication: 1}
	if err := client.CreateTopics(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if err := client.SetTopicConfig(t.Context(), small.Name, kafka.MaxMessageBytes, "1000"); err != nil {
		t.Fatal(err)
	}
	var records []ingest.Record
	for i := range 7 {
		records = append(records, ingest.Record{Topic: small.Name, Key: []byte{byte(i)}, Value: make([]byte, 600)})
	}
	if err := client.Produce(t.Context(), records...); err != nil {
		t.Errorf("seven records of which a batch may hold one: %v", err)
	}
	var keys []byte
	if err := client.Read(t.Context(), small.Name, 0, 0, false, func(m ingest.Message) bool { keys = append(keys, m.Key...); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []byte{0, 1, 2, 3, 4, 5, 6}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	err = client.Produce(t.Context(), ingest.Record{Topic: small.Name, Value: make([]byte, 2000)})
	if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), "max.message.bytes") {
		t.Errorf("a record beyond the topic's limit: %v", err)
	}
}

// compacted writes without a key to a topic that is compacted by mistake.
func compacted(t *testing.T, client *kafka.Client) {
	compact := kafka.Topic{Name: "compact", Partitions: 1, Replication: 1}
	if err := client.CreateTopics(t.Context(), compact); err != nil {
		t.Fatal(err)
	}
	if err := client.SetTopicConfig(t.Context(), compact.Name, kafka.CleanupPolicy, "compact"); err != nil {
		t.Fatal(err)
	}
	if err := client.Produce(t.Context(), ingest.Record{Topic: compact.Name, Value: []byte("x")}); err == nil || !strings.Contains(err.Error(), "cleanup.policy") {
		t.Errorf("without a key on a compacted topic: %v", err)
	}
}

// logAppendTime: a topic that stamps records itself gives back the same record each time, so that a log is known again.
func logAppendTime(t *testing.T, client *kafka.Client) {
	stamped := kafka.Topic{Name: "stamped", Partitions: 1, Replication: 1}
	if err := client.CreateTopics(t.Context(), stamped); err != nil {
		t.Fatal(err)
	}
	if err := client.SetTopicConfig(t.Context(), stamped.Name, "message.timestamp.type", "LogAppendTime"); err != nil {
		t.Fatal(err)
	}
	if err := client.Produce(t.Context(), ingest.Record{Topic: stamped.Name, Value: []byte("x")}, ingest.Record{Topic: stamped.Name, Value: []byte("y")}); err != nil {
		t.Fatal(err)
	}
	consumer := client.Direct("stamped", stamped.Name)
	s := open(t, consumer)
	source := s.Assigned()[0].Source
	for range 2 {
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(t.Context(), source, ingest.Position{Restart: 2, Durable: 2}); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	again := open(t, consumer) // it compares the last record with the one that was counted
	shut(t, again)
}

// deleted shows that Kafka forgets what groups have committed for a topic with it: a topic of the same name begins anew.
func deleted(t *testing.T, client *kafka.Client) {
	gone := kafka.Topic{Name: "gone", Partitions: 1, Replication: 1}
	begin := func() ingest.Session {
		eventually(t, "make the topic", func(ctx context.Context) error {
			if err := client.CreateTopics(ctx, gone); err != nil {
				return err
			}
			states, err := client.DescribeTopics(ctx, gone.Name)
			if err == nil && states[0].Partitions == 0 {
				err = errors.New("it is not shown")
			}
			return err
		})
		return open(t, client.Direct("gone", gone.Name))
	}
	s := begin()
	if err := client.Produce(t.Context(), ingest.Record{Topic: gone.Name, Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), s.Assigned()[0].Source, ingest.Position{Restart: 1, Durable: 1}); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	if err := client.DeleteTopic(t.Context(), gone.Name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic's end", func(ctx context.Context) error {
		states, err := client.DescribeTopics(ctx, gone.Name)
		if err == nil && states[0].Partitions > 0 {
			err = errors.New("it is still shown")
		}
		return err
	})
	again := begin()
	defer shut(t, again)
	if at := again.Assigned()[0]; at.Position != (ingest.Position{}) {
		t.Errorf("the new topic is at %+v, want its start", at)
	}
}

func join(t *testing.T, c *cluster, client *kafka.Client) *kafka.Group {
	t.Helper()
	g, err := client.Group(kafka.Config{Addresses: c.addresses}, group, slog.New(slog.DiscardHandler), topic)
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

func open(t *testing.T, c ingest.Consumer) ingest.Session {
	t.Helper()
	var s ingest.Session
	eventually(t, "a session", func(ctx context.Context) (err error) {
		s, err = c.Session(ctx)
		return err
	})
	return s
}

func shut(t *testing.T, s ingest.Session) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// positions commits in one session and looks in the next.
func positions(t *testing.T, client *kafka.Client, consumer ingest.Consumer) {
	if err := client.Produce(t.Context(), ingest.Record{Topic: topic, Partition: 1, Value: []byte("one")}); err != nil {
		t.Fatal(err)
	}
	s := open(t, consumer)
	if len(s.Assigned()) != 2 {
		t.Fatalf("assigned %+v", s.Assigned())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.Next(ctx); err != nil {
		t.Fatal(err)
	}
	want := ingest.Position{Restart: 0, Durable: 1}
	for _, a := range s.Assigned() {
		if a.Position != (ingest.Position{}) {
			t.Errorf("a group that never committed is at %+v", a)
		}
		if a.Source.Partition == 1 {
			if err := s.Commit(ctx, a.Source, want); err != nil {
				t.Fatal(err)
			}
		}
	}
	shut(t, s)
	if g, ok := consumer.(*kafka.Group); ok {
		if err := g.Close(); err != nil { // the next generation begins with the next member
			t.Fatal(err)
		}
		return
	}
	again := open(t, consumer)
	defer shut(t, again)
	for _, a := range again.Assigned() {
		if a.Source.Partition == 1 && a.Position != want {
			t.Errorf("position %+v, want %+v", a.Position, want)
		}
	}
}

// rebalance lets a second member take half of the partitions from the first.
func rebalance(t *testing.T, c *cluster, client *kafka.Client) {
	first := join(t, c, client)
	alone := open(t, first)
	if len(alone.Assigned()) != 2 {
		t.Fatalf("alone with %+v", alone.Assigned())
	}
	second := join(t, c, client)
	joined := make(chan ingest.Session, 1)
	go func() { joined <- open(t, second) }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		_, err := alone.Next(ctx)
		if errors.Is(err, ingest.ErrRevoked) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := alone.Assigned()[0].Source
	shut(t, alone)
	mine, theirs := open(t, first), <-joined
	defer shut(t, mine)
	defer shut(t, theirs)
	for _, s := range []ingest.Session{mine, theirs} {
		if len(s.Assigned()) != 1 {
			t.Fatalf("assigned %+v", s.Assigned())
		}
		if err := s.Commit(ctx, s.Assigned()[0].Source, ingest.Position{Restart: 1, Durable: 1}); err != nil {
			t.Error(err)
		}
	}
	if err := alone.Commit(ctx, old, ingest.Position{}); !errors.Is(err, ingest.ErrRevoked) {
		t.Errorf("a commit of the session before: %v, want %v", err, ingest.ErrRevoked)
	}
}

// TestKilledBroker kills one of two brokers without warning: nothing that was acknowledged is gone, writes stop while it is away, and go on
// when it is back.
func TestKilledBroker(t *testing.T) {
	c := start(t, 2, 2)
	client := c.client(t, kafka.Topic{Name: topic, Partitions: 4, Replication: 2})
	acknowledged := map[string]bool{}
	write := func(ctx context.Context, value string) error {
		var errs []error
		for p := range 4 {
			one := fmt.Sprint(value, "/", p)
			err := client.Produce(ctx, ingest.Record{Topic: topic, Partition: p, Value: []byte(one)})
			if err == nil {
				acknowledged[one] = true
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	for i := range 20 {
		eventually(t, "write", func(ctx context.Context) error { return write(ctx, fmt.Sprint("before ", i)) })
	}
	if err := syscall.Kill(-c.nodes[1].Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.nodes[1].Done()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := write(ctx, "during"); err == nil {
		t.Error("all partitions took a write with one replica of two")
	}
	c.run(t, 1)
	eventually(t, "write again", func(ctx context.Context) error { return write(ctx, "after") })
	for p := range 4 {
		eventually(t, "read", func(ctx context.Context) error {
			return client.Read(ctx, topic, p, 0, false, func(m ingest.Message) bool {
				delete(acknowledged, string(m.Value))
				return true
			})
		})
	}
	if len(acknowledged) > 0 {
		t.Errorf("acknowledged and gone: %v", acknowledged)
	}
}
