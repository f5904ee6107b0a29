// Package answers is a Collector extension, of type weir_answers, that lets an exporter answer the sender of a request: records that will
// never be taken are told to the sender as OTLP partial success, over gRPC and over HTTP.
//
// It works as middleware of the otlp receiver. The exporter asks for the request's Answer with FromContext and rejects what it does
// not take; the extension puts the sum into the response. The pipeline must be synchronous: behind a queue or a batch processor the
// response is gone before the exporter sees the data.
//
// It also ends requests that still wait some time after the collector was told to stop, so that stopping always ends. And it
// lets no more requests in than there is memory to decode: two bytes may be a span.
package answers

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// Option changes what NewFactory makes.
type Option func(*options)

type options struct{ ready func() }

// WithReady has ready called, once for each extension, when all receivers of its collector listen.
func WithReady(ready func()) Option {
	return func(o *options) { o.ready = ready }
}

// NewFactory returns the factory of the extension.
func NewFactory(opts ...Option) extension.Factory {
	var o options
	for _, set := range opts {
		set(&o)
	}
	return extension.NewFactory(
		component.MustNewType("weir_answers"),
		func() component.Config { return &Config{Drain: 10 * time.Second, RoomMiB: 512} },
		func(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
			own, ok := cfg.(*Config)
			if !ok {
				return nil, fmt.Errorf("weir_answers got a configuration of type %T", cfg)
			}
			return newAnswers(own, set.Logger, o.ready), nil
		},
		component.StabilityLevelBeta,
	)
}
