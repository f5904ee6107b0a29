package collector

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/zap"
)

// Telemetry returns a telemetry factory for a collector inside a process: its log goes to logger, its metrics to registerer. Either may
// be nil. The meters outlive the collector: they are made once, however often the collector's parts are, and keep their last values.
func Telemetry(logger *zap.Logger, registerer prometheus.Registerer) telemetry.Factory {
	if logger == nil {
		logger = zap.NewNop()
	}
	once := sync.OnceValues(func() (metric.MeterProvider, error) { return meters(registerer) })
	return telemetry.NewFactory(
		func() component.Config { return &struct{}{} },
		telemetry.WithCreateLogger(func(context.Context, telemetry.LoggerSettings, component.Config) (*zap.Logger, component.ShutdownFunc, error) {
			return logger, nil, nil
		}),
		telemetry.WithCreateMeterProvider(func(context.Context, telemetry.MeterSettings, component.Config) (telemetry.MeterProvider, error) {
			provider, err := once()
			return lasting{provider}, err
		}),
	)
}

func meters(registerer prometheus.Registerer) (metric.MeterProvider, error) {
	if registerer == nil {
		return noop.NewMeterProvider(), nil
	}
	reader, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registerer), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("register collector metrics: %w", err)
	}
	return sdk.NewMeterProvider(
		sdk.WithReader(reader), sdk.WithView(without(otelgrpc.ScopeName), without(otelhttp.ScopeName)),
	), nil
}

// without drops the instruments of a library: histograms of every request that say nothing our own counters do not.
func without(scope string) sdk.View {
	return sdk.NewView(
		sdk.Instrument{Name: "*", Scope: instrumentation.Scope{Name: scope}},
		sdk.Stream{Aggregation: sdk.AggregationDrop{}},
	)
}

// lasting is a meter provider that the collector does not end.
type lasting struct{ metric.MeterProvider }

// Shutdown leaves the meters as they are.
func (lasting) Shutdown(context.Context) error { return nil }
