package features

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/features/window"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// source is what the worker holds of one source: what it remembers, what it has added up, and how far it is.
type source struct {
	assigned ingest.Assigned
	joiner   *join.Joiner
	open     *window.Set
	clock    *window.Clock
	silence  window.Silence
	samples  []columns.Sample
	gaps     []schemas.Gap
	keeps    bool // whether spans are kept as they came
	kept     []columns.KeptSpans
	keptRows int
	next     int64     // first offset not read yet
	durable  int64     // first offset that is not durable yet
	end      int64     // log end, as last seen
	unsaved  bool      // durable moved since the last commit
	lastData time.Time // when the newest message with telemetry was written
}

func newSource(a ingest.Assigned, cfg Config, marks schemas.Marks) *source {
	return &source{
		assigned: a, joiner: join.New(cfg.Generation), clock: window.NewClock(cfg.MaxFuture),
		open: window.New(window.Config{Source: a.Source, Floor: a.Position.Durable, Marks: marks}),
		next: a.Position.Restart, durable: a.Position.Durable, end: a.End, keeps: cfg.KeepSpans,
	}
}

// take handles one message. An error means that the message cannot be read; it counts as taken all the same.
func (s *source) take(m ingest.Message, now time.Time, count *counters) error {
	s.next, s.end = m.Offset+1, m.End
	s.joiner.Advance(m.Offset, &output{source: s, offset: m.Offset, count: count})
	if control, ok := wire.Find(m.Headers, wire.HeaderControl); ok {
		s.heard(m)
		return s.control(m, control, now, count)
	}
	var err error
	if s.assigned.Source.Topic == wire.TopicSamples {
		err = s.takeSamples(m, now)
	} else {
		err = s.takeSpans(m, now, count)
	}
	if err != nil {
		s.heard(m)
		s.lose(m)
	}
	return err
}

// heard notes that telemetry came, or word of it.
func (s *source) heard(m ingest.Message) {
	if m.Time.After(s.lastData) {
		s.lastData = m.Time
	}
}

func (s *source) takeSpans(m ingest.Message, now time.Time, count *counters) error {
	s.heard(m)
	schema, _ := wire.Find(m.Headers, wire.HeaderSchema)
	if err := wire.CheckSchema(schema, wire.SchemaCalls); err != nil {
		return err
	}
	batch, err := columns.DecodeSpans(m.Value)
	if err != nil {
		return err
	}
	if len(batch.Spans) == 0 {
		return nil
	}
	if i := slices.IndexFunc(batch.Spans, func(s columns.Span) bool { return !schemas.Datable(s.End) }); i >= 0 {
		return undatable(i, batch.Spans[i].End)
	}
	out := &output{source: s, offset: m.Offset, count: count}
	s.joiner.Message(m.Offset, batch, out)
	if s.keeps {
		s.keep(m, batch, out.fates)
	}
	s.observe(batch, now)
	return nil
}

// undatable is why a message is not taken whose rows no collector wrote: a flush with such a row would never be in the store as it was sent,
// and the worker would send it for ever.
func undatable(row int, t int64) error {
	return fmt.Errorf("row %d is of %d Unix ns, which is before 1970 or after 2199", row, t)
}

// observe moves the source's event time: the clock by each instance's latest event, the silence by all events.
func (s *source) observe(batch columns.SpanBatch, now time.Time) {
	latest := make([]int64, len(batch.Origins))
	events := make([]int64, len(batch.Spans))
	for i, span := range batch.Spans {
		latest[span.Origin] = max(latest[span.Origin], span.End)
		events[i] = span.End
	}
	for i, event := range latest {
		o := batch.Origins[i]
		s.clock.Observe(o.Key()+"/"+o.Instance, event, now)
	}
	slices.Sort(events)
	from, to, ended := s.silence.Observe(events)
	if ended {
		s.gap(schemas.Gap{From: from, To: to, Kind: schemas.GapQuiet, Detail: "no traffic, or no telemetry"})
	}
}

func (s *source) takeSamples(m ingest.Message, now time.Time) error {
	schema, _ := wire.Find(m.Headers, wire.HeaderSchema)
	if err := wire.CheckSchema(schema, wire.SchemaSamples); err != nil {
		return err
	}
	samples, err := columns.DecodeSamples(m.Value)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(samples, func(s columns.Sample) bool { return !schemas.Datable(s.Time) }); i >= 0 {
		return undatable(i, samples[i].Time)
	}
	s.samples = append(s.samples, samples...)
	for _, sample := range samples {
		if sample.Reserved() {
			continue // collectors speak of now, whatever year the calls are of, and without an end
		}
		s.heard(m)
		s.clock.Observe(sample.Origin.Key()+"/"+sample.Origin.Instance, sample.Time, now)
	}
	return nil
}

// control obeys a control message: the stream it speaks for is over.
func (s *source) control(m ingest.Message, what string, now time.Time, count *counters) error {
	event, ok := wire.FindInt(m.Headers, wire.HeaderEventTime)
	if what != wire.ControlWatermark || !ok {
		return fmt.Errorf("control message is not known, or has no %s", wire.HeaderEventTime)
	}
	s.joiner.EndBefore(m.Offset, event, &output{source: s, offset: m.Offset, count: count})
	s.silence.End()
	s.clock.Advance(event, now)
	return nil
}

// lose notes a message that could not be read: its whole source is in doubt for the time it covered.
func (s *source) lose(m ingest.Message) {
	from, to, ok := wire.FindEvents(m.Headers)
	if !ok || !schemas.Datable(from) || !schemas.Datable(to) {
		from, to = m.Time.UnixNano(), m.Time.UnixNano()
	}
	rows, _ := wire.FindInt(m.Headers, wire.HeaderRows)
	s.gap(schemas.Gap{
		From: from, To: to, Kind: schemas.GapDeadLetter, Records: uint64(max(rows, 0)),
		Detail: fmt.Sprintf("offset %d is in the dead letter", m.Offset),
	})
}

func (s *source) gap(g schemas.Gap) {
	g.Scope, g.Hop, g.Source, g.Share = "*", "ingest", s.assigned.Source.String(), 1/float64(s.assigned.Partitions)
	s.gaps = append(s.gaps, g)
}

// pending reports whether something was read that is not durable.
func (s *source) pending() bool { return s.next > s.durable }

// flushed says that everything read so far is durable.
func (s *source) flushed() {
	if s.next > s.durable {
		s.durable, s.unsaved = s.next, true
	}
	s.samples, s.gaps, s.kept, s.keptRows = nil, nil, nil, 0
}

// position is what a later session must know to go on from here.
func (s *source) position(generation int64) ingest.Position {
	p := ingest.Position{Restart: s.durable, Durable: s.durable}
	if s.assigned.Source.Topic == wire.TopicCalls {
		p.Restart = join.Restart(s.durable, generation)
	}
	return p
}

// output adds what the joiner finds to the source's windows, under the offset of the message that led to it.
type output struct {
	source *source
	offset int64
	count  *counters
	fates  []join.Fate // of the message's spans, where they are kept
}

var _ join.Output = (*output)(nil)

func (o *output) replayed() bool { return o.offset < o.source.assigned.Position.Durable }

func (o *output) Call(c schemas.Call) {
	o.source.open.Call(o.offset, &c)
	if !o.replayed() {
		o.count.calls.Inc()
	}
}

func (o *output) Retried(c schemas.Call) { o.source.open.Retried(o.offset, &c) }

func (o *output) Seen(from schemas.Origin, end int64, fate join.Fate) {
	if o.source.keeps {
		o.fates = append(o.fates, fate)
	}
	measures := []schemas.MeasureID{schemas.Spans}
	switch fate {
	case join.Duplicate:
		measures = append(measures, schemas.Duplicates)
	case join.Lost:
		measures = append(measures, schemas.Missing)
	}
	o.source.open.Count(o.offset, from, end, measures...)
	if o.replayed() {
		return
	}
	o.count.spans.Inc()
	if fate == join.Duplicate {
		o.count.duplicates.Inc()
	}
}

func (o *output) Orphan(from schemas.Origin, end int64, counted bool) {
	measures := []schemas.MeasureID{schemas.Orphans}
	if !counted {
		measures = append(measures, schemas.Missing)
	}
	o.source.open.Count(o.offset, from, end, measures...)
	if !o.replayed() {
		o.count.orphans.Inc()
	}
}
