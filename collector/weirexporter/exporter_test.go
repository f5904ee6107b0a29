package weirexporter_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirmesh/weir/collector/answers"
	"github.com/weirmesh/weir/collector/weirexporter"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

func startKafka(t *testing.T, topics ...string) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func startTraces(t *testing.T, addresses []string, logging ...zap.Option) exporter.Traces {
	t.Helper()
	cfg := weirexporter.DefaultConfig()
	cfg.MaxPast = 0 // events are from 1970 here
	cfg.Addresses = addresses
	cfg.Retry = weirexporter.RetryConfig{InitialInterval: time.Millisecond, MaxInterval: 5 * time.Millisecond}
	set := exportertest.NewNopSettings(component.MustNewType("weir"))
	// A logger that throws away what it is given, after its hooks saw it.
	set.Logger = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zap.WarnLevel), logging...)
	e, err := weirexporter.NewFactory().CreateTraces(t.Context(), set, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func spans(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	list := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := list.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i)})
		s.SetSpanID(pcommon.SpanID{1, byte(i)})
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(2)
	}
	return td
}

// ends returns how many messages each partition of weir.calls holds.
func ends(t *testing.T, cluster *kfake.Cluster) []int64 {
	t.Helper()
	client, err := kafka.New(kafka.Config{Addresses: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	bounds, err := client.Bounds(t.Context(), wire.TopicCalls)
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, b := range bounds {
		out = append(out, b.End)
	}
	return out
}

// TestOnlyTheRefusedPartitionIsTriedAgain: a partition that took its messages must not get them twice because another one did not.
func TestOnlyTheRefusedPartitionIsTriedAgain(t *testing.T) {
	cluster := startKafka(t, wire.TopicCalls, wire.TopicDeadLetter)
	e := startTraces(t, cluster.ListenAddrs())
	var refusals atomic.Int32
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		produce, ok := req.(*kmsg.ProduceRequest)
		if ok && produce.Topics[0].Partitions[0].Partition == 0 && refusals.Add(1) <= 5 {
			return nil, fmt.Errorf("not now"), true
		}
		return nil, nil, false
	})
	if err := e.ConsumeTraces(t.Context(), spans(50)); err != nil {
		t.Fatal(err)
	}
	if got := ends(t, cluster); got[0] != 1 || got[1] != 1 {
		t.Errorf("messages by partition %v, want one each", got)
	}
	if refusals.Load() <= 5 {
		t.Errorf("%d writes to partition 0", refusals.Load())
	}
}

func TestPermanentErrorsArePermanent(t *testing.T) {
	cluster := startKafka(t, wire.TopicCalls, wire.TopicDeadLetter)
	e := startTraces(t, cluster.ListenAddrs())
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		produce, ok := req.(*kmsg.ProduceRequest)
		resp := kmsg.NewPtrProduceResponse()
		if !ok {
			return nil, fmt.Errorf("got %T", req), true
		}
		resp.Version = produce.Version
		for _, topic := range produce.Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic, out.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, 10 // MESSAGE_TOO_LARGE
				out.Partitions = append(out.Partitions, partition)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil, true
	})
	err := e.ConsumeTraces(t.Context(), spans(5))
	if !consumererror.IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestMissingTopicWaitsAndTells(t *testing.T) {
	cluster := startKafka(t, wire.TopicCalls) // the dead letters have no topic
	warned := make(chan string, 1)
	e := startTraces(t, cluster.ListenAddrs(), zap.Hooks(func(entry zapcore.Entry) error {
		warned <- entry.Message
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- e.ConsumeTraces(ctx, spans(1)) }()
	if message := <-warned; !strings.Contains(message, "senders wait") {
		t.Errorf("warned with %q", message)
	}
	cancel()
	if err := <-over; err == nil || consumererror.IsPermanent(err) || !strings.Contains(err.Error(), wire.TopicDeadLetter) {
		t.Errorf("got %v, want an error that names the topic and may be tried again", err)
	}
}

func TestBadSpansAreAnswered(t *testing.T) {
	cluster := startKafka(t, wire.TopicCalls, wire.TopicDeadLetter)
	e := startTraces(t, cluster.ListenAddrs())
	td := spans(3)
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).SetSpanID(pcommon.SpanID{})
	ctx, answer := answers.NewContext(t.Context())
	if err := e.ConsumeTraces(ctx, td); err != nil {
		t.Fatal(err)
	}
	if n, reason := answer.Rejected(); n != 1 || reason != "zero_span_id" {
		t.Errorf("%d rejected: %s", n, reason)
	}
	if err := e.ConsumeTraces(t.Context(), td); err != nil {
		t.Errorf("without an answer to fill: %v", err)
	}
}
