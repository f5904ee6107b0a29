package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/otlp"
	"github.com/weirmesh/weir/sim/scenario"
)

// simulation is one run of a simulated mesh, on its way to a front door or a file.
type simulation struct {
	scenario scenario.Scenario
	mesh     *mesh.Mesh
	end      time.Time // when the last request may arrive
	speed    float64   // simulated seconds a second; 0 = as fast as it is taken
	// said is told after each request that was taken how far the run has come. It may be nil.
	said func(spans int64, until time.Time)
}

func newSimulation(s scenario.Scenario, speed float64) (*simulation, error) {
	cfg, err := s.Config()
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	m, err := mesh.New(cfg, s.Seed)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	return &simulation{scenario: s, mesh: m, end: cfg.End(), speed: speed, said: func(int64, time.Time) {}}, nil
}

// folder writes the manifests of the mesh to <dir>/manifests, as they are at the end of the run.
func (s *simulation) folder(dir string) (string, error) {
	files, err := scenario.Manifests(s.scenario.Mesh)
	if err != nil {
		return "", err
	}
	manifests := filepath.Join(dir, "manifests")
	if err := os.MkdirAll(manifests, 0o755); err != nil {
		return "", fmt.Errorf("write manifests: %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(manifests, name), text, 0o644); err != nil {
			return "", fmt.Errorf("write manifests: %w", err)
		}
	}
	return manifests, nil
}

// truth writes what was so to <dir>/truth.json.
func (s *simulation) truth(dir string) error {
	text, err := json.MarshalIndent(s.mesh.Truth(), "", " ")
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "truth.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

// simAhead bounds the requests that are made before the one that is being sent.
const simAhead = 8

// stamped is a request and the simulated time up to which it speaks.
type stamped struct {
	recording.Request
	until time.Time
}

// stream runs the mesh and sends what it reports, in order, one request at a time.
func (s *simulation) stream(ctx context.Context, send func(context.Context, recording.Request) error) error {
	group, ctx := errgroup.WithContext(ctx)
	requests := make(chan stamped, simAhead)
	group.Go(func() error {
		defer close(requests)
		g := &gatherer{out: requests, wait: gatherFor}
		if s.speed > 0 {
			g.wait = min(gatherFor, time.Duration(s.speed*float64(time.Second)))
		}
		if err := s.mesh.Run(ctx, func(b mesh.Batch) error { return g.cut(ctx, b) }); err != nil {
			return err
		}
		return g.flush(ctx)
	})
	group.Go(func() error {
		var spans int64
		began, first := time.Now(), s.scenario.Mesh.Start
		for r := range requests {
			if s.speed > 0 {
				due := began.Add(time.Duration(float64(r.until.Sub(first)) / s.speed))
				if err := pause.For(ctx, time.Until(due)); err != nil {
					return err
				}
			}
			if err := send(ctx, r.Request); err != nil {
				return err
			}
			if r.Signal == recording.Traces {
				spans += int64(r.Spans)
			}
			s.said(spans, r.until)
		}
		return ctx.Err()
	})
	return group.Wait()
}

// gatherer makes requests of the batches of a mesh: small ones wait for each other.
type gatherer struct {
	out     chan<- stamped
	wait    time.Duration // simulated time that they wait at most
	encoder otlp.Encoder
	spans   []mesh.Span
	gauges  []mesh.Gauge
	since   time.Time
	until   time.Time
	index   int
}

// gatherFor is how long small batches wait for each other where nobody waits for them.
const gatherFor = 5 * time.Minute

// cut takes a batch in pieces that are no longer than small ones wait: the mesh speaks a minute at a time, which is too coarse for a run
// that goes as slowly as life.
func (g *gatherer) cut(ctx context.Context, b mesh.Batch) error {
	for len(b.Spans) > 0 && g.wait < time.Minute {
		until := time.Unix(0, b.Spans[0].End).Add(g.wait).UTC()
		n := sort.Search(len(b.Spans), func(i int) bool { return b.Spans[i].End > until.UnixNano() })
		if n == len(b.Spans) || until.After(b.Until) {
			break
		}
		if err := g.take(ctx, mesh.Batch{Spans: b.Spans[:n], Until: until}); err != nil {
			return err
		}
		if err := g.flush(ctx); err != nil {
			return err
		}
		b.Spans = b.Spans[n:]
	}
	return g.take(ctx, b)
}

func (g *gatherer) take(ctx context.Context, b mesh.Batch) error {
	if len(g.spans)+len(b.Spans) > recording.MaxItems || len(g.gauges)+len(b.Gauges) > recording.MaxItems {
		if err := g.flush(ctx); err != nil {
			return err
		}
	}
	if len(g.spans) == 0 && len(g.gauges) == 0 {
		g.since = b.Until
	}
	g.spans, g.gauges, g.until = append(g.spans, b.Spans...), append(g.gauges, b.Gauges...), b.Until
	if g.until.Sub(g.since) >= g.wait {
		return g.flush(ctx)
	}
	return nil
}

func (g *gatherer) flush(ctx context.Context) error {
	if len(g.gauges) > 0 {
		r := recording.Request{Signal: recording.Metrics, Spans: len(g.gauges), Metrics: otlp.Metrics(g.gauges)}
		if err := g.send(ctx, r); err != nil {
			return err
		}
	}
	if len(g.spans) > 0 {
		r := recording.Request{Signal: recording.Traces, Spans: len(g.spans), Traces: g.encoder.Traces(g.spans)}
		if err := g.send(ctx, r); err != nil {
			return err
		}
	}
	g.spans, g.gauges = g.spans[:0], g.gauges[:0]
	return nil
}

func (g *gatherer) send(ctx context.Context, r recording.Request) error {
	r.File, r.Index = "simulation", g.index
	g.index++
	select {
	case g.out <- stamped{r, g.until}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closing is the event time that ends a run: its end, and what the watermark stays behind. Calls that end later belong to a minute that is
// not over yet, and would look like a minute without load.
func (s *simulation) closing(lateness time.Duration) time.Time {
	return s.end.Add(lateness + time.Second)
}

// endStream says on every partition that nothing before `at` follows, so that the last windows close.
func endStream(ctx context.Context, k *kafka.Client, at time.Time, producer string) error {
	var records []ingest.Record
	for _, topic := range topicsRead() {
		n, err := k.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		for p := range n {
			records = append(records, streamEnd(topic, p, at, producer))
		}
	}
	if err := k.Produce(ctx, records...); err != nil {
		return fmt.Errorf("end the stream: %w", err)
	}
	return nil
}

// recordTo appends requests to a file as the Collector's file exporter does: one OTLP JSON object a line.
func recordTo(out io.Writer) func(context.Context, recording.Request) error {
	var traces ptrace.JSONMarshaler
	var metrics pmetric.JSONMarshaler
	return func(_ context.Context, r recording.Request) error {
		var line []byte
		var err error
		if r.Signal == recording.Metrics {
			line, err = metrics.MarshalMetrics(r.Metrics)
		} else {
			line, err = traces.MarshalTraces(r.Traces)
		}
		if err != nil {
			return fmt.Errorf("record request %d: %w", r.Index, err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("record request %d: %w", r.Index, err)
		}
		return nil
	}
}

// openRates opens a recorded series by its name on disk.
func openRates(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", name)
	}
	return f, err
}
