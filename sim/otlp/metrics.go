package otlp

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/weirmesh/weir/sim/mesh"
)

// CPUMetric is the gauge of an instance's CPU use as a share of its limit, named as OpenTelemetry's kubeletstats receiver does.
const CPUMetric = "k8s.pod.cpu_limit_utilization"

// Metrics makes one request of the gauges, a resource for each. The caller owns it.
func Metrics(gauges []mesh.Gauge) pmetric.Metrics {
	md := pmetric.NewMetrics()
	md.ResourceMetrics().EnsureCapacity(len(gauges))
	for _, g := range gauges {
		rm := md.ResourceMetrics().AppendEmpty()
		resource(g.Origin, rm.Resource().Attributes())
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(Scope)
		m := sm.Metrics().AppendEmpty()
		m.SetName(CPUMetric)
		m.SetUnit("1")
		point := m.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.Timestamp(g.At))
		point.SetDoubleValue(g.Value)
	}
	return md
}
