package features_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/features"
	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/features/window"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	partitions = 2
	generation = 8
	patience   = 30 * time.Second
	second     = int64(time.Second)
	base       = int64(1_661_126_400) * second // a midnight
)

// stage is a broker, a store, and what it takes to run workers on them.
type stage struct {
	t      *testing.T
	broker string
	client *kafka.Client
	store  *memory
}

func newStage(t *testing.T) *stage {
	t.Helper()
	b, err := broker.Start(broker.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c, err := kafka.New(kafka.Config{Addresses: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var topics []kafka.Topic
	for _, name := range []string{wire.TopicCalls, wire.TopicSamples, wire.TopicProgress, wire.TopicDeadLetter} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: partitions, Replication: 1})
	}
	if err := c.EnsureTopics(t.Context(), true, topics...); err != nil {
		t.Fatal(err)
	}
	return &stage{t: t, broker: b.Addr(), client: c, store: newMemory()}
}

func config() features.Config {
	cfg := features.DefaultConfig()
	cfg.FlushInterval, cfg.WriteTimeout, cfg.Generation = 10*time.Millisecond, 5*time.Second, generation
	return cfg
}

func (s *stage) consumer() ingest.Consumer {
	return s.client.Direct("weir-features", wire.TopicCalls, wire.TopicSamples)
}

func (s *stage) worker(cfg features.Config, change ...func(*features.Parts)) *features.Worker {
	parts := features.Parts{
		Consumer: s.consumer(), Producer: s.client, Store: s.store, Metrics: features.NewMetrics(prometheus.NewRegistry()),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now,
	}
	for _, c := range change {
		c(&parts)
	}
	return features.New(cfg, parts)
}

// start runs a worker until stop is called; stop returns Run's error.
func (s *stage) start(w *features.Worker) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("the worker does not stop")
		}
	})
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

// runUntilDurable runs a worker until it says that the whole log is durable.
func (s *stage) runUntilDurable(w *features.Worker) {
	s.t.Helper()
	stop := s.start(w)
	s.awaitDurable()
	if err := stop(); err != nil {
		s.t.Fatal(err)
	}
}

// awaitDurable follows weir.progress until every message of weir.calls and weir.samples is durable, and returns the last word on each source.
func (s *stage) awaitDurable() map[string]wire.SourceProgress {
	s.t.Helper()
	want := map[string]int64{}
	for _, topic := range []string{wire.TopicCalls, wire.TopicSamples} {
		for p, b := range s.bounds(topic) {
			want[fmt.Sprintf("%s/%d", topic, p)] = b.End
		}
	}
	said := map[string]wire.SourceProgress{}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	err := s.client.Read(ctx, wire.TopicProgress, 0, 0, true, func(m ingest.Message) bool {
		p, err := wire.DecodeProgress(m.Value)
		if err != nil {
			s.t.Error(err)
			return false
		}
		for _, one := range p.Sources {
			topic, rest, _ := strings.Cut(one.Source, "@")
			_, partition, _ := strings.Cut(rest, "/")
			said[topic+"/"+partition] = one
		}
		for source, end := range want {
			if said[source].Durable < end {
				return true
			}
		}
		return false
	})
	if err != nil {
		s.t.Fatalf("the log did not become durable: %v; last words: %+v", err, said)
	}
	return said
}

func (s *stage) bounds(topic string) []kafka.Bounds {
	s.t.Helper()
	b, err := s.client.Bounds(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// all reads what a partition holds.
func (s *stage) all(topic string, partition int) (out []ingest.Message) {
	s.t.Helper()
	err := s.client.Read(s.t.Context(), topic, partition, 0, false, func(m ingest.Message) bool {
		out = append(out, m)
		return true
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// positions returns what is committed, by topic/partition.
func (s *stage) positions() map[string]ingest.Position {
	s.t.Helper()
	session, err := s.consumer().Session(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	out := map[string]ingest.Position{}
	for _, a := range session.Assigned() {
		out[fmt.Sprintf("%s/%d", a.Source.Topic, a.Source.Partition)] = a.Position
	}
	return out
}

func (s *stage) produce(records ...ingest.Record) {
	s.t.Helper()
	if err := s.client.Produce(s.t.Context(), records...); err != nil {
		s.t.Fatal(err)
	}
}

// row is a span and where it comes from.
type row struct {
	columns.Span
	from schemas.Origin
	peer columns.Peer
}

func origin(name string) schemas.Origin {
	return schemas.Origin{Workload: schemas.Workload{Cluster: "c", Namespace: "n", Name: name}, Instance: name + "-0"}
}

func span(trace, id, parent int, kind schemas.Kind, at string, end int64) row {
	s := columns.Span{Kind: kind, HasParent: parent != 0, Measure: schemas.Measure{
		End: end, Duration: uint64(5 * time.Millisecond), Weight: schemas.One, Status: schemas.Status{GRPC: schemas.NoGRPC},
	}}
	binary.BigEndian.PutUint64(s.Trace[8:], uint64(trace))
	binary.BigEndian.PutUint64(s.ID[:], uint64(id))
	binary.BigEndian.PutUint64(s.Parent[:], uint64(parent))
	return row{Span: s, from: origin(at)}
}

func spans(t testing.TB, partition int, rows ...row) ingest.Record {
	t.Helper()
	b := columns.NewSpanBuilder()
	for _, r := range rows {
		b.Append(r.Span, r.from, r.peer)
	}
	first, last := b.Events()
	value, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Record{Topic: wire.TopicCalls, Partition: partition, Value: value, Headers: []wire.Header{
		{Key: wire.HeaderSchema, Value: wire.SchemaCalls},
		{Key: wire.HeaderEvents, Value: wire.Events(first, last)},
		{Key: wire.HeaderRows, Value: strconv.Itoa(len(rows))},
	}}
}

// control is the message that ends a recording in a partition.
func control(partition int, event int64) ingest.Record {
	return ingest.Record{Topic: wire.TopicCalls, Partition: partition, Headers: []wire.Header{
		{Key: wire.HeaderControl, Value: wire.ControlWatermark}, {Key: wire.HeaderEventTime, Value: strconv.FormatInt(event, 10)},
	}}
}

// tally is what a store holds, added up over flushes: by table, window and dimensions, then by measure, bucket and caller.
type tally map[string]map[string]uint64

func (t tally) add(table schemas.Table, p schemas.Partial) {
	key := fmt.Sprintf("%s %d %s", table, (p.Start-base)/second, strings.Join(p.Dimensions, "|"))
	if t[key] == nil {
		t[key] = map[string]uint64{}
	}
	for _, m := range table.Subject.Measures() {
		if m != schemas.Revision && p.Measures[m] > 0 { // revisions depend on when the flush was
			t[key][m.String()] += p.Measures[m]
		}
	}
	for _, b := range p.Histogram {
		t[key][fmt.Sprintf("bucket %d", b.Bucket)] += b.Count
	}
	for _, name := range p.Callers {
		t[key]["caller "+name] = 1
	}
	t[key]["evidence"] |= uint64(p.Evidence)
}

// sum adds a measure up over a table.
func (t tally) sum(table, measure string) (n uint64) {
	for key, values := range t {
		if strings.HasPrefix(key, table+" ") {
			n += values[measure]
		}
	}
	return n
}

func (t tally) diff(want tally) string {
	keys := slices.Sorted(maps.Keys(want))
	for key := range t {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if !maps.Equal(t[key], want[key]) {
			return fmt.Sprintf("%s:\n got %v\nwant %v", key, t[key], want[key])
		}
	}
	return ""
}

// oracle counts the log in one go, without worker, broker position, mark or flush.
func (s *stage) oracle() tally {
	s.t.Helper()
	out := tally{}
	for p := range partitions {
		o := &output{Set: window.New(window.Config{})}
		j := join.New(generation)
		for _, m := range s.all(wire.TopicCalls, p) {
			o.offset = m.Offset
			j.Advance(m.Offset, o)
			if event, ok := wire.FindInt(m.Headers, wire.HeaderEventTime); ok {
				j.EndBefore(m.Offset, event, o)
				continue
			}
			schema, _ := wire.Find(m.Headers, wire.HeaderSchema)
			batch, err := columns.DecodeSpans(m.Value)
			if err == nil && schema == wire.SchemaCalls {
				j.Message(m.Offset, batch, o)
			}
		}
		rows := map[schemas.Table][]schemas.Partial{}
		o.Flush(o.offset, rows)
		for table, partials := range rows {
			for _, p := range partials {
				out.add(table, p)
			}
		}
	}
	return out
}

type output struct {
	*window.Set
	offset int64
}

func (o *output) Call(c schemas.Call) { o.Set.Call(o.offset, &c) }

func (o *output) Retried(c schemas.Call) { o.Set.Retried(o.offset, &c) }

func (o *output) Seen(from schemas.Origin, end int64, fate join.Fate) {
	o.Count(o.offset, from, end, schemas.Spans)
	switch fate {
	case join.Duplicate:
		o.Count(o.offset, from, end, schemas.Duplicates)
	case join.Lost:
		o.Count(o.offset, from, end, schemas.Missing)
	}
}

func (o *output) Orphan(from schemas.Origin, end int64, counted bool) {
	o.Count(o.offset, from, end, schemas.Orphans)
	if !counted {
		o.Count(o.offset, from, end, schemas.Missing)
	}
}

// memory is a store that keeps marks as ClickHouse does: what is above a table's mark of a day and source is taken, the rest is not, and
// the marks are read back.
type memory struct {
	// before and after are asked before each table, and after everything is applied; what they return is Write's error.
	before func(schemas.Table) error
	after  func() error
	silent func() error // not nil = this attempt gets no answer, and ends with that error when its time is over

	mu      sync.Mutex // guards the rest
	marks   schemas.Marks
	counted tally
	samples []columns.Sample
	kept    map[string][]columns.KeptSpans // by source, in the order of their messages
	gaps    map[schemas.Gap]struct{}
	writes  int
}

var _ store.Writer = (*memory)(nil)

func newMemory() *memory {
	return &memory{
		before: func(schemas.Table) error { return nil }, after: func() error { return nil }, silent: func() error { return nil },
		marks: schemas.Marks{}, counted: tally{}, kept: map[string][]columns.KeptSpans{}, gaps: map[schemas.Gap]struct{}{},
	}
}

func (m *memory) Marks(_ context.Context, sources []schemas.Source) (schemas.Marks, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := maps.Clone(m.marks)
	maps.DeleteFunc(out, func(mark schemas.Mark, _ int64) bool {
		return !slices.ContainsFunc(sources, func(s schemas.Source) bool { return s.String() == mark.Source })
	})
	return out, nil
}

func (m *memory) Write(ctx context.Context, f store.Flush) error {
	if err := m.silent(); err != nil {
		<-ctx.Done()
		return err
	}
	want := schemas.Marks{}
	for _, table := range schemas.Tables() {
		if len(f.Partials[table]) == 0 {
			continue
		}
		if err := m.before(table); err != nil {
			return err
		}
		m.insert(table, f.Partials[table])
		for _, p := range f.Partials[table] {
			want[markOf(table, p)] = p.LastOffset
		}
	}
	if err := m.verify(want); err != nil {
		return err
	}
	if err := m.before(schemas.Table{}); err != nil {
		return err
	}
	m.mu.Lock()
	m.keep(f.Spans)
	m.writes++
	m.samples = append(m.samples, f.Samples...)
	for _, g := range f.Gaps {
		m.gaps[g] = struct{}{}
	}
	m.mu.Unlock()
	return m.after()
}

func markOf(table schemas.Table, p schemas.Partial) schemas.Mark {
	return schemas.Mark{Table: table, Day: schemas.DayOf(p.Start), Source: p.Source}
}

// insert is atomic for a table, as one insert of one batch is.
func (m *memory) insert(table schemas.Table, rows []schemas.Partial) {
	m.mu.Lock()
	defer m.mu.Unlock()
	marks := maps.Clone(m.marks)
	for _, p := range rows {
		if mark, ok := marks[markOf(table, p)]; ok && p.FirstOffset <= mark {
			continue
		}
		m.counted.add(table, p)
		m.marks[markOf(table, p)] = p.LastOffset
	}
}

// keep lets each message of a source through once, as the guard does.
func (m *memory) keep(messages []columns.KeptSpans) {
	marks := map[string]int64{}
	for source, all := range m.kept {
		marks[source] = all[len(all)-1].Offset
	}
	for _, one := range messages {
		if mark, ok := marks[one.Source]; !ok || one.Offset > mark {
			m.kept[one.Source] = append(m.kept[one.Source], one)
		}
	}
}

func (m *memory) verify(want schemas.Marks) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for mark, offset := range want {
		if m.marks[mark] != offset {
			return fmt.Errorf("%v is %d, wrote %d: %w", mark, m.marks[mark], offset, store.ErrConflict)
		}
	}
	return nil
}
