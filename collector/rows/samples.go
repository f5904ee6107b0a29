package rows

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// maxSampleText bounds the text of one weir.samples message, so that it stays below Kafka's usual limit of 1 MB.
const maxSampleText = 256 << 10

// sampleRun is the work on one request of metrics.
type sampleRun struct {
	*Converter
	at     Layout
	open   []openSamples // by partition
	totals totals
	clock  clock
	batch  Batch
}

// totals adds up the counters of a request that differ only in what is not kept of them: the sum of running totals is a running total,
// whereas one of them in the place of another would look as if the counter had begun anew.
type totals struct {
	rows  []total
	index map[columns.Sample]int // by what tells them apart: the row without its value
}

type total struct {
	partition int
	row       columns.Sample
}

func (t *totals) add(partition int, row columns.Sample) {
	key := row
	key.Value = 0
	if i, ok := t.index[key]; ok {
		if sum := t.rows[i].row.Value + row.Value; !math.IsInf(sum, 0) {
			t.rows[i].row.Value = sum
		}
		return
	}
	if t.index == nil {
		t.index = map[columns.Sample]int{}
	}
	t.index[key] = len(t.rows)
	t.rows = append(t.rows, total{partition, row})
}

type openSamples struct {
	rows []columns.Sample
	text int
	key  string
}

// series is what the points of one metric of one resource share.
type series struct {
	resource  pcommon.Map
	from      schemas.Origin
	over      names.Set // levels of from that are schemas.Overflow
	partition int
	name      string
	unit      string
	counter   bool
}

// Samples turns the gauges and the running totals of a request into messages. received is the time of receipt.
func (c *Converter) Samples(md pmetric.Metrics, at Layout, received time.Time) (Batch, error) {
	r := &sampleRun{Converter: c, at: at, open: make([]openSamples, at.Samples), clock: c.clock(received)}
	for _, rm := range md.ResourceMetrics().All() {
		from, over := c.names.Origin(c.source, received, fit(c.origin(rm.Resource())))
		s := series{
			resource: rm.Resource().Attributes(), from: from, over: over,
			partition: wire.PartitionOf([]byte(from.Key()), at.Samples),
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				s.name, s.unit, s.counter = instanceName(m.Name()), name(m.Unit()), false
				if err := r.metric(m, s); err != nil {
					return Batch{}, err
				}
			}
		}
	}
	for _, t := range r.totals.rows {
		if err := r.put(t.partition, t.row); err != nil {
			return Batch{}, err
		}
	}
	for p := range r.open {
		if err := r.close(p); err != nil {
			return Batch{}, err
		}
	}
	return r.batch, nil
}

// OwnSamples turns what a collector tells about itself into messages for so many partitions.
func OwnSamples(samples []columns.Sample, partitions int) ([]ingest.Record, error) {
	r := &sampleRun{at: Layout{Samples: partitions}, open: make([]openSamples, partitions)}
	for _, s := range samples {
		if err := r.put(wire.PartitionOf([]byte(s.Origin.Key()), partitions), s); err != nil {
			return nil, err
		}
	}
	for p := range r.open {
		if err := r.close(p); err != nil {
			return nil, err
		}
	}
	return r.batch.Records, nil
}

func (r *sampleRun) metric(m pmetric.Metric, s series) error {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return r.points(m.Gauge().DataPoints(), s)
	case pmetric.MetricTypeSum:
		if m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityCumulative {
			r.skip("delta_not_supported", m.Sum().DataPoints().Len())
			return nil
		}
		s.counter = m.Sum().IsMonotonic()
		return r.points(m.Sum().DataPoints(), s)
	case pmetric.MetricTypeHistogram:
		r.skip("histogram_not_supported", m.Histogram().DataPoints().Len())
	case pmetric.MetricTypeExponentialHistogram:
		r.skip("exponential_histogram_not_supported", m.ExponentialHistogram().DataPoints().Len())
	case pmetric.MetricTypeSummary:
		r.skip("summary_not_supported", m.Summary().DataPoints().Len())
	}
	return nil
}

func (r *sampleRun) skip(reason string, n int) {
	r.batch.Read += n
	if n > 0 {
		r.batch.lose(Loss{Reason: reason, Count: n})
	}
}

func (r *sampleRun) points(points pmetric.NumberDataPointSlice, s series) error {
	for _, p := range points.All() {
		r.batch.Read++
		value := numberOf(p)
		switch t := uint64(p.Timestamp()); {
		case p.Flags().NoRecordedValue():
			// The sender says that the series ended, which is no loss.
			r.batch.lose(Loss{Reason: "no_recorded_value", Count: 1, Silent: true})
		case s.name == "":
			r.batch.lose(Loss{Reason: "no_metric_name", Count: 1})
		case strings.HasPrefix(s.name, schemas.ReservedMetric):
			// What collectors say about themselves is believed; nobody else may say it.
			r.batch.lose(Loss{Reason: "reserved_metric_name", Count: 1})
		case t == 0 || t >= uint64(schemas.LatestEvent):
			r.batch.lose(Loss{Reason: "time_out_of_range", Count: 1})
		case r.clock.absurd(int64(t)) != "":
			r.batch.lose(Loss{Reason: r.clock.absurd(int64(t)), Count: 1})
		case math.IsNaN(value) || math.IsInf(value, 0):
			r.batch.lose(Loss{Reason: "not_finite", Count: 1})
		default:
			metric, whole := r.metricName(s, p.Attributes())
			row := columns.Sample{Time: int64(t), Origin: s.from, Metric: metric, Unit: s.unit, Value: value}
			over := s.over
			if !r.names.Series(r.source, r.clock.now, s.from, metric) {
				// The values of different metrics have no sum; that there was a point does.
				row.Metric, row.Unit, row.Value, over = schemas.Overflow, "{points}", 1, over|names.SetOf(names.Series)
			}
			over.Count(&r.batch.Overflowed)
			r.batch.Rows++
			if over.Has(names.Series) || s.counter && !whole {
				r.totals.add(s.partition, row)
			} else if err := r.put(s.partition, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func numberOf(p pmetric.NumberDataPoint) float64 {
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		return float64(p.IntValue())
	case pmetric.NumberDataPointValueTypeDouble:
		return p.DoubleValue()
	}
	return math.NaN()
}

func (r *sampleRun) put(partition int, row columns.Sample) error {
	m := &r.open[partition]
	o := row.Origin
	// Counted as if no text occurred twice: a bound is all that is needed.
	size := len(row.Metric) + len(row.Unit) + len(o.Instance) + len(o.Name) + len(o.Namespace) + len(o.Version)
	if len(m.rows) >= columns.MaxRows || (len(m.rows) > 0 && m.text+size > maxSampleText) {
		if err := r.close(partition); err != nil {
			return err
		}
	}
	if len(m.rows) == 0 {
		m.key = o.Key()
	}
	m.rows = append(m.rows, row)
	m.text += size
	return nil
}

func (r *sampleRun) close(partition int) error {
	m := &r.open[partition]
	if len(m.rows) == 0 {
		return nil
	}
	value, err := columns.EncodeSamples(m.rows)
	if err != nil {
		return err
	}
	first, last := m.rows[0].Time, m.rows[0].Time
	for _, row := range m.rows {
		first, last = min(first, row.Time), max(last, row.Time)
	}
	r.batch.Records = append(r.batch.Records, ingest.Record{
		Topic: wire.TopicSamples, Partition: partition, Key: []byte(m.key), Value: value,
		Headers: dataHeaders(wire.SchemaSamples, first, last, len(m.rows)),
	})
	m.rows, m.text = m.rows[:0], 0
	return nil
}
