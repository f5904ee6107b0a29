package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/torture/check"
	"github.com/weirmesh/weir/torture/parts"
	"github.com/weirmesh/weir/torture/traffic"
)

const (
	// remembered is for how many messages of a partition the join remembers a span at least (features.generation).
	remembered = 1024
	// sideBySide is how many harms go on at the same time.
	sideBySide = 4
	// startTakes is how long all parts may take until they are ready.
	startTakes = 5 * time.Minute
)

// Run does what cfg says. An error means that the run did not come to its end: a part ended by itself, a request was refused, nothing came
// forward. What was found wrong at the end is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return Report{}, err
	}
	var of load
	var err error
	if cfg.Recording != "" {
		of, err = openRecorded(ctx, cfg)
	} else {
		of, err = newMade(cfg)
	}
	if err != nil {
		return Report{}, err
	}
	h, err := openHistory(filepath.Join(cfg.Dir, "history.jsonl"))
	if err != nil {
		return Report{}, err
	}
	r, err := newRunner(ctx, cfg, of, h)
	if err != nil {
		return Report{}, errors.Join(err, h.close())
	}
	report, err := r.run(ctx)
	if err != nil || report.Err() != nil {
		r.cluster.Keep()
	}
	return report, errors.Join(err, r.sender.close(), r.cluster.Close(), h.close())
}

// runner is one run.
type runner struct {
	cfg     Config
	load    load
	cluster *parts.Cluster
	checker *check.Checker
	sender  *sender
	harmer  *harmer
	history *history
	plan    []Harm
	began   time.Time
	lag     atomic.Int64

	mu    sync.Mutex // guards phase
	phase string
}

// newRunner starts the cluster.
func newRunner(ctx context.Context, cfg Config, of load, h *history) (*runner, error) {
	layout := parts.Layout{
		Binary: cfg.Weir, Dir: filepath.Join(cfg.Dir, clusterDir), Collectors: cfg.Collectors, Features: cfg.Features,
		Apache: cfg.Apache, Home: cfg.Home, Partitions: cfg.Partitions,
	}
	if cfg.Disks {
		layout.ClickHouseMiB = disk
		if cfg.Apache == 0 {
			layout.BrokerMiB = disk
		}
	}
	// Half of the seeds see a broker, or a store, that stops before its disk is full.
	for i, key := range []string{"WEIR_BROKER_MIN_FREE_MIB", "WEIR_CLICKHOUSE_MIN_FREE_MIB"} {
		layout.KeepersEnv = append(layout.KeepersEnv, fmt.Sprintf("%s=%d", key, 256*(cfg.Seed>>i&1)))
	}
	// Parts are stopped with care at the end, so they must not be killed when ctx ends.
	cluster, err := parts.Start(context.WithoutCancel(ctx), layout)
	if err != nil {
		return nil, err
	}
	checker := check.New(check.Config{Memory: remembered})
	s := &sender{seed: cfg.Seed, gate: traffic.NewGate(traffic.Ahead), checker: checker, history: h}
	for i, address := range cluster.OTLP() {
		c, err := dial(fmt.Sprintf("collector-%d", i+1), address)
		if err != nil {
			return nil, errors.Join(err, s.close(), cluster.Close())
		}
		s.clients = append(s.clients, c)
	}
	return &runner{
		cfg: cfg, load: of, cluster: cluster, checker: checker, sender: s, harmer: newHarmer(cfg, cluster, h), history: h,
		plan: Plan(cfg), began: time.Now(),
	}, nil
}

func (r *runner) run(ctx context.Context) (Report, error) {
	stop := r.tell()
	defer stop()
	r.enter("starting")
	ready, cancel := context.WithTimeout(ctx, startTakes)
	defer cancel()
	if err := r.cluster.AwaitReady(ready); err != nil {
		return Report{}, err
	}
	r.enter("sending")
	began := time.Now()
	if err := r.send(ctx); err != nil {
		return Report{}, err
	}
	sending := time.Since(began).Seconds()
	report, err := r.finish(ctx)
	report.SecondsSending, report.CallsPerSecond = sending, float64(report.Store.Calls)/sending
	report.Seconds = time.Since(r.began).Seconds()
	return report, err
}

// send sends all requests, and does harm meanwhile. It returns when every request is acknowledged and every harm undone.
func (r *runner) send(outer context.Context) error {
	group, ctx := errgroup.WithContext(outer)
	sending, harming := make(chan struct{}, r.cfg.Senders), make(chan struct{}, sideBySide)
	plan := r.plan
	due := func(share float64) {
		for ; len(plan) > 0 && plan[0].At <= share; plan = plan[1:] {
			h := plan[0]
			with(ctx, group, harming, func() error { return r.harmer.do(ctx, h) })
		}
	}
	for q, err := range r.load.requests(ctx) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		due(float64(r.sender.acked.Load()) / float64(r.load.total()))
		if err := r.sender.gate.Enter(ctx, q.index); err != nil {
			break // what ended ctx is the group's error
		}
		if err := r.checker.Sent(q.index, q.spans); err != nil {
			return errors.Join(err, group.Wait())
		}
		with(ctx, group, sending, func() error { return r.sender.send(ctx, q) })
	}
	due(1)
	return cmp.Or(group.Wait(), outer.Err())
}

// with runs do in the group as soon as there is a place for it.
func with(ctx context.Context, group *errgroup.Group, places chan struct{}, do func() error) {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return
	}
	group.Go(func() error {
		defer func() { <-places }()
		return do()
	})
}

func (r *runner) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
	r.history.add(event{What: "note", Text: phase})
}

// tell tells of the progress until stop is called.
func (r *runner) tell() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(r.cfg.Every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.cfg.Tell(r.progress())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (r *runner) progress() Progress {
	r.mu.Lock()
	phase := r.phase
	r.mu.Unlock()
	_, harms, kills := r.harmer.counts()
	p := Progress{
		Phase: phase, Requests: r.load.total(), Acked: int(r.sender.acked.Load()), Attempts: r.sender.attempts.Load(),
		Harms: harms, Kills: kills, Lag: r.lag.Load(),
	}
	if r.cfg.Recording == "" {
		p.Calls = int(float64(r.cfg.Calls) * min(1, float64(p.Acked)/float64(max(1, p.Requests))))
	}
	return p
}
