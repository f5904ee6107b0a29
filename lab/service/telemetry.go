package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	scope = "github.com/weirmesh/weir/lab/service"

	exportEvery  = time.Second
	measureEvery = 5 * time.Second
	spanQueue    = 1 << 16
)

// telemetry is what an instrumented application brings along: an SDK for spans, gauges and logs that reports over one connection.
type telemetry struct {
	conn    *grpc.ClientConn
	spans   *spanCounter
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	loggers *sdklog.LoggerProvider
	log     *slog.Logger
}

func newTelemetry(ctx context.Context, cfg Config, ahead func() time.Duration) (*telemetry, error) {
	conn, err := dialTelemetry(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to %s for telemetry: %w", cfg.Telemetry, err)
	}
	t := &telemetry{conn: conn}
	if err := t.setUp(ctx, cfg.resource(), ahead); err != nil {
		return nil, errors.Join(fmt.Errorf("set up telemetry: %w", err), conn.Close())
	}
	return t, nil
}

// dialTelemetry connects from the instance's own address: who listens knows senders by it.
func dialTelemetry(cfg Config) (*grpc.ClientConn, error) {
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Listen, 0))}
	return grpc.NewClient("passthrough:///"+cfg.Telemetry.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: time.Second,
		}),
	)
}

func (t *telemetry) setUp(ctx context.Context, of *resource.Resource, ahead func() time.Duration) error {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(t.conn))
	if err != nil {
		return err
	}
	metrics, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(t.conn))
	if err != nil {
		return err
	}
	logs, err := otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(t.conn))
	if err != nil {
		return err
	}
	t.spans = &spanCounter{exporter: spans, ahead: ahead}
	t.tracers = sdktrace.NewTracerProvider(sdktrace.WithResource(of), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithSpanProcessor(spanEnds{t.spans}), sdktrace.WithBatcher(t.spans, sdktrace.WithBatchTimeout(exportEvery),
			sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithMaxExportBatchSize(2048)))
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithResource(of),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(quietMetrics{metrics}, sdkmetric.WithInterval(measureEvery))))
	t.loggers = sdklog.NewLoggerProvider(sdklog.WithResource(of),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(quietLogs{logs}, sdklog.WithExportInterval(exportEvery))))
	t.log = slog.New(otelslog.NewHandler(scope, otelslog.WithLoggerProvider(t.loggers)))
	return nil
}

// resource says whose telemetry it is: the instance's proxy says the same, so that both count as one.
func (c Config) resource() *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", c.Service.Name), attribute.String("service.version", c.Version.Name),
		attribute.String("service.instance.id", c.Pod), attribute.String("k8s.pod.name", c.Pod),
		attribute.String("k8s.namespace.name", c.Namespace), attribute.String("k8s.cluster.name", c.Cluster),
		attribute.String("cloud.region", c.Region),
	)
}

func (t *telemetry) tracer() trace.Tracer { return t.tracers.Tracer(scope) }

// httpOptions are those of the genuine instrumentation. Its histograms are left out: calls are counted from spans.
func (t *telemetry) httpOptions() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.tracers), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	}
}

func (t *telemetry) grpcOptions() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.tracers), otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
	}
}

// stop reports what is left until ctx ends.
func (t *telemetry) stop(ctx context.Context) error {
	if err := errors.Join(t.tracers.Shutdown(ctx), t.meters.Shutdown(ctx), t.loggers.Shutdown(ctx), t.conn.Close()); err != nil {
		return fmt.Errorf("report the last telemetry: %w", err)
	}
	return nil
}
