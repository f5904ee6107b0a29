package collector

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/zap"
)

// Telemetry returns a telemetry factory for a collector inside a process: its log goes to logger, its metrics to registerer. Either may
// be nil.
func Telemetry(logger *zap.Logger, registerer prometheus.Registerer) telemetry.Factory {
	if logger == nil {
		logger = zap.NewNop()
	}
	return telemetry.NewFactory(
		func() component.Config { return &struct{}{} },
		telemetry.WithCreateLogger(func(context.Context, telemetry.LoggerSettings, component.Config) (*zap.Logger, component.ShutdownFunc, error) {
			return logger, nil, nil
		}),
		telemetry.WithCreateMeterProvider(func(context.Context, telemetry.MeterSettings, component.Config) (telemetry.MeterProvider, error) {
			return meters(registerer)
		}),
	)
}

func meters(registerer prometheus.Registerer) (telemetry.MeterProvider, error) {
	if registerer == nil {
		return silent{}, nil
	}
	reader, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registerer), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("register collector metrics: %w", err)
	}
	return metric.NewMeterProvider(
		metric.WithReader(reader), metric.WithView(without(otelgrpc.ScopeName), without(otelhttp.ScopeName)),
	), nil
}

// without drops the instruments of a library: histograms of every request that say nothing our own counters do not.
func without(scope string) metric.View {
	return metric.NewView(
		metric.Instrument{Name: "*", Scope: instrumentation.Scope{Name: scope}},
		metric.Stream{Aggregation: metric.AggregationDrop{}},
	)
}

// silent measures nothing.
type silent struct{ noop.MeterProvider }

// Shutdown has nothing to end.
func (silent) Shutdown(context.Context) error { return nil }
