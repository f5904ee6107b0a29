package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/ingest/replay"
	"github.com/weirmesh/weir/internal/doctor"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// The workloads of a probe.
const (
	probeNamespace = "weir-doctor"
	probeCaller    = "caller"
	probeCallee    = "callee"
)

// past is why no call of now should be sent: all data is of the past, and its last findings and proposals would be over. Nil where it may.
func (g *examiner) past(f doctor.Facts) *doctor.Probe {
	if f.Flow == nil || f.Flow.Watermark.IsZero() {
		return nil
	}
	age := f.Now.Sub(f.Flow.Watermark)
	if age < 24*time.Hour {
		return nil
	}
	return &doctor.Probe{Stuck: "not sent", Err: fmt.Sprintf("all data here is of %s or before", f.Flow.Watermark.Format(time.DateTime))}
}

// probe sends one call and follows it. The call stays in the windows; `weir privacy erase --workload weir-doctor/callee` takes it out.
func (g *examiner) probe(ctx context.Context, within time.Duration) *doctor.Probe {
	began := g.now()
	p := &doctor.Probe{}
	if g.otlp == "" || g.clickhouse == "" || len(g.brokers) == 0 {
		p.Stuck, p.Err = "gathered", "collector, Kafka and ClickHouse have to be known"
		return p
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not within %s", within))
	defer cancel()
	var err error
	if p.Stuck, err = g.follow(ctx); err != nil {
		p.Err = err.Error()
		if ctx.Err() != nil {
			p.Err = fmt.Sprintf("%v (%v)", context.Cause(ctx), err)
		}
	}
	p.Took = g.now().Sub(began)
	return p
}

// follow returns the hop that the trace did not get past; none without an error.
func (g *examiner) follow(ctx context.Context) (stuck string, err error) {
	k, err := kafka.New(g.kafkaConfig(g.brokers))
	if err != nil {
		return "log", err
	}
	defer k.Close()
	bounds, err := k.Bounds(ctx, wire.TopicCalls)
	if err != nil {
		return "log", err
	}
	var id schemas.TraceID
	_, _ = rand.Read(id[:]) // it never fails
	end := g.now().Add(-time.Millisecond)
	if err := g.sendProbe(ctx, id, end); err != nil {
		return "collector", err
	}
	partition := wire.PartitionOfTrace(id, len(bounds))
	offset, err := findTrace(ctx, k, partition, bounds[partition].End, id)
	if err != nil {
		return "log", err
	}
	incarnation, err := k.ClusterID(ctx)
	if err != nil {
		return "counted", err
	}
	source := schemas.Source{Incarnation: incarnation, Topic: wire.TopicCalls, Partition: partition}.String()
	if err := untilPast(ctx, k, source, offset); err != nil {
		return "counted", err
	}
	cfg, err := g.clickhouseConfig(g.clickhouse)
	if err == nil {
		err = untilVisible(ctx, cfg, end)
	}
	if err != nil {
		return "visible", err
	}
	return "", nil
}

// sendProbe sends both spans in one request.
func (g *examiner) sendProbe(ctx context.Context, id schemas.TraceID, end time.Time) error {
	var secure *tls.Config
	if g.server != nil {
		secure = g.client
	}
	client, err := replay.Dial(g.otlp, secure)
	if err != nil {
		return err
	}
	sent := client.Send(ctx, recording.Request{Traces: probeTrace(id, end)})
	return errors.Join(sent, client.Close())
}

// probeTrace is a call of 1 ms: what the caller saw of it, and what the callee saw.
func probeTrace(id schemas.TraceID, end time.Time) ptrace.Traces {
	traces := ptrace.NewTraces()
	caller, callee := pcommon.SpanID{1}, pcommon.SpanID{2}
	add := func(workload string, kind ptrace.SpanKind, own, parent pcommon.SpanID) {
		rs := traces.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", workload)
		rs.Resource().Attributes().PutStr("service.namespace", probeNamespace)
		rs.Resource().Attributes().PutStr("service.instance.id", workload)
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName("weir doctor")
		span.SetTraceID(pcommon.TraceID(id))
		span.SetSpanID(own)
		span.SetParentSpanID(parent)
		span.SetKind(kind)
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Millisecond)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	}
	add(probeCaller, ptrace.SpanKindClient, caller, pcommon.SpanID{})
	add(probeCallee, ptrace.SpanKindServer, callee, caller)
	return traces
}

// findTrace waits until a message of the partition holds the trace, and returns its offset.
func findTrace(ctx context.Context, k *kafka.Client, partition int, from int64, id schemas.TraceID) (offset int64, err error) {
	err = k.Read(ctx, wire.TopicCalls, partition, from, true, func(m ingest.Message) bool {
		batch, err := columns.DecodeSpans(m.Value)
		if err != nil {
			return true
		}
		for _, s := range batch.Spans {
			if s.Trace == id {
				offset = m.Offset
				return false
			}
		}
		return true
	})
	return offset, err
}

// untilPast waits until a source is durable beyond an offset, by what its worker says.
func untilPast(ctx context.Context, k *kafka.Client, source string, offset int64) error {
	for {
		said, _, err := lastProgress(ctx, k)
		if err != nil {
			return err
		}
		if said[source].Durable > offset {
			return nil
		}
		if err := pause.For(ctx, decidePoll); err != nil {
			return fmt.Errorf("wait for offset %d of %s to be durable: %w", offset, source, err)
		}
	}
}

// untilVisible waits until the call shows in the window of its end.
func untilVisible(ctx context.Context, cfg clickhouse.Config, end time.Time) error {
	sql := fmt.Sprintf("SELECT sum(calls) FROM service_windows WHERE namespace = '%s' AND workload = '%s' AND window_start = toDateTime64('%s', 3, 'UTC')",
		probeNamespace, probeCallee, end.UTC().Truncate(time.Duration(schemas.Shortest())).Format("2006-01-02 15:04:05"))
	for {
		var n uint64
		if err := ask(ctx, cfg, sql, &n); err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
		if err := pause.For(ctx, decidePoll); err != nil {
			return fmt.Errorf("wait for the window of %s: %w", end.UTC().Format(time.RFC3339), err)
		}
	}
}
