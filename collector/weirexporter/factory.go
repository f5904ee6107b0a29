// Package weirexporter is a Collector exporter, of type weir, that writes spans, gauges and running totals as Arrow messages to Weir's Kafka topics.
//
// It promises that a request is acknowledged only when all in-sync replicas hold every message made of it. While Kafka takes nothing,
// it tries again for as long as the sender waits: there is no queue, so back-pressure reaches the sender and nothing is lost between.
// What Weir never takes is counted, told to the sender through package answers, and, where a span is broken, kept as a dead letter.
package weirexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
)

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	f := &factory{}
	return exporter.NewFactory(
		component.MustNewType("weir"),
		func() component.Config { return DefaultConfig() },
		exporter.WithTraces(f.createTraces, component.StabilityLevelBeta),
		exporter.WithMetrics(f.createMetrics, component.StabilityLevelBeta),
		exporter.WithLogs(f.createLogs, component.StabilityLevelBeta),
	)
}

// factory makes the exporters of one collector.
type factory struct{ shared shared }

func (f *factory) createTraces(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	e, err := newExporter(set, cfg, pipeline.SignalTraces, &f.shared)
	if err != nil {
		return nil, err
	}
	return &tracesExporter{exporterBase: e}, nil
}

func (f *factory) createMetrics(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	e, err := newExporter(set, cfg, pipeline.SignalMetrics, &f.shared)
	if err != nil {
		return nil, err
	}
	return &metricsExporter{exporterBase: e}, nil
}

func (f *factory) createLogs(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	e, err := newExporter(set, cfg, pipeline.SignalLogs, &f.shared)
	if err != nil {
		return nil, err
	}
	return &logsExporter{exporterBase: e}, nil
}
