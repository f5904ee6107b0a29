package actuator_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirmesh/weir/actuator"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
)

const topic = "weir.decisions"

// table keeps outcomes and says when it has enough of them.
type table struct {
	mu    sync.Mutex // guards the rest
	saved map[string]schemas.DecisionOutcome
	want  int
	full  chan struct{}
}

func (s *table) SaveOutcomes(_ context.Context, outcomes []schemas.DecisionOutcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.saved)
	for _, o := range outcomes {
		s.saved[o.DecisionID] = o
	}
	if before < s.want && len(s.saved) >= s.want {
		close(s.full)
	}
	return nil
}

// TestOnKafka runs workers on a real log of two partitions, one after the other.
func TestOnKafka(t *testing.T) {
	b, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	client, err := kafka.New(kafka.Config{Addresses: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.EnsureTopics(t.Context(), true, kafka.Topic{Name: topic, Partitions: 2, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	send := func(partition int, m ingest.Message) {
		t.Helper()
		if err := client.Produce(t.Context(), ingest.Record{Topic: topic, Partition: partition, Value: m.Value, Headers: m.Headers}); err != nil {
			t.Fatal(err)
		}
	}
	for p, name := range []string{"cart@v1", "pay@v1"} {
		send(p, signed(t, decision(schemas.Scale, name, 0, 3, 6)))
		send(p, signed(t, decision(schemas.Scale, name, 5, 3, 2, past)))
		send(p, signed(t, decision(schemas.Scale, name, 50, 3, 2, past)))
		send(p, watermark("forecast", 60))
		send(p, watermark("detect", 20))
	}
	store := &table{saved: map[string]schemas.DecisionOutcome{}, want: 4, full: make(chan struct{})}
	work(t, client, store)
	for p := range 2 {
		send(p, watermark("detect", 60))
	}
	store.want, store.full = 6, make(chan struct{})
	work(t, client, store)
	for id, o := range store.saved {
		if o.Stage != schemas.StageReported {
			t.Errorf("%s: %s %s %s", id, o.Stage, o.Rule, o.Reason)
		}
	}
}

// work runs a worker until the store is full.
func work(t *testing.T, client *kafka.Client, store *table) {
	t.Helper()
	cfg := actuator.DefaultConfig()
	cfg.FlushInterval = 10 * time.Millisecond
	w, err := actuator.New(cfg, actuator.Parts{
		Consumer: client.Direct("weir-actuator", topic), Verify: verify, Outcomes: store, Now: func() time.Time { return at(0) },
		Publish:    func(context.Context, []schemas.DecisionOutcome) error { return nil },
		DeadLetter: func(_ context.Context, _ ingest.Message, reason error) error { t.Error(reason); return nil },
		Metrics:    actuator.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	select {
	case <-store.full:
	case <-ctx.Done():
		t.Error("the outcomes do not come")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
