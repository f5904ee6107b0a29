package weirexporter

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"github.com/weirmesh/weir/collector/answers"
	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

// exporterBase is what the exporters of all signals share. Each has a connection and a producer id of its own.
type exporterBase struct {
	cfg     *Config
	signal  pipeline.Signal
	convert *rows.Converter
	shared  *shared
	logger  *zap.Logger
	count   *counters
	sender  *sender
	client  *kafka.Client
	layout  atomic.Pointer[layout] // nil until Kafka told it
	report  *reporter              // of spans; other signals have none
	now     func() time.Time
}

type (
	tracesExporter  struct{ *exporterBase }
	metricsExporter struct{ *exporterBase }
	logsExporter    struct{ *exporterBase }
)

func newExporter(set exporter.Settings, given component.Config, signal pipeline.Signal, all *shared) (*exporterBase, error) {
	cfg, ok := given.(*Config)
	if !ok {
		return nil, fmt.Errorf("weir exporter got a configuration of type %T", given)
	}
	count, err := newCounters(set.MeterProvider, signal)
	if err != nil {
		return nil, err
	}
	e := &exporterBase{
		cfg: cfg, signal: signal, count: count, now: time.Now,
		shared: all, logger: set.Logger,
		convert: rows.New(rows.Config{
			Tenant: cfg.Tenant, Attributes: cfg.Attributes, MaxFuture: cfg.MaxFuture, MaxPast: cfg.MaxPast,
			Names: all.names(names.Limits{
				Workloads: cfg.MaxWorkloads, Instances: cfg.MaxInstances, Series: cfg.MaxSeries, Days: cfg.MaxDays,
			}),
		}),
		sender: &sender{retry: cfg.Retry, logger: set.Logger, count: count},
	}
	if signal == pipeline.SignalTraces {
		unseen, err := newCounters(noop.NewMeterProvider(), signal) // the counters are about what senders send
		if err != nil {
			return nil, err
		}
		e.report = &reporter{
			ledger: newLedger(rows.Name(cfg.Tenant), newID()), sender: &sender{retry: cfg.Retry, logger: zap.NewNop(), count: unseen},
			partitions: func(ctx context.Context) (int, error) { return e.client.Partitions(ctx, wire.TopicSamples) },
			now:        e.now, logger: set.Logger,
		}
	}
	return e, nil
}

// Start does not wait for Kafka: requests do.
func (e *exporterBase) Start(ctx context.Context, _ component.Host) error {
	client, err := kafka.New(kafka.Config{
		Addresses: e.cfg.Addresses, Security: e.cfg.security(), Compression: e.cfg.Compression, ClientID: "weir-collector",
		Topics: []string{wire.TopicCalls, wire.TopicSamples, wire.TopicDeadLetter},
	})
	if err != nil {
		return err
	}
	e.client = client
	e.sender.producer, e.sender.id = e.client, rand.Text()
	if e.report != nil {
		e.report.sender.producer, e.report.sender.id = e.client, e.report.ledger.id
		e.report.start(ctx)
	}
	return nil
}

// Shutdown comes after the receivers stopped, so no request is left.
func (e *exporterBase) Shutdown(ctx context.Context) error {
	if e.client != nil {
		if e.report != nil {
			e.report.end(ctx)
		}
		e.client.Close()
	}
	return nil
}

// Capabilities: requests are only read.
func (*exporterBase) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeTraces returns nil when every span is stored or its loss is recorded.
func (e *tracesExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	received := e.now()
	return e.export(ctx, received, td.SpanCount(), func(at rows.Layout) (rows.Batch, error) {
		return e.convert.From(answers.FromContext(ctx).Source()).Spans(td, at, received)
	})
}

// ConsumeMetrics returns nil when every gauge and running total is stored.
func (e *metricsExporter) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	received := e.now()
	return e.export(ctx, received, md.DataPointCount(), func(at rows.Layout) (rows.Batch, error) {
		return e.convert.From(answers.FromContext(ctx).Source()).Samples(md, at, received)
	})
}

// ConsumeLogs takes nothing and says so: a sender that gets an error would send the same again.
func (e *logsExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	e.count.receive(ctx, ld.LogRecordCount(), e.now())
	e.settle(ctx, e.convert.Logs(ld).Losses)
	return nil
}

// export converts a request and stores what became of it.
func (e *exporterBase) export(ctx context.Context, now time.Time, n int, convert func(rows.Layout) (rows.Batch, error)) error {
	e.count.receive(ctx, n, now)
	if e.report != nil {
		e.report.ledger.receive(n)
	}
	at, err := e.partitions(ctx)
	if err != nil {
		return err
	}
	batch, err := convert(at)
	if err != nil {
		// The same request would fail the same way again.
		e.drop(ctx, "not_encodable", n)
		return consumererror.NewPermanent(err)
	}
	err = e.sender.send(ctx, batch.Records)
	if ingest.IsPermanent(err) {
		e.drop(ctx, "refused_by_kafka", batch.Rows)
		return consumererror.NewPermanent(err)
	}
	if err != nil {
		return err
	}
	e.count.sent(ctx, batch.Rows)
	e.overflowed(ctx, answers.FromContext(ctx).Source(), batch.Overflowed)
	if e.report != nil {
		e.report.ledger.write(batch.Written, batch.Rows)
	}
	e.settle(ctx, batch.Losses)
	return nil
}

// drop counts a request that fails for good.
func (e *exporterBase) drop(ctx context.Context, reason string, n int) {
	e.count.drop(ctx, reason, n)
	if e.report != nil {
		e.report.ledger.drop(reason, n)
	}
}

// settle counts what was not taken and tells the sender.
func (e *exporterBase) settle(ctx context.Context, losses []rows.Loss) {
	for _, l := range losses {
		if l.DeadLetter {
			e.count.deadLetter(ctx, l.Reason, l.Count)
		} else {
			e.count.drop(ctx, l.Reason, l.Count)
		}
		if !l.Silent {
			answers.FromContext(ctx).Reject(e.signal, l.Count, l.Reason)
		}
	}
}

// layout is how many partitions the topics had when Kafka was asked.
type layout struct {
	rows.Layout
	asked time.Time
}

// layoutAge is how long an answer is believed: a number of partitions changes only by a migration, for which the senders are stopped.
const layoutAge = 5 * time.Second

// partitions asks Kafka how many partitions the signal's topics have.
func (e *exporterBase) partitions(ctx context.Context) (rows.Layout, error) {
	now := e.now()
	if at := e.layout.Load(); at != nil && now.Sub(at.asked) < layoutAge {
		return at.Layout, nil
	}
	at := layout{asked: now}
	err := e.sender.try(ctx, func(ctx context.Context) error {
		for topic, n := range e.topics(&at.Layout) {
			var err error
			if *n, err = e.client.Partitions(ctx, topic); err != nil {
				return err
			}
			if *n == 0 {
				return fmt.Errorf("topic %s has no partitions yet", topic)
			}
		}
		return nil
	})
	if err != nil {
		return rows.Layout{}, err
	}
	e.layout.Store(&at)
	return at.Layout, nil
}

func (e *exporterBase) topics(at *rows.Layout) map[string]*int {
	if e.signal == pipeline.SignalMetrics {
		return map[string]*int{wire.TopicSamples: &at.Samples}
	}
	return map[string]*int{wire.TopicCalls: &at.Calls, wire.TopicDeadLetter: &at.DeadLetters}
}
