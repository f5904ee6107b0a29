package recording

import "go.opentelemetry.io/collector/pdata/pmetric"

// points counts the data points of a metric, whichever kind it is.
func points(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	case pmetric.MetricTypeEmpty:
	}
	return 0
}

// movePoints gives to everything that describes from, and n of its points, starting at start.
func movePoints(from, to pmetric.Metric, start, n int) {
	to.SetName(from.Name())
	to.SetDescription(from.Description())
	to.SetUnit(from.Unit())
	from.Metadata().CopyTo(to.Metadata())
	switch from.Type() {
	case pmetric.MetricTypeGauge:
		move(from.Gauge().DataPoints(), to.SetEmptyGauge().DataPoints(), start, n)
	case pmetric.MetricTypeSum:
		sum := to.SetEmptySum()
		sum.SetIsMonotonic(from.Sum().IsMonotonic())
		sum.SetAggregationTemporality(from.Sum().AggregationTemporality())
		move(from.Sum().DataPoints(), sum.DataPoints(), start, n)
	case pmetric.MetricTypeHistogram:
		h := to.SetEmptyHistogram()
		h.SetAggregationTemporality(from.Histogram().AggregationTemporality())
		move(from.Histogram().DataPoints(), h.DataPoints(), start, n)
	case pmetric.MetricTypeExponentialHistogram:
		h := to.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(from.ExponentialHistogram().AggregationTemporality())
		move(from.ExponentialHistogram().DataPoints(), h.DataPoints(), start, n)
	case pmetric.MetricTypeSummary:
		move(from.Summary().DataPoints(), to.SetEmptySummary().DataPoints(), start, n)
	case pmetric.MetricTypeEmpty:
	}
}

// list is what pdata's slices of data points have in common.
type list[P any] interface {
	At(int) P
	AppendEmpty() P
}

func move[P interface{ MoveTo(P) }](from, to list[P], start, n int) {
	for i := start; i < start+n; i++ {
		from.At(i).MoveTo(to.AppendEmpty())
	}
}
