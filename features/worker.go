// Package features turns observations into windows: it joins spans to calls, adds them up by event time, and hands partial windows to
// the store.
//
// A Worker owns some sources for as long as its session lasts. It reads, adds up, and about once a second makes everything it holds
// durable (a flush), commits how far it is, and says so on weir.progress. It keeps nothing on disk: after a crash it reads the marks and
// the log again and comes to the same counts.
package features

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

// Config says how a worker works.
type Config struct {
	Name          string        // of this worker, for progress records
	FlushInterval time.Duration // longest time that something read stays unflushed
	WriteTimeout  time.Duration // of one attempt to write a flush, which takes well under a second
	MaxRows       int           // rows held before an early flush
	Generation    int64         // messages in a generation of the join
	Lateness      time.Duration // subtracted from event time to get the watermark
	MaxFuture     time.Duration // how far ahead of now a control message may close windows; events may not. 0 = any time
	Idle          time.Duration // after that long without data a source holds nobody back
	KeepSpans     bool          // store every span as it came, too
	CheckInterval time.Duration // how often missing telemetry is looked for; 0 = never
	Shards        int           // partitions of weir.progress; 0 = as many as the sources' topics have
}

// DefaultConfig returns the defaults that operators see.
func DefaultConfig() Config {
	return Config{
		Name: "features", FlushInterval: time.Second, WriteTimeout: time.Minute, MaxRows: 200_000, Generation: 1024,
		Lateness: 2 * time.Second, Idle: 10 * time.Second, CheckInterval: 5 * time.Second,
	}
}

// Parts are what a worker works with.
type Parts struct {
	Consumer ingest.Consumer
	Producer ingest.Producer // of dead letters and progress
	Store    store.Writer
	Accounts store.Accountant // what all stages told, to look for missing telemetry; nil = nobody looks
	Metrics  *Metrics
	Logger   *slog.Logger
	Now      func() time.Time
	// Ready is told nil when the worker has sources and a store that takes its flushes, else why not. It may be nil.
	Ready func(error)
}

// Worker runs the stage.
type Worker struct {
	cfg   Config
	parts Parts
	count *counters
	check *checker
}

// New returns a worker.
func New(cfg Config, parts Parts) *Worker {
	if parts.Ready == nil {
		parts.Ready = func(error) {}
	}
	return &Worker{cfg: cfg, parts: parts, count: &parts.Metrics.counters, check: &checker{reader: parts.Accounts}}
}

// drainTime bounds the last flush after the worker was told to stop.
const drainTime = 10 * time.Second

// Run works until ctx ends. It then flushes and commits what it holds.
func (w *Worker) Run(ctx context.Context) error {
	var before shortLog
	once := func(ctx context.Context) error {
		err := w.session(ctx)
		var short shortLog
		if errors.As(err, &short) && !short.grewSince(before) {
			return ingest.Permanent{Err: err}
		}
		before = short
		return err
	}
	return ingest.Keep(ctx, w.parts.Now, once, func(err error) {
		if errors.Is(err, ingest.ErrRevoked) || errors.Is(err, store.ErrConflict) {
			w.parts.Logger.Info("Sources changed hands, starting again from the marks", "reason", err)
		} else {
			w.parts.Logger.Warn("Features worker starts again", "error", err)
		}
		w.parts.Ready(err)
	})
}

// session works on one assignment of sources.
func (w *Worker) session(ctx context.Context) error {
	s, err := w.parts.Consumer.Session(ctx)
	if err != nil {
		return fmt.Errorf("get sources: %w", err)
	}
	defer func() { _ = s.Close() }() // closing a session never fails in a way that matters here
	run, err := w.begin(ctx, s)
	if err != nil {
		return err
	}
	w.parts.Ready(nil)
	return run.loop(ctx)
}

// begin reads the marks and sets every source up.
func (w *Worker) begin(ctx context.Context, s ingest.Session) (*run, error) {
	var sources []schemas.Source
	for _, a := range s.Assigned() {
		sources = append(sources, a.Source)
	}
	marks, err := w.parts.Store.Marks(ctx, sources)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	r := &run{Worker: w, session: s, sources: map[schemas.Source]*source{}}
	for _, a := range s.Assigned() {
		if err := checkLog(a, marks); err != nil {
			return nil, err
		}
		if a.Position.Durable < a.First {
			w.parts.Logger.Error("The log lost messages before they were counted: raise kafka.retention",
				"source", a.Source, "from", a.Position.Durable, "to", a.First)
			a.Position.Durable = a.First
		}
		a.Position.Restart = max(a.Position.Restart, a.First)
		r.sources[a.Source] = newSource(a, w.cfg, marks)
		w.parts.Logger.Debug("Source assigned", "source", a.Source, "restart", a.Position.Restart, "durable", a.Position.Durable, "end", a.End)
	}
	return r, nil
}

// checkLog refuses a log that is shorter than what was counted from it: new messages would hide behind old marks, or be skipped.
func checkLog(a ingest.Assigned, marks schemas.Marks) error {
	counted, by := a.Position.Durable-1, "the last commit"
	for mark, offset := range marks {
		if mark.Source == a.Source.String() && offset > counted {
			counted, by = offset, mark.Table.String()
		}
	}
	if counted >= a.End {
		return shortLog{source: a.Source, end: a.End, counted: counted, by: by}
	}
	return nil
}

// shortLog is the refusal of a log that ends before what was counted from it.
type shortLog struct {
	source       schemas.Source
	end, counted int64
	by           string
}

func (e shortLog) Error() string {
	return fmt.Sprintf("%s ends at offset %d, but %s counts it up to %d: the log was cut or made anew; restore it, count the new one (`weir topics migrate --made-anew`), or use a new data directory",
		e.source, e.end, e.by, e.counted)
}

// grewSince reports whether the log may be whole all the same: another worker may count messages that came after the session had asked for
// the log's end. Then the log is longer when it is asked again.
func (e shortLog) grewSince(before shortLog) bool {
	return e.source != before.source || e.end > before.counted
}
