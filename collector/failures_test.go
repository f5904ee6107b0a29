package collector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/collector"
)

func TestGarbageIsAClearError(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.MaxRequestMiB = 1 })
	good, err := ptraceotlp.NewExportRequestFromTraces(spans(1, 3)).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	huge := bytes.Repeat([]byte{0x0a}, 2<<20)
	for _, tt := range []struct {
		name, contentType string
		body              []byte
		low, high         int
	}{
		{"garbage", protobuf, []byte("\xff\xff\xffnot OTLP"), 400, 499},
		{"truncated", protobuf, good[:len(good)-3], 400, 499},
		{"garbage JSON", jsonType, []byte(`{"resourceSpans": [`), 400, 499},
		{"wrong content type", "text/plain", good, 400, 499},
		{"oversized", protobuf, huge, 400, 499},
		{"oversized when unpacked", protobuf, gzipped(t, huge), 400, 499},
	} {
		if code, answer := c.post(t, "/v1/traces", tt.contentType, tt.body); code < tt.low || code > tt.high || len(answer) == 0 {
			t.Errorf("%s: %d %q", tt.name, code, answer)
		}
	}
	_, err = ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(2, 20_000)))
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("oversized over gRPC: %v", err)
	}
	garbage := []byte("\xff\xff\xffnot OTLP")
	err = c.grpc.Invoke(t.Context(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export", &garbage, &garbage, grpc.ForceCodec(raw{}))
	if status.Code(err) != codes.Internal {
		t.Errorf("garbage over gRPC: %v, want Internal, which senders do not repeat", err)
	}
	if code, answer := c.post(t, "/v1/traces", protobuf, good); code != http.StatusOK {
		t.Errorf("the next good request: %d %q", code, answer)
	}
	if n := len(readSpans(t, cluster, client)); n != 3 {
		t.Errorf("%d spans in Kafka, want 3", n)
	}
}

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// raw sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) {
	if body, ok := v.(*[]byte); ok {
		return *body, nil
	}
	return nil, fmt.Errorf("cannot send %T", v)
}

func (raw) Unmarshal(data []byte, v any) error {
	body, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot receive %T", v)
	}
	*body = data
	return nil
}

func (raw) Name() string { return "proto" }

func TestRequestsWaitForKafka(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	var refused atomic.Int32
	away := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if refused.Add(1) == 4 {
			close(away)
		}
		if refused.Load() > 6 {
			cluster.DropControl()
			return nil, nil, false
		}
		cluster.KeepControl()
		return nil, fmt.Errorf("no broker here"), true
	})
	over := make(chan error, 1)
	go func() {
		_, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 100)))
		over <- err
	}()
	<-away
	select {
	case err := <-over:
		t.Fatalf("the request ended while Kafka was away: %v", err)
	default:
	}
	select {
	case err := <-over:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the request does not end")
	}
	if n := len(readSpans(t, cluster, client)); n != 100 {
		t.Errorf("%d spans in Kafka, want 100: each once", n)
	}
	c.stop()
	for _, want := range []string{"Kafka takes no messages, senders wait", "Kafka takes messages again"} {
		if strings.Count(c.log.String(), want) != 1 {
			t.Errorf("log says %q not once:\n%s", want, c.log)
		}
	}
}

func TestStoppingEndsWaitingRequests(t *testing.T) {
	cluster, _ := startKafka(t)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.Drain = 50 * time.Millisecond })
	tried := make(chan struct{}, 1)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		select {
		case tried <- struct{}{}:
		default:
		}
		return nil, fmt.Errorf("no broker here"), true
	})
	over := make(chan error, 1)
	go func() {
		_, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 5)))
		over <- err
	}()
	<-tried
	c.stop()
	if err := <-over; status.Code(err) != codes.Unavailable {
		t.Errorf("the request that waited ended with %v, want Unavailable: its sender must try again", err)
	}
}

func TestSenderGivesUp(t *testing.T) {
	cluster, _ := startKafka(t)
	c := start(t, cluster, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cancel()
		return nil, fmt.Errorf("no broker here"), true
	})
	_, err := ptraceotlp.NewGRPCClient(c.grpc).Export(ctx, ptraceotlp.NewExportRequestFromTraces(spans(1, 5)))
	if status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestMemoryLimitRefusesForNow(t *testing.T) {
	cluster, _ := startKafka(t)
	held := bytes.Repeat([]byte{1}, 8<<20)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.MemoryLimitMiB, cfg.MaxRequestMiB = 2, 1 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// The limiter looks once a second; until then requests pass.
	for {
		_, err := ptraceotlp.NewGRPCClient(c.grpc).Export(ctx, ptraceotlp.NewExportRequestFromTraces(spans(1, 1)))
		if err == nil {
			continue
		}
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "memory") {
			t.Errorf("refused with %v, want Unavailable, which senders try again", err)
		}
		break
	}
	body, _ := ptraceotlp.NewExportRequestFromTraces(spans(1, 1)).MarshalProto()
	if code, answer := c.post(t, "/v1/traces", protobuf, body); code != http.StatusServiceUnavailable {
		t.Errorf("HTTP: %d %s", code, answer)
	}
	if held[len(held)-1] != 1 {
		t.Error("the memory that breaks the limit is gone")
	}
}

// TestHangupDoesNoHarm: the Collector builds its parts anew on SIGHUP, in whatever process it runs.
func TestHangupDoesNoHarm(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	export := func(seed byte) error {
		_, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(seed, 5)), grpc.WaitForReady(true))
		return err
	}
	if err := export(1); err != nil {
		t.Fatal(err)
	}
	// Without this, a signal before the collector listens for it would end the test.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	// A request may fall between the old parts and the new ones; its sender tries again.
	<-hangup
	for seed := byte(2); seed < 50; seed++ {
		if err := export(seed); err != nil && status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
	}
	if n, counted := len(readSpans(t, cluster, client)), c.metric(t, "weir_collector_sent_total"); float64(n) != counted || n < 10 {
		t.Errorf("%d spans in Kafka, %v counted", n, counted)
	}
}

func TestBusyPortIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, door := range []string{"grpc", "http"} {
		cfg := collector.DefaultConfig()
		cfg.KafkaAddresses = []string{"127.0.0.1:1"}
		cfg.GRPC, cfg.HTTP = "", ""
		if door == "grpc" {
			cfg.GRPC = taken.Addr().String()
		} else {
			cfg.HTTP = taken.Addr().String()
		}
		err := collector.Run(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: %v", door, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, change := range map[error]func(*collector.Config){
		collector.ErrNoListener: func(c *collector.Config) { c.GRPC, c.HTTP = "", "" },
		collector.ErrTLSPair:    func(c *collector.Config) { c.CertFile = "a" },
		collector.ErrLimits:     func(c *collector.Config) { c.MemoryLimitMiB = 0 },
		collector.ErrNoKafka:    func(c *collector.Config) { c.KafkaAddresses = nil },
	} {
		cfg := collector.DefaultConfig()
		cfg.KafkaAddresses = []string{"127.0.0.1:1"}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if _, err := collector.New(cfg); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}
