package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic    = "weir.calls"
	group    = "weir-features"
	patience = 30 * time.Second
)

var quiet = slog.New(slog.DiscardHandler)

// startBroker runs a broker on dir; listen may be "" for any port.
func startBroker(t *testing.T, dir, listen string) *broker.Broker {
	t.Helper()
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	b, err := broker.Start(broker.Config{Dir: dir, Listen: listen, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func newClient(t *testing.T, cfg kafka.Config) *kafka.Client {
	t.Helper()
	c, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// newTopic starts a broker with the topic and returns a client of it.
func newTopic(t *testing.T, partitions int) *kafka.Client {
	t.Helper()
	c := newClient(t, kafka.Config{Addresses: []string{startBroker(t, t.TempDir(), "").Addr()}})
	ensure(t, c, partitions)
	return c
}

func ensure(t *testing.T, c *kafka.Client, partitions int) {
	t.Helper()
	if err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: topic, Partitions: partitions, Replication: 1}); err != nil {
		t.Fatal(err)
	}
}

// produce writes numbered records, n of them, one request each.
func produce(t *testing.T, c *kafka.Client, partition, from, n int) {
	t.Helper()
	for i := range n {
		r := ingest.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "%d", from+i)}
		if err := c.Produce(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func session(t *testing.T, c ingest.Consumer) ingest.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := c.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSession(t, s) })
	return s
}

func closeSession(t *testing.T, s ingest.Session) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func next(t *testing.T, s ingest.Session) ingest.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func assigned(t *testing.T, s ingest.Session, partition int) ingest.Assigned {
	t.Helper()
	for _, a := range s.Assigned() {
		if a.Source.Topic == topic && a.Source.Partition == partition {
			return a
		}
	}
	t.Fatalf("partition %d is not among %+v", partition, s.Assigned())
	return ingest.Assigned{}
}

func commit(t *testing.T, s ingest.Session, source schemas.Source, p ingest.Position) {
	t.Helper()
	if err := s.Commit(t.Context(), source, p); err != nil {
		t.Fatal(err)
	}
}

// read returns the values of a partition.
func read(t *testing.T, c *kafka.Client, partition int, from int64) (values []string) {
	t.Helper()
	err := c.Read(t.Context(), topic, partition, from, false, func(m ingest.Message) bool {
		values = append(values, string(m.Value))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}
