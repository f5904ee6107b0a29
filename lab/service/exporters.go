package service

import (
	"context"
	"sync/atomic"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanCounter counts the spans that ended and what became of them, and lets the clock of those that leave be wrong. It stands at both ends
// of the SDK's queue: what ended and was neither reported nor refused is in the queue, or was dropped there.
type spanCounter struct {
	exporter                sdktrace.SpanExporter
	ahead                   func() time.Duration
	ended, exported, failed atomic.Int64
}

// spanEnds counts spans before they enter the queue.
type spanEnds struct{ counter *spanCounter }

// OnStart does nothing.
func (spanEnds) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd counts a span.
func (e spanEnds) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		e.counter.ended.Add(1)
	}
}

// ForceFlush does nothing: nothing is kept here.
func (spanEnds) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing: the queue comes after this.
func (spanEnds) Shutdown(context.Context) error { return nil }

// ExportSpans reports spans. What cannot be reported is counted and gone: the SDK does not try again.
func (c *spanCounter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if d := c.ahead(); d != 0 {
		shifted := make([]sdktrace.ReadOnlySpan, len(spans))
		for i, s := range spans {
			shifted[i] = shiftedSpan{s, d}
		}
		spans = shifted
	}
	if err := c.exporter.ExportSpans(ctx, spans); err != nil {
		c.failed.Add(int64(len(spans)))
		return nil
	}
	c.exported.Add(int64(len(spans)))
	return nil
}

// Shutdown ends reporting.
func (c *spanCounter) Shutdown(ctx context.Context) error { return c.exporter.Shutdown(ctx) }

// shiftedSpan is a span as seen by a clock that is ahead.
type shiftedSpan struct {
	sdktrace.ReadOnlySpan
	ahead time.Duration
}

// StartTime is when the span began, by the wrong clock.
func (s shiftedSpan) StartTime() time.Time { return s.ReadOnlySpan.StartTime().Add(s.ahead) }

// EndTime is when the span ended, by the wrong clock.
func (s shiftedSpan) EndTime() time.Time { return s.ReadOnlySpan.EndTime().Add(s.ahead) }

// quietMetrics and quietLogs lose what cannot be reported without a word: the SDK would tell it to the whole process.
type (
	quietMetrics struct{ sdkmetric.Exporter }
	quietLogs    struct{ sdklog.Exporter }
)

// Export reports metrics.
func (q quietMetrics) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	q.Exporter.Export(ctx, m) //nolint:errcheck // the next report has newer values
	return nil
}

// Export reports log records.
func (q quietLogs) Export(ctx context.Context, records []sdklog.Record) error {
	q.Exporter.Export(ctx, records) //nolint:errcheck // nobody decides by logs
	return nil
}
