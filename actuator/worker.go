// Package actuator says what becomes of decisions. It reads weir.decisions, believes only what is signed by a known key, lets an arbiter
// settle which decisions count, holds them to the limits that people set and to the current state of the cluster, and writes for each
// decision exactly one outcome: what would be changed, or why nothing is.
//
// It is dry: nothing is ever applied. Nothing here can write to a cluster.
//
// A decision about the present is judged by the clock, one about the past (made in a replay) by event time: as of the instant at which it
// was made, once all deciding stages have come that far. So a replay has the same outcomes at any speed. After a crash the worker reads
// again from the earliest message that may still matter, and writes the same rows.
package actuator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/guard"
	"github.com/weirmesh/weir/actuator/istio"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
)

// Config says how a worker works.
type Config struct {
	Limits guard.Limits
	// Stages are the deciding stages, as their watermarks name them (header weir-producer). A decision about the past waits until each of
	// them has come to the time at which it was made.
	Stages        []string
	Cluster       string        // that Parts.State shows: decisions for others are judged without state; "" = all are for that one
	FlushInterval time.Duration // longest time that an outcome stays unwritten
	MaxWaiting    int           // decisions about the past that wait at most, for each partition
	MaxIDs        int           // ids that duplicates are known by, for each partition
}

// DefaultConfig returns the defaults that operators see.
func DefaultConfig() Config {
	return Config{
		Limits: guard.Default(), Stages: []string{"forecast", "detect"},
		FlushInterval: 200 * time.Millisecond, MaxWaiting: 20_000, MaxIDs: 100_000,
	}
}

// Verify reads a message and makes sure that somebody trusted has signed it. The error says why it cannot be believed.
type Verify func(ingest.Message) (schemas.Decision, error)

// Outcomes keeps outcomes. Saving the same outcome again changes nothing.
type Outcomes interface {
	// SaveOutcomes returns nil only when all are durable.
	SaveOutcomes(ctx context.Context, outcomes []schemas.DecisionOutcome) error
}

// Parts are what a worker works with.
type Parts struct {
	Consumer ingest.Consumer // of weir.decisions
	Verify   Verify
	Istio    *istio.Validator // checks what would be changed; nil = New makes one
	State    cluster.Source   // nil = the current state is not read
	Outcomes Outcomes
	// Publish tells others. It is called once outcomes are durable, and again for the same ones after a crash.
	Publish func(ctx context.Context, outcomes []schemas.DecisionOutcome) error
	// Published returns the ids of the decisions whose outcomes others have been told of; it is asked once for each session. Those are not
	// judged a second time. It may be nil.
	Published func(ctx context.Context) (map[string]bool, error)
	// DeadLetter keeps a message that cannot be believed, for people. After a restart it may be called again for the same one.
	DeadLetter func(ctx context.Context, m ingest.Message, reason error) error
	Metrics    *Metrics
	Logger     *slog.Logger
	Now        func() time.Time
	// Ready is told nil when the worker has sources and its outcomes are taken, else why not. It may be nil.
	Ready func(error)
}

// Worker runs the stage.
type Worker struct {
	cfg   Config
	parts Parts
	judge judge
}

// New returns a worker. The error says what is wrong with the configuration.
func New(cfg Config, parts Parts) (*Worker, error) {
	if err := cfg.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("limits of the actuator: %w", err)
	}
	if len(cfg.Stages) == 0 {
		return nil, errors.New("the actuator has to know which stages decide")
	}
	if parts.Istio == nil {
		var err error
		if parts.Istio, err = istio.New(); err != nil {
			return nil, err
		}
	}
	if parts.Ready == nil {
		parts.Ready = func(error) {}
	}
	if parts.Published == nil {
		parts.Published = func(context.Context) (map[string]bool, error) { return nil, nil }
	}
	return &Worker{cfg: cfg, parts: parts, judge: judge{limits: cfg.Limits, istio: parts.Istio}}, nil
}

// drainTime bounds the last flush after the worker was told to stop.
const drainTime = 10 * time.Second

// Run works until ctx ends. It then writes the outcomes it holds and commits.
func (w *Worker) Run(ctx context.Context) error {
	return ingest.Keep(ctx, w.parts.Now, w.session, func(err error) {
		if errors.Is(err, ingest.ErrRevoked) {
			w.parts.Logger.Info("Decisions changed hands, starting again from the committed position")
		} else {
			w.parts.Logger.Warn("Actuator starts again", "error", err)
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
	published, err := w.parts.Published(ctx)
	if err != nil {
		return fmt.Errorf("read which outcomes are published: %w", err)
	}
	r := &run{Worker: w, session: s, published: published, partitions: map[schemas.Source]*partition{}}
	for _, a := range s.Assigned() {
		r.partitions[a.Source] = newPartition(&w.cfg, a)
	}
	w.parts.Ready(nil)
	return r.loop(ctx)
}
