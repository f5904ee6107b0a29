package features_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/weirmesh/weir/features"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store"
)

// member is a worker's consumer in the group that shares the partitions.
func (s *stage) member() *kafka.Group {
	s.t.Helper()
	cfg := kafka.Config{Addresses: []string{s.broker}}
	g, err := s.client.Group(cfg, "weir-features", slog.New(slog.NewTextHandler(io.Discard, nil)), wire.TopicCalls, wire.TopicSamples)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := g.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return g
}

// paused is a store whose next flush with windows waits, as a process does that a hypervisor or a collection of garbage stops.
type paused struct {
	store.Writer
	begun, goOn chan struct{}
	once        sync.Once
}

func newPaused(w store.Writer) *paused {
	return &paused{Writer: w, begun: make(chan struct{}), goOn: make(chan struct{})}
}

func (p *paused) Write(ctx context.Context, f store.Flush) error {
	if len(f.Partials) > 0 {
		p.once.Do(func() { close(p.begun); <-p.goOn })
	}
	return p.Writer.Write(ctx, f)
}

// TestAMemberThatWakesUpLateCountsNothingTwice stops a worker in the middle of a flush. Another joins and counts a part of what it held, and
// more; then it goes on with its flush, as if all were still its own, while a third joins.
func TestAMemberThatWakesUpLateCountsNothingTwice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	s := newStage(t)
	randomLog(s, rng, 60)
	asleep, counted := newPaused(s.store), make(chan struct{})
	s.store.after = sync.OnceValue(func() error { close(counted); return nil })
	stops := []func() error{s.start(s.worker(config(), func(p *features.Parts) { p.Consumer, p.Store = s.member(), asleep }))}
	await(t, asleep.begun)
	join := func() {
		stops = append(stops, s.start(s.worker(config(), func(p *features.Parts) { p.Consumer = s.member() })))
		randomLog(s, rng, 40)
	}
	join()
	await(t, counted) // by the second, which owns now a part of what the first still holds
	close(asleep.goOn)
	join()
	s.awaitDurable()
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if d := s.store.counted.diff(s.oracle()); d != "" {
		t.Error(d)
	}
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("nothing was flushed")
	}
}

// TestAMessageThatIsStoredTwiceCountsOnce: an acknowledgement that is lost has the collector write again what the log holds already.
func TestAMessageThatIsStoredTwiceCountsOnce(t *testing.T) {
	once, twice := newStage(t), newStage(t)
	for i := range 20 {
		r := spans(t, i%partitions, checkout(i+1, base+int64(i)*second)...)
		once.produce(r)
		twice.produce(r)
		twice.produce(r)
	}
	for _, s := range []*stage{once, twice} {
		s.runUntilDurable(s.worker(config()))
	}
	for _, table := range []string{"service_10s", "edge_10s", "instance_1m"} {
		if got, want := twice.store.counted.sum(table, "calls"), once.store.counted.sum(table, "calls"); got != want || want == 0 {
			t.Errorf("%s: %d calls, want %d", table, got, want)
		}
	}
	if got := twice.store.counted.sum("service_10s", "duplicates"); got == 0 {
		t.Error("no duplicates were seen")
	}
}
