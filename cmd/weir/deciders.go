package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	detecting "github.com/weirmesh/weir/detect/worker"
	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/naive"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/forecast/smoothing"
	forecasting "github.com/weirmesh/weir/forecast/worker"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/signing"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// Names of the stages that decide and act: of consumer groups, positions and event sources.
const (
	stageForecast = "forecast"
	stageDetect   = "detect"
	stageActuator = "actuator"
)

// groupOf is the consumer group of a stage behind the windows.
func groupOf(stage string) string { return "weir-" + stage }

// decider is a decision service and how it is run.
type decider struct {
	stage      string
	resolution schemas.Resolution
	topics     []string // whose watermarks close its windows
	history    time.Duration
	chunk      time.Duration // most event time in one step
	service    func(owns func(schemas.Workload) bool) (decide.Service, error)
}

// forecaster is the forecast stage: one-minute windows, also those of CPU use, an hour or a day at a time when it catches up.
func (a *app) forecaster(s *clickhouse.Client) decider {
	c := a.cfg.Forecast
	planning := plan.DefaultConfig()
	planning.Headroom = float64(c.Headroom) / 100
	capacities := capacity.DefaultConfig()
	capacities.TargetCPU = float64(c.TargetCPU) / 100
	cfg := forecasting.Config{Models: models, Capacity: capacities, Plan: planning, Lead: c.Lead, MaxSeries: c.MaxSeries, Left: a.leftOut(stageForecast)}
	return decider{
		stage: stageForecast, resolution: schemas.Resolution(time.Minute), topics: topicsRead(), history: c.History, chunk: 6 * time.Hour,
		service: func(owns func(schemas.Workload) bool) (decide.Service, error) {
			cfg.Owns = owns
			return forecasting.New(cfg, s)
		},
	}
}

// detector is the detect stage: ten-second windows.
func (a *app) detector(s *clickhouse.Client) decider {
	return decider{
		stage: stageDetect, resolution: schemas.Shortest(), topics: []string{wire.TopicCalls}, history: a.cfg.Detect.History, chunk: 2 * time.Hour,
		service: func(owns func(schemas.Workload) bool) (decide.Service, error) { return detecting.New(s, owns), nil },
	}
}

// models are those of a new series: the one that decisions rest on, and the two that it has to beat.
func models() ([]forecast.Model, error) {
	main, err := smoothing.New(smoothing.DefaultConfig())
	if err != nil {
		return nil, err
	}
	last, err := naive.NewLast(naive.DefaultConfig())
	if err != nil {
		return nil, err
	}
	seasonal, err := naive.NewSeasonal(smoothing.DefaultConfig().Periods[0], naive.DefaultConfig())
	if err != nil {
		return nil, err
	}
	return []forecast.Model{main, last, seasonal}, nil
}

// leftOut counts the workloads that a stage has no room for.
func (a *app) leftOut(stage string) func(int) {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "weir_" + stage + "_left_out_workloads", Help: "Workloads seen in the last window for which there is no room; see " + stage + ".max_series.",
	})
	a.registry.MustRegister(gauge)
	return func(n int) { gauge.Set(float64(n)) }
}

// runDecider runs a decision service until ctx ends.
func (a *app) runDecider(ctx context.Context, d decider, consumer ingest.Consumer, k *kafka.Client, s *clickhouse.Client, metrics *decide.Metrics) error {
	key, err := a.signingKey()
	if err != nil {
		return err
	}
	cfg := decide.Config{Stage: d.stage, Resolution: d.resolution, Topics: d.topics, History: d.history, Chunk: d.chunk}
	return decide.New(cfg, decide.Parts{
		Consumer: consumer, Producer: k, Store: s, New: d.service, Logger: a.log, Metrics: metrics, Now: time.Now,
		Events: &decide.Events{Source: "/weir/" + d.stage, Key: key, Published: func(ctx context.Context, topic string, after time.Time) (map[string]bool, error) {
			return published(ctx, k, topic, after)
		}},
		Sources: func(ctx context.Context) (int, error) { return sourcesOf(ctx, k, d.topics) },
		Ready:   func(err error) { a.ready.Set(d.stage, err) },
	}).Run(ctx)
}

// sourcesOf counts the partitions of topics.
func sourcesOf(ctx context.Context, k *kafka.Client, topics []string) (int, error) {
	sum := 0
	for _, topic := range topics {
		n, err := k.Partitions(ctx, topic)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// signingKey is the key that signs this process's events.
func (a *app) signingKey() (ed25519.PrivateKey, error) {
	if file := a.cfg.Events.SigningKey; file != "" {
		return signing.LoadPrivate(file)
	}
	return signing.LoadOrCreate(filepath.Join(a.cfg.DataDir, "keys"))
}

// published lists the ids of a topic's events that speak of a time after t.
func published(ctx context.Context, k *kafka.Client, topic string, after time.Time) (map[string]bool, error) {
	n, err := k.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for p := range n {
		err := k.Read(ctx, topic, p, 0, false, func(m ingest.Message) bool {
			id, _ := wire.Find(m.Headers, "ce_id")
			text, _ := wire.Find(m.Headers, "ce_time")
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil && at.After(after) {
				ids[id] = true
			}
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return ids, nil
}
