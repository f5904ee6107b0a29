package rows_test

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// gauges makes a request with one metric of each kind that is kept.
func gauges() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	fill(rm.Resource().Attributes(), attrs{"service.name": "a", "k8s.pod.name": "a-1", "k8s.container.name": "main", "host.arch": "arm64"})
	list := rm.ScopeMetrics().AppendEmpty().Metrics()
	m := list.AppendEmpty()
	m.SetName("jvm.memory.used")
	m.SetUnit("By")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(7)
	p.SetIntValue(1 << 40)
	fill(p.Attributes(), attrs{"jvm.memory.type": "heap", "jvm.memory.pool.name": "G1 {Old},x=1", "user.id": "secret", "x": true})
	m = list.AppendEmpty()
	m.SetName("queue.size")
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p = m.Sum().DataPoints().AppendEmpty()
	p.SetTimestamp(9)
	p.SetDoubleValue(-2.5)
	return md
}

func TestSamples(t *testing.T) {
	at := rows.Layout{Samples: 8}
	batch, err := rows.New(rows.Config{Tenant: "blue", Attributes: []string{"x", "state"}}).Samples(gauges(), at, received())
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Records) != 1 || batch.Rows != 2 || batch.Read != 2 || batch.Losses != nil {
		t.Fatalf("got %+v", batch)
	}
	r := batch.Records[0]
	if r.Partition != wire.PartitionOf([]byte("//a"), 8) || string(r.Key) != "//a" || r.Topic != wire.TopicSamples {
		t.Errorf("record to %s/%d with key %s", r.Topic, r.Partition, r.Key)
	}
	if first, last, _ := wire.FindEvents(r.Headers); first != 7 || last != 9 {
		t.Errorf("events %d to %d", first, last)
	}
	samples, err := columns.DecodeSamples(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []columns.Sample{
		{Time: 7, Unit: "By", Value: 1 << 40, Metric: "jvm.memory.used{jvm.memory.pool.name=G1 _Old__x_1,jvm.memory.type=heap,k8s.container.name=main,x=true}"},
		{Time: 9, Value: -2.5, Metric: "queue.size{k8s.container.name=main}"},
	} {
		want.Origin.Name, want.Origin.Instance, want.Origin.Tenant = "a", "a-1", "blue"
		if samples[i] != want {
			t.Errorf("got  %+v\nwant %+v", samples[i], want)
		}
	}
}

// TestCountersAreRunningTotals: what differs only in attributes that are not kept is one counter.
func TestCountersAreRunningTotals(t *testing.T) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	fill(rm.Resource().Attributes(), attrs{"service.name": "a"})
	list := rm.ScopeMetrics().AppendEmpty().Metrics()
	add := func(at, value int64, attributes attrs) {
		m := list.AppendEmpty()
		m.SetName("requests")
		m.SetUnit("{request}")
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.Timestamp(at))
		p.SetIntValue(value)
		fill(p.Attributes(), attributes)
	}
	add(1, 100, attrs{"envoy.cluster_name": "b", "path": "/x"})
	add(1, 20, attrs{"envoy.cluster_name": "b", "path": "/y"})
	add(1, 3, attrs{"envoy.cluster_name": "c", "path": "/x"})
	add(2, 110, attrs{"envoy.cluster_name": "b", "path": "/x"})
	add(2, 7, attrs{"envoy.cluster_name": "d"})
	batch, err := rows.New(rows.Config{}).Samples(md, rows.Layout{Samples: 1}, received())
	if err != nil || batch.Read != 5 || batch.Rows != 5 || batch.Losses != nil || len(batch.Records) != 1 {
		t.Fatalf("%+v, %v", batch, err)
	}
	got, err := columns.DecodeSamples(batch.Records[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b columns.Sample) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Metric, b.Metric))
	})
	for i, want := range []columns.Sample{
		{Time: 1, Metric: "requests{envoy.cluster_name=b}", Value: 120},
		{Time: 1, Metric: "requests{envoy.cluster_name=c}", Value: 3},
		{Time: 2, Metric: "requests{envoy.cluster_name=b}", Value: 110},
		{Time: 2, Metric: "requests{envoy.cluster_name=d}", Value: 7},
	} {
		want.Origin.Name, want.Unit = "a", "{request}"
		if i >= len(got) || got[i] != want {
			t.Fatalf("sample %d of %+v, want %+v", i, got, want)
		}
	}
}

func TestPointsThatAreNotKept(t *testing.T) {
	point := func(set func(pmetric.NumberDataPoint)) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(1)
			p.SetIntValue(1)
			set(p)
		}
	}
	for _, tt := range []struct {
		reason string
		silent bool
		make   func(pmetric.Metric)
	}{
		{"histogram_not_supported", false, func(m pmetric.Metric) { m.SetEmptyHistogram().DataPoints().AppendEmpty() }},
		{"exponential_histogram_not_supported", false, func(m pmetric.Metric) { m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty() }},
		{"summary_not_supported", false, func(m pmetric.Metric) { m.SetEmptySummary().DataPoints().AppendEmpty() }},
		{"delta_not_supported", false, func(m pmetric.Metric) {
			m.SetEmptySum().SetIsMonotonic(true)
			m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			m.Sum().DataPoints().AppendEmpty()
		}},
		{"delta_not_supported", false, func(m pmetric.Metric) { m.SetEmptySum().DataPoints().AppendEmpty() }},
		{"delta_not_supported", false, func(m pmetric.Metric) {
			m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			m.Sum().DataPoints().AppendEmpty()
		}},
		{"no_recorded_value", true, point(func(p pmetric.NumberDataPoint) {
			p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		})},
		{"not_finite", false, point(func(p pmetric.NumberDataPoint) { p.SetDoubleValue(math.NaN()) })},
		{"not_finite", false, point(func(p pmetric.NumberDataPoint) { p.SetDoubleValue(math.Inf(-1)) })},
		{"time_out_of_range", false, point(func(p pmetric.NumberDataPoint) { p.SetTimestamp(0) })},
		{"time_out_of_range", false, point(func(p pmetric.NumberDataPoint) { p.SetTimestamp(math.MaxUint64) })},
		{"no_metric_name", false, func(m pmetric.Metric) {
			point(func(pmetric.NumberDataPoint) {})(m)
			m.SetName("")
		}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			md := pmetric.NewMetrics()
			m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			m.SetName("m")
			tt.make(m)
			batch, err := rows.New(rows.Config{}).Samples(md, rows.Layout{Samples: 1}, received())
			if err != nil {
				t.Fatal(err)
			}
			want := rows.Loss{Reason: tt.reason, Count: 1, Silent: tt.silent}
			if len(batch.Losses) != 1 || batch.Losses[0] != want || len(batch.Records) != 0 || batch.Read != 1 {
				t.Errorf("got %+v", batch)
			}
		})
	}
}

func TestSampleMessagesAreBounded(t *testing.T) {
	md := pmetric.NewMetrics()
	list := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	const n = 6000
	for i := range n {
		m := list.AppendEmpty()
		m.SetName(strings.Repeat("m", 200) + string(rune('a'+i%26)))
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(1)
		p.SetIntValue(int64(i))
	}
	batch, err := rows.New(rows.Config{}).Samples(md, rows.Layout{Samples: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, r := range batch.Records {
		samples, err := columns.DecodeSamples(r.Value)
		if err != nil || len(r.Value) > 900<<10 {
			t.Fatal(len(r.Value), err)
		}
		sum += len(samples)
	}
	if sum != n || len(batch.Records) < 2 {
		t.Errorf("%d samples in %d messages", sum, len(batch.Records))
	}
}
