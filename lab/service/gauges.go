package service

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/weirmesh/weir/lab/spec"
)

// Gauges is how an instance is doing, as GET /gauges of its admin address shows it.
type Gauges struct {
	InFlight      int64   `json:"in_flight"`      // requests inside
	Waiting       int     `json:"waiting"`        // of them, for a slot
	SlotsUsed     int     `json:"slots_used"`     // now
	Utilization   float64 `json:"utilization"`    // share of the slots' time in use since the last time somebody asked
	BusySeconds   float64 `json:"busy_seconds"`   // of all slots together, since the start
	HeapBytes     uint64  `json:"heap_bytes"`     // of objects on the heap
	Goroutines    int     `json:"goroutines"`     //
	QueueDepth    int     `json:"queue_depth"`    // messages that a queue holds
	SpansEnded    int64   `json:"spans_ended"`    // since the start, sampled ones
	SpansExported int64   `json:"spans_exported"` // of them, taken by the collector
	SpansFailed   int64   `json:"spans_failed"`   // of them, not taken; the rest waits or was dropped
}

func (i *instance) gauges(tel *telemetry, u *utilization) Gauges {
	g := Gauges{
		InFlight: i.inFlight.Load(), Utilization: u.read(), HeapBytes: heapBytes(), Goroutines: runtime.NumGoroutine(),
		SpansEnded: tel.spans.ended.Load(), SpansExported: tel.spans.exported.Load(), SpansFailed: tel.spans.failed.Load(),
	}
	used, waiting, busy := i.slots.state()
	g.SlotsUsed, g.Waiting, g.BusySeconds = used, waiting, busy.Seconds()
	if i.queue != nil {
		g.QueueDepth = i.queue.depth()
	}
	return g
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// observe reports the gauges over OTLP.
func (i *instance) observe(tel *telemetry) error {
	meter := tel.meters.Meter(scope)
	u := i.slots.utilization()
	var errs []error
	gauge := func(name, unit, about string) metric.Float64ObservableGauge {
		g, err := meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return g
	}
	inFlight := gauge("in_flight", "{request}", "Requests inside the instance")
	waiting := gauge("waiting", "{request}", "Requests that wait for a slot")
	busy := gauge("utilization", "1", "Share of the slots' time in use")
	memory := gauge("go.memory.used", "By", "Memory used by objects on the heap")
	goroutines := gauge("go.goroutine.count", "{goroutine}", "Live goroutines")
	all := []metric.Observable{inFlight, waiting, busy, memory, goroutines}
	var depth metric.Float64ObservableGauge
	if i.cfg.Service.Kind == spec.Queue {
		depth = gauge("messaging.queue.depth", "{message}", "Messages that wait to be delivered")
		all = append(all, depth)
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g := i.gauges(tel, u)
		o.ObserveFloat64(inFlight, float64(g.InFlight))
		o.ObserveFloat64(waiting, float64(g.Waiting))
		o.ObserveFloat64(busy, g.Utilization)
		o.ObserveFloat64(memory, float64(g.HeapBytes))
		o.ObserveFloat64(goroutines, float64(g.Goroutines))
		if depth != nil {
			o.ObserveFloat64(depth, float64(g.QueueDepth), metric.WithAttributes(
				attribute.String("messaging.destination.name", i.cfg.Service.Name)))
		}
		return nil
	}, all...)
	for _, e := range append(errs, err) {
		if e != nil {
			return fmt.Errorf("register gauges: %w", e)
		}
	}
	return nil
}
