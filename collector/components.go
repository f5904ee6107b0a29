package collector

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"

	"github.com/weirmesh/weir/collector/answers"
	"github.com/weirmesh/weir/collector/weirexporter"
)

// Modules of the components, as builder.yaml names them. A test holds them equal to it and to go.mod.
const (
	moduleOTLP          = "go.opentelemetry.io/collector/receiver/otlpreceiver v0.161.0"
	moduleMemoryLimiter = "go.opentelemetry.io/collector/processor/memorylimiterprocessor v0.161.0"
	moduleExporter      = "github.com/weirmesh/weir/collector/weirexporter v0.0.0"
	moduleAnswers       = "github.com/weirmesh/weir/collector/answers v0.0.0"
)

// Components returns the factories of everything in the distribution. own makes the collector's logger and meters, see Telemetry; a
// binary made from builder.yaml brings the Collector's usual one.
func Components(own telemetry.Factory, opts ...answers.Option) (otelcol.Factories, error) {
	otlp, limiter := otlpreceiver.NewFactory(), memorylimiterprocessor.NewFactory()
	weir, answer := weirexporter.NewFactory(), answers.NewFactory(opts...)
	receivers, err1 := otelcol.MakeFactoryMap[receiver.Factory](otlp)
	processors, err2 := otelcol.MakeFactoryMap[processor.Factory](limiter)
	exporters, err3 := otelcol.MakeFactoryMap[exporter.Factory](weir)
	extensions, err4 := otelcol.MakeFactoryMap[extension.Factory](answer)
	return otelcol.Factories{
		Receivers: receivers, ReceiverModules: map[component.Type]string{otlp.Type(): moduleOTLP},
		Processors: processors, ProcessorModules: map[component.Type]string{limiter.Type(): moduleMemoryLimiter},
		Exporters: exporters, ExporterModules: map[component.Type]string{weir.Type(): moduleExporter},
		Extensions: extensions, ExtensionModules: map[component.Type]string{answer.Type(): moduleAnswers},
		Telemetry: own,
	}, errors.Join(err1, err2, err3, err4)
}
