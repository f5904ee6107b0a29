package features_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirmesh/weir/features"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

const one = uint64(schemas.One)

// checkout is a trace of three workloads: a call from outside, and two inside.
func checkout(trace int, end int64) []row {
	return []row{
		span(trace, 1, 0, schemas.KindServer, "front", end),
		span(trace, 2, 1, schemas.KindClient, "front", end),
		span(trace, 3, 2, schemas.KindServer, "cart", end),
		span(trace, 4, 3, schemas.KindServer, "stock", end),
	}
}

func TestAWorkerCountsWhatTheLogHolds(t *testing.T) {
	s := newStage(t)
	for i := range 20 {
		rows := checkout(i, base+int64(i)*second)
		s.produce(spans(t, i%partitions, rows[:2]...), spans(t, i%partitions, rows[2:]...), spans(t, i%partitions, rows[0]))
	}
	s.runUntilDurable(s.worker(config()))
	if d := s.store.counted.diff(s.oracle()); d != "" {
		t.Error(d)
	}
	for measure, want := range map[string]uint64{"calls": 60 * one, "observed": 60, "spans": 100, "duplicates": 20, "orphans": 0} {
		if got := s.store.counted.sum("service_10s", measure); got != want {
			t.Errorf("%s: %d, want %d", measure, got, want)
		}
	}
	if got := s.store.counted.sum("edge_1h", "calls"); got != 60*one {
		t.Errorf("calls of edges by the hour: %d", got)
	}
	for source, p := range s.positions() {
		end := s.bounds(wire.TopicCalls)[0].End
		want := ingest.Position{}
		if strings.HasPrefix(source, wire.TopicCalls) {
			want = ingest.Position{Restart: max(0, ((end-1)/generation-3)*generation), Durable: end}
		}
		if p != want {
			t.Errorf("%s: committed %+v, want %+v", source, p, want)
		}
	}
}

// withEvents gives a record the header of another one, of events at base.
func withEvents(r ingest.Record) ingest.Record {
	for i, h := range r.Headers {
		if h.Key == wire.HeaderEvents {
			r.Headers[i].Value = wire.Events(base, base)
		}
	}
	return r
}

func TestAMessageThatCannotBeReadGoesToTheDeadLetterAndItsNeighboursCount(t *testing.T) {
	huge := bytes.Repeat([]byte{7}, wire.DeadLetterBytes+1)
	newer := func(schema string) ingest.Record {
		r := spans(t, 0, checkout(2, base)...)
		r.Headers[0].Value = schema
		return r
	}
	for _, c := range []struct {
		name   string
		record ingest.Record
		reason string
		share  uint64 // rows known to be lost
	}{
		{"garbage", ingest.Record{Value: []byte("garbage"), Headers: spans(t, 0, checkout(2, base)...).Headers}, "decode spans", 4},
		{"much garbage", ingest.Record{Value: huge, Headers: spans(t, 0, checkout(2, base)...).Headers}, "decode spans", 4},
		{"a newer major", newer("calls/2"), `schema "calls/2" is not readable here, want calls/1`, 4},
		{"another schema", newer("samples/1"), `schema "samples/1" is not readable here`, 4},
		{"no schema", ingest.Record{Value: newer("").Value}, "message has no weir-schema header", 0},
		{"a time the store has no day for", withEvents(spans(t, 0, checkout(2, schemas.LatestEvent)...)), "after 2199", 4},
		{"a time before all others", withEvents(spans(t, 0, checkout(2, -86_400*second)...)), "before 1970", 4},
		{"an unknown control message", ingest.Record{Headers: []wire.Header{{Key: wire.HeaderControl, Value: "dance"}}}, "control message is not known", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			c.record.Topic = wire.TopicCalls
			s.produce(spans(t, 0, checkout(1, base)...), c.record, spans(t, 0, checkout(3, base)...))
			s.runUntilDurable(s.worker(config()))
			if got := s.store.counted.sum("service_10s", "calls"); got != 6*one {
				t.Errorf("%d calls, want 6", got/one)
			}
			letters := s.all(wire.TopicDeadLetter, 0)
			if len(letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(letters))
			}
			l := letters[0]
			reason, _ := wire.Find(l.Headers, wire.HeaderReason)
			source, _ := wire.Find(l.Headers, wire.HeaderSource)
			offset, _ := wire.FindInt(l.Headers, wire.HeaderOffset)
			if !strings.Contains(reason, c.reason) || !strings.HasPrefix(source, "weir.calls@") || offset != 1 {
				t.Errorf("dead letter says %q of %s offset %d", reason, source, offset)
			}
			if want := wire.Unreadable(c.record.Value); !bytes.Equal(l.Value, want) || !strings.Contains(string(want), fmt.Sprint(len(c.record.Value))) {
				t.Errorf("dead letter is %s, want %s", l.Value, want)
			}
			if strings.Contains(c.name, "control") {
				return // holds no telemetry
			}
			if len(s.store.gaps) != 1 {
				t.Fatalf("gaps %v, want 1", s.store.gaps)
			}
			for g := range s.store.gaps {
				if g.Kind != schemas.GapDeadLetter || g.Records != c.share || g.Share != 1.0/partitions || c.share > 0 && (g.From != base || g.To != base) {
					t.Errorf("gap %+v", g)
				}
			}
		})
	}
}

func TestSamplesReachTheStore(t *testing.T) {
	s := newStage(t)
	want := columns.Sample{Time: base, Origin: origin("front"), Metric: "queue.depth", Unit: "{item}", Value: 3}
	value, err := columns.EncodeSamples([]columns.Sample{want})
	if err != nil {
		t.Fatal(err)
	}
	s.produce(
		ingest.Record{Topic: wire.TopicSamples, Value: value, Headers: []wire.Header{{Key: wire.HeaderSchema, Value: wire.SchemaSamples}}},
		ingest.Record{Topic: wire.TopicSamples, Value: value, Headers: []wire.Header{{Key: wire.HeaderSchema, Value: wire.SchemaCalls}}},
	)
	s.runUntilDurable(s.worker(config()))
	if len(s.store.samples) != 1 || s.store.samples[0] != want {
		t.Errorf("samples %+v, want one %+v", s.store.samples, want)
	}
	if n := len(s.all(wire.TopicDeadLetter, 0)); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// times returns a function that fails the first n times.
func times(n int64, err error) func() error {
	var left atomic.Int64
	left.Store(n)
	return func() error {
		if left.Add(-1) >= 0 {
			return err
		}
		return nil
	}
}

func TestAStoreInTroubleLosesAndDoublesNothing(t *testing.T) {
	away := errors.New("away")
	for _, c := range []struct {
		name    string
		trouble func(*memory)
	}{
		{"it is away for a while", func(m *memory) { fail := times(3, away); m.before = func(schemas.Table) error { return fail() } }},
		{"it stops in the middle of a flush", func(m *memory) {
			fail := times(2, away)
			m.before = func(table schemas.Table) error {
				if table.Subject == schemas.EdgeWindows {
					return fail()
				}
				return nil
			}
		}},
		{"it vanished without a word", func(m *memory) { m.silent = times(2, away) }},
		{"its acknowledgements are lost", func(m *memory) { m.after = times(2, away) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, cfg := newStage(t), config()
			cfg.WriteTimeout = 200 * time.Millisecond
			c.trouble(s.store)
			for i := range 30 {
				s.produce(spans(t, i%partitions, checkout(i, base+int64(i)*second)...))
			}
			var troubled, well atomic.Bool
			s.runUntilDurable(s.worker(cfg, func(p *features.Parts) {
				p.Ready = func(err error) {
					if errors.Is(err, away) {
						troubled.Store(true)
					}
					well.Store(err == nil)
				}
			}))
			if d := s.store.counted.diff(s.oracle()); d != "" {
				t.Error(d)
			}
			if !troubled.Load() || !well.Load() {
				t.Errorf("readiness: trouble seen %t, well at the end %t", troubled.Load(), well.Load())
			}
		})
	}
}

// randomLog writes messages of random traces, scattered over several generations of the join, with duplicates, orphans, declared peers,
// unreadable messages and control messages.
func randomLog(s *stage, rng *rand.Rand, messages int) {
	byMessage := make([][]row, messages)
	put := func(at int, r row) {
		if at < messages {
			byMessage[at] = append(byMessage[at], r)
		}
	}
	for trace := range 2 * messages {
		home, end := rng.IntN(messages), base-60*second+rng.Int64N(120*second) // both sides of midnight
		for id := 1; id <= 1+rng.IntN(5); id++ {
			r := span(trace, id, rng.IntN(id+1), schemas.Kind(rng.IntN(6)), fmt.Sprintf("w%d", rng.IntN(4)), end)
			if r.Kind.Sends() && rng.IntN(2) == 0 {
				r.peer.Name = "db"
			}
			put(home+rng.IntN(2*generation), r)
			for rng.IntN(4) == 0 {
				put(home+rng.IntN(4*generation), r)
			}
		}
	}
	var records []ingest.Record
	for i, rows := range byMessage {
		r := spans(s.t, i%partitions, rows...)
		switch rng.IntN(12) {
		case 0:
			r.Value = []byte("garbage")
		case 1:
			r = control(i%partitions, base-60*second+rng.Int64N(120*second))
		}
		records = append(records, r)
	}
	s.produce(records...)
}

func randomConfig(rng *rand.Rand) features.Config {
	cfg := config()
	cfg.FlushInterval = time.Duration(1+rng.IntN(20)) * time.Millisecond
	cfg.MaxRows = 1 + rng.IntN(300)
	cfg.KeepSpans = true
	return cfg
}

func TestAWorkerThatCrashesAtAnyPointCountsExactly(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			s := newStage(t)
			randomLog(s, rng, 150)
			crash := ingest.Permanent{Err: errors.New("crash")}
			crashes := 0
			for range 25 {
				// The worker dies before some table of some flush, or after a flush and before its commit.
				left := rng.IntN(30)
				die := func() error {
					if left--; left < 0 {
						return crash
					}
					return nil
				}
				s.store.before, s.store.after = func(schemas.Table) error { return die() }, die
				ctx, cancel := context.WithCancel(t.Context())
				w := s.worker(randomConfig(rng), func(p *features.Parts) { p.Consumer = endsWithLog{p.Consumer, cancel} })
				err := w.Run(ctx)
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, crash.Err) {
					t.Fatal(err)
				}
				crashes++
			}
			s.store.before, s.store.after = func(schemas.Table) error { return nil }, func() error { return nil }
			s.runUntilDurable(s.worker(randomConfig(rng)))
			if d := s.store.counted.diff(s.oracle()); d != "" {
				t.Errorf("after %d crashes: %s", crashes, d)
			}
			if got, want := s.store.spansKept(), s.spansOfTheLog(); !slices.Equal(got, want) {
				t.Errorf("after %d crashes: %d spans are kept, want %d", crashes, len(got), len(want))
			}
			if crashes == 0 {
				t.Error("nothing crashed")
			}
		})
	}
}

// endsWithLog stops the worker that has read everything.
type endsWithLog struct {
	ingest.Consumer
	stop func()
}

func (c endsWithLog) Session(ctx context.Context) (ingest.Session, error) {
	s, err := c.Consumer.Session(ctx)
	if err != nil {
		return nil, err
	}
	e := &endingSession{Session: s, stop: c.stop}
	for _, a := range s.Assigned() {
		e.left += a.End - max(a.Position.Restart, a.First)
	}
	return e, nil
}

type endingSession struct {
	ingest.Session
	left int64
	stop func()
}

func (s *endingSession) Next(ctx context.Context) (ingest.Message, error) {
	if s.left == 0 {
		s.stop()
		return ingest.Message{}, context.Canceled
	}
	m, err := s.Session.Next(ctx)
	if err == nil {
		s.left--
	}
	return m, err
}

func TestAWorkerThatIsToldToStopFlushesAndCommitsWhatItHolds(t *testing.T) {
	s := newStage(t)
	randomLog(s, rand.New(rand.NewPCG(7, 7)), 60)
	cfg := config()
	cfg.FlushInterval = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.worker(cfg, func(p *features.Parts) { p.Consumer = endsWithLog{p.Consumer, cancel} }).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if s.store.writes != 1 {
		t.Errorf("%d flushes, want the last one only", s.store.writes)
	}
	if d := s.store.counted.diff(s.oracle()); d != "" {
		t.Error(d)
	}
	for p, b := range s.bounds(wire.TopicCalls) {
		if got := s.positions()[fmt.Sprintf("%s/%d", wire.TopicCalls, p)]; got.Durable != b.End {
			t.Errorf("partition %d: committed %+v, the log ends at %d", p, got, b.End)
		}
	}
}

func TestTwoWorkersOnTheSameSourcesCountExactly(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := newStage(t)
		randomLog(s, rng, 100)
		first, second := s.start(s.worker(randomConfig(rng))), s.start(s.worker(randomConfig(rng)))
		randomLog(s, rng, 100) // they fight over these, and over where the log ends
		s.awaitDurable()
		for _, stop := range []func() error{first, second} {
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
		if d := s.store.counted.diff(s.oracle()); d != "" {
			t.Errorf("seed %d: %s", seed, d)
		}
	}
}

func TestALogThatIsShorterThanItsMarksIsRefused(t *testing.T) {
	s := newStage(t)
	s.produce(spans(t, 1, checkout(1, base)...))
	id, err := s.client.ClusterID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source := schemas.Source{Incarnation: id, Topic: wire.TopicCalls, Partition: 1}
	s.store.marks[schemas.Mark{Table: schemas.Tables()[0], Day: schemas.DayOf(base), Source: source.String()}] = 41
	err = s.worker(config()).Run(t.Context())
	want := fmt.Sprintf("%s ends at offset 1, but service_10s counts it up to 41: the log was cut or made anew; restore it, count the new one (`weir topics migrate --made-anew`), or use a new data directory", source)
	if !ingest.IsPermanent(err) || err.Error() != want {
		t.Errorf("error %v, want a permanent one: %s", err, want)
	}
	if s.store.writes != 0 {
		t.Error("it wrote all the same")
	}
}

func TestALogThatIsShorterThanItsCommitIsRefused(t *testing.T) {
	s := newStage(t)
	session, err := s.consumer().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source := session.Assigned()[0].Source
	if err := session.Commit(t.Context(), source, ingest.Position{Restart: 3, Durable: 5}); err != nil {
		t.Fatal(err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.worker(config()).Run(t.Context())
	if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), "ends at offset 0, but the last commit counts it up to 4") {
		t.Errorf("error %v, want a permanent one about the commit", err)
	}
}

// growing is a consumer whose first session says that the logs are empty: others wrote, and counted, just after it asked.
type growing struct {
	ingest.Consumer
	sessions int
}

func (g *growing) Session(ctx context.Context) (ingest.Session, error) {
	s, err := g.Consumer.Session(ctx)
	if g.sessions++; err != nil || g.sessions > 1 {
		return s, err
	}
	return stale{s}, nil
}

type stale struct{ ingest.Session }

func (s stale) Assigned() (out []ingest.Assigned) {
	for _, a := range s.Session.Assigned() {
		a.End = 0
		out = append(out, a)
	}
	return out
}

func TestALogThatGrewMeanwhileIsNotRefused(t *testing.T) {
	s := newStage(t)
	s.produce(spans(t, 0, checkout(1, base)...))
	s.runUntilDurable(s.worker(config()))
	s.produce(spans(t, 0, checkout(2, base)...))
	s.runUntilDurable(s.worker(config(), func(p *features.Parts) { p.Consumer = &growing{Consumer: p.Consumer} }))
	if d := s.store.counted.diff(s.oracle()); d != "" {
		t.Error(d)
	}
}

func TestAControlMessageEndsWhatWaitsAndMovesTheWatermark(t *testing.T) {
	s := newStage(t)
	lonely := span(1, 3, 2, schemas.KindServer, "cart", base)
	for p := range partitions {
		s.produce(spans(t, p, lonely), control(p, base+3600*second))
	}
	stop := s.start(s.worker(config()))
	said := s.awaitDurable()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := s.store.counted.sum("edge_10s", "calls"); got != partitions*one {
		t.Errorf("%d calls from an unknown caller, want %d", got/one, partitions)
	}
	if got := s.store.counted.sum("service_10s", "orphans"); got != partitions {
		t.Errorf("%d orphans, want %d", got, partitions)
	}
	for p := range partitions {
		source := fmt.Sprintf("%s/%d", wire.TopicCalls, p)
		if got, want := said[source].Watermark, base+3600*second-int64(config().Lateness); got != want {
			t.Errorf("%s: watermark %d, want %d", source, (got-base)/second, (want-base)/second)
		}
	}
}
