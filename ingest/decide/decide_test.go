package decide_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const (
	shards  = 2
	minutes = 40
)

// world is everything that outlives a process: the store and the log.
type world struct {
	mu        sync.Mutex
	positions map[int]time.Time
	decisions map[string]schemas.SignedDecision
	log       []ingest.Record
	// failing is asked before every write; an error is what a crash or an outage at that point looks like.
	failing func(what string) error
	// after is asked after every write that was done: a lost acknowledgement.
	after func(what string) error
}

func newWorld() *world {
	none := func(string) error { return nil }
	return &world{positions: map[int]time.Time{}, decisions: map[string]schemas.SignedDecision{}, failing: none, after: none}
}

func (w *world) do(what string, change func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failing(what); err != nil {
		return err
	}
	change()
	return w.after(what)
}

func (w *world) NextWindow(context.Context, schemas.Resolution, time.Time) (time.Time, error) {
	return start, nil
}

func (w *world) Positions(context.Context, string) (map[int]time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.positions), nil
}

func (w *world) SavePositions(_ context.Context, _ string, at map[int]time.Time) error {
	return w.do("positions", func() { maps.Copy(w.positions, at) })
}

func (w *world) SaveForecasts(context.Context, []schemas.Forecast) error { return nil }

func (w *world) SaveFindings(context.Context, []schemas.Finding) error { return nil }

func (w *world) SaveDecisions(_ context.Context, all []schemas.SignedDecision) error {
	return w.do("decisions", func() {
		for _, d := range all {
			w.decisions[d.ID] = d
		}
	})
}

func (w *world) Produce(_ context.Context, records ...ingest.Record) error {
	return w.do("log", func() { w.log = append(w.log, records...) })
}

func (w *world) published(_ context.Context, topic string, after time.Time) (map[string]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]bool{}
	for _, r := range w.log {
		id, _ := wire.Find(r.Headers, "ce_id")
		text, _ := wire.Find(r.Headers, "ce_time")
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil && r.Topic == topic && at.After(after) {
			ids[id] = true
		}
	}
	return ids, nil
}

// events lists the ids of the decisions in the log, in its order.
func (w *world) events() []string {
	var ids []string
	for _, r := range w.log {
		if id, ok := wire.Find(r.Headers, "ce_id"); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// service decides once a minute about four workloads; what it decides depends on how many minutes it has seen.
type service struct{ seen int }

func (s *service) Step(_ context.Context, from, to time.Time) (decide.Output, error) {
	var out decide.Output
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		s.seen++
		for i := range 4 {
			d := schemas.Decision{
				MadeAt: at.Add(time.Minute), ValidUntil: at.Add(10 * time.Minute), Kind: schemas.Scale, Verdict: schemas.Propose,
				Target: schemas.Workload{Namespace: "shop", Name: fmt.Sprintf("service-%d", i)}, Current: 1, Proposed: float64(1 + s.seen),
				Signal: schemas.SignalLoad, Code: "load_ahead", Reason: "test", Model: schemas.Model{Name: "test", Version: "1"},
			}
			d.ID = d.Identity()
			out.Decisions = append(out.Decisions, d)
		}
	}
	return out, nil
}

// consumer hands out the progress records of a features worker that closes one minute after the other.
type consumer struct{ upTo int }

func (c consumer) Session(context.Context) (ingest.Session, error) {
	return &session{upTo: c.upTo}, nil
}

type session struct {
	next, upTo int
}

func (s *session) Assigned() []ingest.Assigned {
	var all []ingest.Assigned
	for p := range shards {
		all = append(all, ingest.Assigned{Source: schemas.Source{Topic: wire.TopicProgress, Partition: p}, Partitions: shards})
	}
	return all
}

func (s *session) Next(ctx context.Context) (ingest.Message, error) {
	if s.next == s.upTo {
		<-ctx.Done()
		return ingest.Message{}, ctx.Err()
	}
	s.next++
	p := wire.Progress{Worker: "w", Sources: []wire.SourceProgress{
		{Source: "weir.calls@i/0", Watermark: start.Add(time.Duration(s.next)*time.Minute + time.Second).UnixNano()},
	}}
	value, err := p.Encode()
	return ingest.Message{Source: schemas.Source{Topic: wire.TopicProgress}, Offset: int64(s.next), End: int64(s.next) + 1, Value: value}, err
}

func (s *session) Commit(context.Context, schemas.Source, ingest.Position) error { return nil }
func (s *session) Close() error                                                  { return nil }

// life runs a decision service on the world until everything is decided, or until it crashes.
func life(t *testing.T, w *world, crashed <-chan struct{}) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runner := decide.New(
		decide.Config{Stage: "test", Resolution: schemas.Resolution(time.Minute), Topics: []string{wire.TopicCalls}, History: 24 * time.Hour, Chunk: 7 * time.Minute},
		decide.Parts{
			Consumer: consumer{minutes}, Producer: w, Store: w, Events: &decide.Events{Source: "/weir/test", Key: key, Published: w.published},
			Sources: func(context.Context) (int, error) { return 1, nil },
			New:     func(func(schemas.Workload) bool) (decide.Service, error) { return &service{}, nil },
			Logger:  slog.New(slog.DiscardHandler), Metrics: decide.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
		})
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-crashed:
			cancel()
			<-done
			return
		case err := <-done:
			t.Fatalf("the service ended: %v", err)
		case <-tick.C:
			w.mu.Lock()
			finished := len(w.positions) == shards && !w.positions[0].Before(start.Add(minutes*time.Minute)) && !w.positions[1].Before(start.Add(minutes*time.Minute))
			w.mu.Unlock()
			if finished {
				cancel()
				<-done
				return
			}
		}
	}
}

func TestDecidesOnceAboutEveryMinute(t *testing.T) {
	w := newWorld()
	life(t, w, nil)
	if n := len(w.decisions); n != 4*minutes {
		t.Errorf("%d decisions, want %d", n, 4*minutes)
	}
	checkOnce(t, w)
}

// checkOnce checks that the log holds the stored decisions, each once, in its workload's partition and signed.
func checkOnce(t *testing.T, w *world) {
	t.Helper()
	ids := w.events()
	if sorted, stored := slices.Sorted(slices.Values(ids)), slices.Sorted(maps.Keys(w.decisions)); !slices.Equal(sorted, stored) {
		t.Errorf("the log holds %d events (%d different), the store %d decisions", len(ids), len(slices.Compact(sorted)), len(stored))
	}
	for _, d := range w.decisions {
		if !d.Replay || d.Signature == "" {
			t.Errorf("decision %s about a year that is not now is not marked as a replay, or not signed", d.ID)
		}
	}
}

// TestCrashesLoseAndDoubleNothing crashes the process at every kind of write, before and after it was done, again and again.
func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	quiet := newWorld()
	life(t, quiet, nil)
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld()
		for range 6 {
			crashed := make(chan struct{})
			var once sync.Once
			crash := func(string) error {
				if random.IntN(6) == 0 {
					once.Do(func() { close(crashed) })
					return errors.New("killed")
				}
				return nil
			}
			w.mu.Lock()
			w.failing, w.after = crash, func(string) error { return nil }
			if random.IntN(2) == 0 {
				w.failing, w.after = w.after, w.failing
			}
			w.mu.Unlock()
			life(t, w, crashed)
		}
		w.mu.Lock()
		none := func(string) error { return nil }
		w.failing, w.after = none, none
		w.mu.Unlock()
		life(t, w, nil)
		if !slices.Equal(slices.Sorted(maps.Keys(w.decisions)), slices.Sorted(maps.Keys(quiet.decisions))) {
			t.Errorf("seed %d: %d decisions, an undisturbed run has %d", seed, len(w.decisions), len(quiet.decisions))
		}
		checkOnce(t, w)
	}
}

func TestAShardThatIsAheadIsNotDecidedAgain(t *testing.T) {
	w := newWorld()
	w.positions[0] = start.Add(30 * time.Minute)
	life(t, w, nil)
	early := 0
	for _, d := range w.decisions {
		shard := wire.PartitionOf([]byte(d.Target.Key()), shards)
		if shard == 0 && !d.MadeAt.After(start.Add(30*time.Minute)) {
			t.Errorf("%s was decided again for %s", d.Target.Key(), d.MadeAt)
		}
		if shard == 1 && !d.MadeAt.After(start.Add(30*time.Minute)) {
			early++
		}
	}
	if early == 0 {
		t.Error("the shard that was behind was not decided from its start")
	}
}

func TestEveryStepTellsHowFarItIs(t *testing.T) {
	w := newWorld()
	life(t, w, nil)
	last := map[int]int64{}
	for _, r := range w.log {
		if r.Topic != wire.TopicDecisions {
			t.Fatalf("a record on %s", r.Topic)
		}
		if _, control := wire.Find(r.Headers, wire.HeaderControl); control {
			at, ok := wire.FindInt(r.Headers, wire.HeaderEventTime)
			if by, _ := wire.Find(r.Headers, wire.HeaderProducer); !ok || by != "test" || at <= last[r.Partition] {
				t.Errorf("control message of %q at %d after %d", by, at, last[r.Partition])
			}
			last[r.Partition] = at
			continue
		}
		text, _ := wire.Find(r.Headers, "ce_time")
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || at.UnixNano() <= last[r.Partition] {
			t.Errorf("decision of %s behind the word that all before %d is decided (%v)", at, last[r.Partition], err)
		}
	}
	for p := range shards {
		if want := start.Add(minutes * time.Minute).UnixNano(); last[p] != want {
			t.Errorf("partition %d ends at %d, want %d", p, last[p], want)
		}
	}
}
