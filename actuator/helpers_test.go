package actuator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/actuator"
	"github.com/weirmesh/weir/actuator/istio"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// decision is a proposal made some minutes after noon, valid for ten, with all the evidence that a reduction needs.
func decision(kind schemas.DecisionKind, target string, made int, from, to float64, change ...func(*schemas.Decision)) schemas.Decision {
	name, version, _ := strings.Cut(target, "@")
	d := schemas.Decision{
		Kind: kind, Verdict: schemas.Propose, MadeAt: at(made), ValidUntil: at(made + 10), Current: from, Proposed: to, Code: "test",
		Target: schemas.Workload{Cluster: "c", Namespace: "shop", Name: name, Version: version},
		Evidence: []schemas.Fact{
			{Name: "completeness_lowest", Value: 1}, {Name: "history_hours", Value: 48}, {Name: "load_day_peak", Value: 1}, {Name: "load_seen_high", Value: 100},
		},
	}
	for _, c := range change {
		c(&d)
	}
	d.ID = d.Identity()
	return d
}

func past(d *schemas.Decision) { d.Replay = true }

// signed is a message that the test's verify believes.
func signed(t testing.TB, d schemas.Decision) ingest.Message {
	t.Helper()
	value, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Message{Value: value, Headers: []wire.Header{{Key: "signature", Value: "good"}}}
}

func verify(m ingest.Message) (schemas.Decision, error) {
	var d schemas.Decision
	if signature, _ := wire.Find(m.Headers, "signature"); signature != "good" {
		return d, errors.New("the signature is not that of a trusted key")
	}
	return d, json.Unmarshal(m.Value, &d)
}

func watermark(stage string, minutes int) ingest.Message {
	return ingest.Message{Headers: []wire.Header{
		{Key: wire.HeaderControl, Value: wire.ControlWatermark},
		{Key: wire.HeaderProducer, Value: stage},
		{Key: wire.HeaderEventTime, Value: strconv.FormatInt(at(minutes).UnixNano(), 10)},
	}}
}

// world is everything outside a worker that survives it: the log, what is committed, saved, published and dead.
type world struct {
	source    schemas.Source
	log       []ingest.Message
	position  ingest.Position
	outcomes  map[string]schemas.DecisionOutcome
	published map[string]int
	dead      map[int64][]string
	flushAt   func(offset int64) bool // whether the worker writes after this message

	checks *istio.Validator // made once: that takes a while
	steps  int              // that had an effect, over all workers
	killAt []int            // the steps at which the worker is killed
	late   bool
	killed bool
	back   bool // a position was committed that lies before one that was
}

func newWorld(messages ...ingest.Message) *world {
	w := &world{
		source: schemas.Source{Incarnation: "i", Topic: "weir.decisions", Partition: 0}, outcomes: map[string]schemas.DecisionOutcome{},
		published: map[string]int{}, dead: map[int64][]string{}, flushAt: func(int64) bool { return false },
	}
	for i, m := range messages {
		m.Source, m.Offset, m.End = w.source, int64(i), int64(len(messages))
		w.log = append(w.log, m)
	}
	return w
}

var errKilled = ingest.Permanent{Err: errors.New("killed")}

// step does something that others can see, unless the worker is killed just before it, or just after.
func (w *world) step(do func()) error {
	if w.killed {
		return errKilled
	}
	w.steps++
	w.killed = slices.Contains(w.killAt, w.steps)
	if !w.killed || w.late {
		do()
	}
	if w.killed {
		return errKilled
	}
	return nil
}

func (w *world) SaveOutcomes(_ context.Context, outcomes []schemas.DecisionOutcome) error {
	return w.step(func() {
		for _, o := range outcomes {
			w.outcomes[o.DecisionID+" "+string(o.Stage)+" "+o.By] = o
		}
	})
}

func (w *world) publish(_ context.Context, outcomes []schemas.DecisionOutcome) error {
	return w.step(func() {
		for _, o := range outcomes {
			w.published[o.DecisionID]++
		}
	})
}

func (w *world) known(context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	for id := range w.published {
		out[id] = true
	}
	return out, nil
}

func (w *world) deadLetter(_ context.Context, m ingest.Message, reason error) error {
	return w.step(func() { w.dead[m.Offset] = append(w.dead[m.Offset], reason.Error()) })
}

// session reads the world's log once and then stops the worker.
type session struct {
	*world
	next int64
	idle bool
	stop func()
}

func (w *world) consumer(stop func()) consumer { return consumer{world: w, stop: stop} }

type consumer struct {
	world *world
	stop  func()
}

func (c consumer) Session(context.Context) (ingest.Session, error) {
	return &session{world: c.world, next: c.world.position.Restart, stop: c.stop}, nil
}

func (s *session) Assigned() []ingest.Assigned {
	return []ingest.Assigned{{Source: s.source, Position: s.position, End: int64(len(s.log)), Partitions: 1}}
}

func (s *session) Next(ctx context.Context) (ingest.Message, error) {
	switch {
	case s.killed:
		return ingest.Message{}, errKilled
	case s.next == int64(len(s.log)):
		if !s.idle {
			s.idle = true
			return ingest.Message{}, context.DeadlineExceeded
		}
		s.stop()
		<-ctx.Done()
		return ingest.Message{}, ctx.Err()
	case s.next > 0 && !s.idle && s.flushAt(s.next):
		s.idle = true
		return ingest.Message{}, context.DeadlineExceeded
	}
	s.idle = false
	s.next++
	return s.log[s.next-1], nil
}

func (s *session) Commit(_ context.Context, _ schemas.Source, p ingest.Position) error {
	return s.step(func() {
		s.back = s.back || p.Durable < s.position.Durable || p.Restart > p.Durable
		s.position = p
	})
}

func (s *session) Close() error { return nil }

// run lets one worker work until the log is read or it is killed. Its clock stands at minutes after noon.
func (w *world) run(t testing.TB, clock int, change ...func(*actuator.Config, *actuator.Parts)) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := actuator.DefaultConfig()
	cfg.FlushInterval = time.Hour
	parts := actuator.Parts{
		Consumer: w.consumer(cancel), Istio: w.checks, Verify: verify, Outcomes: w, Publish: w.publish, Published: w.known, DeadLetter: w.deadLetter,
		Metrics: actuator.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return at(clock) },
	}
	for _, c := range change {
		c(&cfg, &parts)
	}
	worker, err := actuator.New(cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	w.killed = false
	return worker.Run(ctx)
}

// finish runs workers until one reads the log to its end.
func (w *world) finish(t testing.TB, clock int, change ...func(*actuator.Config, *actuator.Parts)) {
	t.Helper()
	for range 10 {
		err := w.run(t, clock, change...)
		if err == nil {
			return
		}
		if !ingest.IsPermanent(err) {
			t.Fatal(err)
		}
	}
	t.Fatal("the log is never read to its end")
}

// only returns the one outcome there is.
func (w *world) only(t testing.TB) schemas.DecisionOutcome {
	t.Helper()
	if len(w.outcomes) != 1 {
		t.Fatalf("%d outcomes: %v", len(w.outcomes), w.outcomes)
	}
	for _, o := range w.outcomes {
		return o
	}
	return schemas.DecisionOutcome{}
}

// stages lists stage and rule of each decision's outcomes, in the order of the decisions.
func (w *world) stages(decisions ...schemas.Decision) (out []string) {
	for _, d := range decisions {
		one := ""
		for _, o := range w.outcomes {
			if o.DecisionID == d.ID {
				one += fmt.Sprintf("%s %s", o.Stage, o.Rule)
			}
		}
		out = append(out, one)
	}
	return out
}
