package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirmesh/weir/collector/answers"
)

// ErrStopped says that a collector ended though nobody asked: a listener failed. Its log names the cause.
var ErrStopped = errors.New("the collector stopped by itself, its log says why")

// Collector takes OTLP and writes to Kafka. It runs once.
type Collector struct {
	service *otelcol.Collector
	ready   chan struct{}
}

// New returns a collector that is ready to run, or says what is wrong with the configuration. It opens nothing yet.
func New(cfg Config) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	text, err := cfg.configuration()
	if err != nil {
		return nil, err
	}
	logger := zap.NewNop()
	if cfg.Logger != nil {
		logger = zap.New(&core{handler: cfg.Logger.Handler()})
	}
	c := &Collector{ready: make(chan struct{})}
	// SIGHUP has the parts built anew, so the extension may call more than once.
	announce := sync.OnceFunc(func() { close(c.ready) })
	own := Telemetry(logger, cfg.Registerer)
	c.service, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "weir collector", Description: "Weir collector", Version: "latest"},
		Factories: func() (otelcol.Factories, error) {
			return Components(own, answers.WithReady(announce))
		},
		ConfigProviderSettings:  provider(text),
		DisableGracefulShutdown: true, // the caller's context ends it
		SkipSettingGRPCLogger:   true, // one for the whole process
		LoggingOptions:          []zap.Option{zap.WrapCore(func(zapcore.Core) zapcore.Core { return logger.Core() })},
	})
	if err != nil {
		return nil, fmt.Errorf("build collector: %w", err)
	}
	return c, nil
}

// Ready is closed when the collector listens.
func (c *Collector) Ready() <-chan struct{} { return c.ready }

// Run takes requests until ctx ends, then lets those it holds finish and returns nil. An address that is taken, a file that is missing
// and the like are errors at once; Kafka being away is not, because requests wait for it.
func (c *Collector) Run(ctx context.Context) error {
	if err := c.service.Run(ctx); err != nil {
		return fmt.Errorf("run collector: %w", err)
	}
	if ctx.Err() == nil {
		return ErrStopped
	}
	return nil
}

// Run builds a collector and runs it, see Collector.Run.
func Run(ctx context.Context, cfg Config) error {
	c, err := New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
