package collector_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weirmesh/weir/collector"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should be over at once.
const patience = 30 * time.Second

// partitions of every topic in these tests.
const partitions = 3

// startKafka runs an embedded broker with Weir's topics.
func startKafka(t testing.TB) (*kfake.Cluster, *kafka.Client) {
	t.Helper()
	return startKafkaWith(t, kafka.Security{})
}

// startKafkaWith does the same for a broker and a client that talk TLS or want a user.
func startKafkaWith(t testing.TB, secure kafka.Security, opts ...kfake.Opt) (*kfake.Cluster, *kafka.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kafka.New(kafka.Config{Addresses: cluster.ListenAddrs(), Security: secure})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var topics []kafka.Topic
	for _, name := range []string{wire.TopicCalls, wire.TopicSamples, wire.TopicDeadLetter} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: partitions, Replication: 1})
	}
	if err := client.EnsureTopics(t.Context(), true, topics...); err != nil {
		t.Fatal(err)
	}
	return cluster, client
}

// read returns every record that a topic holds now.
func read(t testing.TB, cluster *kfake.Cluster, client *kafka.Client, topic string) []*kgo.Record {
	t.Helper()
	bounds, err := client.Bounds(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, b := range bounds {
		want += b.End
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []*kgo.Record
	for int64(len(out)) < want {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s, %d of %d: %v", topic, len(out), want, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// readSpans returns every row of weir.calls.
func readSpans(t testing.TB, cluster *kfake.Cluster, client *kafka.Client) []columns.Span {
	t.Helper()
	var out []columns.Span
	for _, r := range read(t, cluster, client, wire.TopicCalls) {
		batch, err := columns.DecodeSpans(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, batch.Spans...)
	}
	return out
}

// running is a collector and ways to talk to it.
type running struct {
	grpc    *grpc.ClientConn
	http    *http.Client
	metrics *prometheus.Registry
	log     *bytes.Buffer // read it after stop only
	stop    func()        // returns when Run has
}

// start runs a collector on two sockets and waits until it listens.
func start(t testing.TB, cluster *kfake.Cluster, change func(*collector.Config)) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir") //nolint:usetesting // the path of a socket must be short, t.TempDir has the test's name in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	grpcPath, httpPath := filepath.Join(dir, "grpc"), filepath.Join(dir, "http")
	r := &running{metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	cfg := collector.DefaultConfig()
	cfg.GRPC, cfg.HTTP = "unix://"+grpcPath, "unix://"+httpPath
	cfg.KafkaAddresses = cluster.ListenAddrs()
	cfg.Registerer = r.metrics
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	if change != nil {
		change(&cfg)
	}
	r.run(t, cfg)
	if r.grpc, err = grpc.NewClient("unix://"+grpcPath, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", httpPath)
	}}
	r.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		_ = r.grpc.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// run runs a collector until stop is called or the test ends.
func (r *running) run(t testing.TB, cfg collector.Config) {
	t.Helper()
	c, err := collector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-over:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Error("the collector does not stop")
		}
	})
	select {
	case <-c.Ready():
		t.Cleanup(r.stop)
	case err := <-over:
		cancel()
		t.Fatalf("run: %v", err)
	case <-time.After(patience):
		cancel()
		t.Fatal("the collector is not ready")
	}
}

// post sends a body over HTTP and returns what came back.
func (r *running) post(t testing.TB, path, contentType string, body []byte) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://collector"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// metric returns the value of a counter or gauge, the sum over its labels that hold all of want ("key=value").
func (r *running) metric(t testing.TB, name string, want ...string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels strings.Builder
			for _, l := range m.GetLabel() {
				labels.WriteString(l.GetName() + "=" + l.GetValue() + ";")
			}
			all := true
			for _, w := range want {
				all = all && strings.Contains(labels.String(), w+";")
			}
			if all {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// spans makes a request of n good spans of one workload, each a trace of its own. Traces with different seeds differ.
func spans(seed byte, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	rs.Resource().Attributes().PutStr("k8s.namespace.name", "shop")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := list.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{seed, byte(i >> 8), byte(i), 1})
		s.SetSpanID(pcommon.SpanID{byte(i >> 8), byte(i), 1})
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(1_700_000_000_000_000_000)
		s.SetEndTimestamp(1_700_000_000_005_000_000)
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutStr("http.route", "/cart/{id}")
		s.Attributes().PutStr("url.full", "https://shop.example/cart/secret")
	}
	return td
}
