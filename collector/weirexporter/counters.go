package weirexporter

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// scope names the meter of the exporter.
const scope = "github.com/weirmesh/weir/collector/weirexporter"

// counters say what became of every record. Once a request is over, received = sent + dropped + dead-lettered, unless it failed and
// comes again.
type counters struct {
	received, sentTotal, dropped, dead, message metric.Int64Counter
	overflowed                                  metric.Int64Counter
	last                                        metric.Float64Gauge
	signal                                      attribute.KeyValue
	bySignal                                    metric.MeasurementOption
}

func newCounters(provider metric.MeterProvider, signal pipeline.Signal) (*counters, error) {
	meter := provider.Meter(scope)
	c := &counters{signal: attribute.String("signal", signal.String())}
	c.bySignal = metric.WithAttributeSet(attribute.NewSet(c.signal))
	var errs []error
	counter := func(to *metric.Int64Counter, name, help string) {
		made, err := meter.Int64Counter(name, metric.WithDescription(help))
		*to, errs = made, append(errs, err)
	}
	counter(&c.received, "weir_collector_received_total", "Spans, points and log records received.")
	counter(&c.sentTotal, "weir_collector_sent_total", "Spans and points in rows that Kafka acknowledged.")
	counter(&c.dropped, "weir_collector_dropped_total", "Spans, points and log records that were not taken.")
	counter(&c.dead, "weir_collector_dead_lettered_total", "Spans that could not be used and are in weir.deadletter.")
	counter(&c.message, "weir_collector_messages_total", "Messages that Kafka acknowledged.")
	counter(&c.overflowed, "weir_collector_overflowed_total", "Spans and points with ~overflow for a name, because there were too many names.")
	last, err := meter.Float64Gauge("weir_collector_last_received_timestamp_seconds",
		metric.WithDescription("When the last request came, in seconds since the Unix epoch."))
	c.last = last
	return c, errors.Join(append(errs, err)...)
}

func (c *counters) receive(ctx context.Context, n int, now time.Time) {
	c.received.Add(ctx, int64(n), c.bySignal)
	c.last.Record(ctx, float64(now.UnixNano())/1e9, c.bySignal)
}

func (c *counters) sent(ctx context.Context, n int) {
	c.sentTotal.Add(ctx, int64(n), c.bySignal)
}

func (c *counters) drop(ctx context.Context, reason string, n int) {
	c.dropped.Add(ctx, int64(n), metric.WithAttributes(c.signal, attribute.String("reason", reason)))
}

func (c *counters) deadLetter(ctx context.Context, reason string, n int) {
	c.dead.Add(ctx, int64(n), metric.WithAttributes(c.signal, attribute.String("reason", reason)))
}

func (c *counters) overflow(ctx context.Context, level string, n int) {
	c.overflowed.Add(ctx, int64(n), metric.WithAttributes(c.signal, attribute.String("level", level)))
}

func (c *counters) messages(ctx context.Context, topic string, n int) {
	c.message.Add(ctx, int64(n), metric.WithAttributes(attribute.String("topic", topic)))
}
