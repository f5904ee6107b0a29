// Package decide runs a decision service: it follows weir.progress to learn which windows are closed, lets the service decide about them
// in the order of event time, makes what it decided durable, and publishes it.
//
// What a service decides is a function of the closed windows alone. So after a crash the runner goes back to its saved position, lets the
// service learn again from the history before it, and repeats what came after: the store replaces the same rows, and events that the log
// already holds are not written again. No decision is lost, and none is doubled.
package decide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// Output is what a service decided about some windows.
type Output struct {
	Forecasts []schemas.Forecast
	Findings  []schemas.Finding
	Decisions []schemas.Decision
}

// Service decides. One value serves one session; it is not used concurrently.
type Service interface {
	// Step decides about the windows that end in (from, to], in their order. Calls follow each other without a gap. The first calls
	// after a restart are about the past: their output is dropped.
	Step(ctx context.Context, from, to time.Time) (Output, error)
}

// Store keeps what was decided.
type Store interface {
	// NextWindow is the start of the first window that starts at or after a time; zero if there is none.
	NextWindow(ctx context.Context, r schemas.Resolution, from time.Time) (time.Time, error)
	Positions(ctx context.Context, stage string) (map[int]time.Time, error)
	SavePositions(ctx context.Context, stage string, at map[int]time.Time) error
	SaveForecasts(ctx context.Context, forecasts []schemas.Forecast) error
	SaveFindings(ctx context.Context, findings []schemas.Finding) error
	SaveDecisions(ctx context.Context, decisions []schemas.SignedDecision) error
}

// Config says how a decision service is run.
type Config struct {
	Stage      string             // forecast, detect: names positions, events and watermarks
	Resolution schemas.Resolution // of the windows it decides about
	Topics     []string           // whose watermarks close its windows
	History    time.Duration      // how far before its position a restarted service learns again
	Chunk      time.Duration      // most event time in one Step
}

// Parts are what a runner works with.
type Parts struct {
	Consumer ingest.Consumer // of weir.progress; its partitions are the shards of the workloads
	Producer ingest.Producer
	Store    Store
	Events   *Events
	// Sources counts the sources of Config.Topics: nothing is closed before all were heard of.
	Sources func(ctx context.Context) (int, error)
	// New makes a service that decides about the workloads that owns says, and need not know of others.
	New     func(owns func(schemas.Workload) bool) (Service, error)
	Logger  *slog.Logger
	Metrics *Metrics
	Now     func() time.Time
	// Ready is told nil while the service can decide, else why not. It may be nil.
	Ready func(error)
}

// Runner runs one service.
type Runner struct {
	cfg   Config
	parts Parts
}

// New returns a runner.
func New(cfg Config, parts Parts) *Runner {
	if parts.Ready == nil {
		parts.Ready = func(error) {}
	}
	return &Runner{cfg: cfg, parts: parts}
}

// positionLookBack is how many progress records before the newest a restarted session hears again: more than the workers say in a few
// seconds, so that the last word of each is among them.
const positionLookBack = 256

// Run decides until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	return ingest.Keep(ctx, r.parts.Now, r.session, func(err error) {
		if errors.Is(err, ingest.ErrRevoked) {
			r.parts.Logger.Info("Shards changed hands, starting again from the saved position", "stage", r.cfg.Stage)
		} else {
			r.parts.Logger.Warn("Decision service starts again from its saved position", "stage", r.cfg.Stage, "error", err)
		}
		r.parts.Ready(err)
	})
}

// session decides for one assignment of shards.
func (r *Runner) session(ctx context.Context) error {
	s, err := r.parts.Consumer.Session(ctx)
	if err != nil {
		return fmt.Errorf("get shards: %w", err)
	}
	defer func() { _ = s.Close() }() // closing a session never fails in a way that matters here
	run, err := r.begin(ctx, s)
	if err != nil {
		return err
	}
	r.parts.Ready(nil)
	return run.loop(ctx, s)
}

// begin finds out where the shards of the session stand.
func (r *Runner) begin(ctx context.Context, s ingest.Session) (*run, error) {
	sources, err := r.parts.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("count sources: %w", err)
	}
	all, err := r.parts.Store.Positions(ctx, r.cfg.Stage)
	if err != nil {
		return nil, err
	}
	n := &run{Runner: r, closed: NewClosed(sources, r.cfg.Topics...), positions: map[int]time.Time{}, heard: map[schemas.Source]int64{}}
	for _, a := range s.Assigned() {
		n.shards = a.Partitions
		n.positions[a.Source.Partition] = all[a.Source.Partition]
	}
	if n.service, err = r.parts.New(n.owns); err != nil {
		return nil, ingest.Permanent{Err: err}
	}
	n.at = n.oldest()
	if n.published, err = r.parts.Events.After(ctx, n.at); err != nil {
		return nil, err
	}
	return n, nil
}

// shardOf is the shard that decides about a workload.
func shardOf(w schemas.Workload, shards int) int {
	return wire.PartitionOf([]byte(w.Key()), shards)
}
