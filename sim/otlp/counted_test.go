package otlp_test

import (
	"math"
	"testing"
	"time"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/features/window"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/otlp"
)

// pipeline is what lies between a request and the tables, with the real parts and without Kafka and ClickHouse.
type pipeline struct {
	t         *testing.T
	converter *rows.Converter
	parts     [2]partition
	samples   []columns.Sample
	orphans   int
}

// partition is one partition of weir.calls and what reads it.
type partition struct {
	next   int64
	joiner *join.Joiner
	set    *window.Set
}

func newPipeline(t *testing.T) *pipeline {
	p := &pipeline{t: t, converter: rows.New(rows.Config{})}
	for i := range p.parts {
		source := schemas.Source{Incarnation: "i", Topic: wire.TopicCalls, Partition: i}
		p.parts[i] = partition{joiner: join.New(join.DefaultGeneration), set: window.New(window.Config{Source: source})}
	}
	return p
}

// take sends a batch as the collector would.
func (p *pipeline) take(e *otlp.Encoder, b mesh.Batch) error {
	at := rows.Layout{Calls: len(p.parts), Samples: 1, DeadLetters: 1}
	spans, err := p.converter.Spans(e.Traces(b.Spans), at, b.Until)
	if err != nil {
		return err
	}
	gauges, err := p.converter.Samples(otlp.Metrics(b.Gauges), at, b.Until)
	if err != nil {
		return err
	}
	if len(spans.Losses)+len(gauges.Losses) > 0 {
		p.t.Fatalf("the collector refuses %v %v", spans.Losses, gauges.Losses)
	}
	for _, r := range spans.Records {
		if err := p.calls(r); err != nil {
			return err
		}
	}
	for _, r := range gauges.Records {
		samples, err := columns.DecodeSamples(r.Value)
		if err != nil {
			return err
		}
		p.samples = append(p.samples, samples...)
	}
	return nil
}

func (p *pipeline) calls(r ingest.Record) error {
	batch, err := columns.DecodeSpans(r.Value)
	if err != nil {
		return err
	}
	part := &p.parts[r.Partition]
	part.joiner.Message(part.next, batch, output{p, part})
	part.next++
	return nil
}

// output adds up what the join finds.
type output struct {
	p    *pipeline
	part *partition
}

func (o output) Call(c schemas.Call)                      { o.part.set.Call(o.part.next, &c) }
func (o output) Retried(c schemas.Call)                   { o.part.set.Retried(o.part.next, &c) }
func (o output) Seen(schemas.Origin, int64, join.Fate)    {}
func (o output) Orphan(_ schemas.Origin, _ int64, _ bool) { o.p.orphans++ }

// minutes are the windows of a minute of a subject.
func (p *pipeline) minutes(subject schemas.Subject) []schemas.Partial {
	var all []schemas.Partial
	for i := range p.parts {
		part := &p.parts[i]
		part.joiner.EndBefore(part.next, math.MaxInt64, output{p, part})
		flushed := map[schemas.Table][]schemas.Partial{}
		part.set.Flush(part.next, flushed)
		all = append(all, flushed[schemas.Table{Subject: subject, Resolution: schemas.Resolution(time.Minute)}]...)
	}
	return all
}

// key is a version in a minute.
type key struct {
	start            int64
	service, version string
}

// TestWeirCountsTheTruth sends a troubled hour through the collector's conversion, the join and the windows, and compares every minute
// with the truth.
func TestWeirCountsTheTruth(t *testing.T) {
	p := newPipeline(t)
	var e otlp.Encoder
	truth := run(t, shop(t, time.Hour), func(b mesh.Batch) error { return p.take(&e, b) })
	counted := map[key]mesh.Counts{}
	for _, w := range p.minutes(schemas.ServiceWindows) {
		d, m := w.Dimensions, w.Measures
		if d[1] != "demo" || d[3] != "shop" {
			t.Fatalf("a window of %q", d)
		}
		whole := func(id schemas.MeasureID) uint64 { return m[id] / uint64(schemas.One) }
		k := key{w.Start, d[4], d[5]}
		c := counted[k]
		counted[k] = mesh.Counts{
			Offered: c.Offered + whole(schemas.Calls) + whole(schemas.RejectedMesh), Served: c.Served + whole(schemas.Calls),
			Failed: c.Failed + whole(schemas.Errors), Rejected: c.Rejected + whole(schemas.RejectedMesh),
			Retries: c.Retries + whole(schemas.Retries),
		}
	}
	for _, m := range truth.Minutes {
		k := key{m.Start.UnixNano(), m.Service, m.Version}
		if counted[k] != m.Counts {
			t.Errorf("%s@%s at %s: counted %+v, the truth is %+v", m.Service, m.Version, m.Start, counted[k], m.Counts)
		}
		delete(counted, k)
	}
	if len(counted) > 0 || p.orphans > 0 {
		t.Errorf("counted besides: %v; %d orphans", counted, p.orphans)
	}
	for _, total := range truth.Totals {
		if total.Served == 0 {
			t.Errorf("nothing reached %s", total.Service)
		}
	}
}

// TestWeirSeesTheInstances: each caller is known, refused calls count for who refused them, and gauges bear the names that calls bear.
func TestWeirSeesTheInstances(t *testing.T) {
	p := newPipeline(t)
	var e otlp.Encoder
	truth := run(t, shop(t, 30*time.Minute), func(b mesh.Batch) error { return p.take(&e, b) })
	instances := map[schemas.Origin]bool{}
	for _, s := range p.samples {
		if s.Metric != otlp.CPUMetric || s.Unit != "1" || s.Origin.Cluster != "demo" || s.Origin.Namespace != "shop" {
			t.Fatalf("got sample %+v", s)
		}
		instances[s.Origin] = true
	}
	for o := range instances {
		if o.Instance == "" || o.Version == "" {
			t.Errorf("a gauge comes from %+v", o)
		}
	}
	wanted := map[[2]string]bool{
		{"", "front"}: true, {"front", "catalog"}: true, {"front", "cart"}: true, {"front", "checkout"}: true,
		{"cart", "cart-store"}: true, {"checkout", "payment"}: true, {"checkout", "inventory"}: true,
	}
	var calls uint64
	for _, w := range p.minutes(schemas.EdgeWindows) {
		edge := [2]string{w.Dimensions[4], w.Dimensions[9]}
		if !wanted[edge] {
			t.Errorf("there is a call from %q to %q", edge[0], edge[1])
		}
		calls += w.Measures[schemas.Observed]
	}
	for _, total := range truth.Totals {
		calls -= total.Offered
	}
	if calls != 0 {
		t.Errorf("edges have %d calls more than there were", int64(calls))
	}
}
