package otlp_test

import (
	"bytes"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/otlp"
)

func origins() (a, b *mesh.Origin) {
	a = &mesh.Origin{
		Index: 3, Cluster: "demo", Namespace: "shop", Service: "cart", Version: "v1", Instance: "cart-v1-x",
		Deployment: "cart-v1", Route: "/cart", Collector: 1,
	}
	b = &mesh.Origin{
		Index: 0, Cluster: "demo", Namespace: "shop", Service: "db", Version: "v2", Deployment: "db-v2", Route: "/db", Collector: 2,
	}
	return a, b
}

func TestTraces(t *testing.T) {
	a, b := origins()
	trace := schemas.TraceID{1, 2, 3}
	spans := []mesh.Span{
		{Trace: trace, ID: 2, Parent: 1, Start: 10, End: 30, Origin: b, Status: 503, Flags: "UH", Resend: 2},
		{Trace: trace, ID: 1, Start: 5, End: 40, Origin: a, Status: 200},
		{Trace: trace, ID: 3, Parent: 1, Start: 35, End: 50, Origin: b, Status: 200},
	}
	var e otlp.Encoder
	td := e.Traces(spans)
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"service.version","value":{"stringValue":"v2"}`, `"k8s.pod.name","value":{"stringValue":"cart-v1-x"}`,
		`"k8s.deployment.name","value":{"stringValue":"cart-v1"}`, `"k8s.cluster.name","value":{"stringValue":"demo"}`,
		`"response_flags","value":{"stringValue":"UH"}`, `"http.request.resend_count","value":{"intValue":"2"}`,
		`"http.response.status_code","value":{"intValue":"503"}`, `"http.route","value":{"stringValue":"/cart"}`,
		`"parentSpanId":"0000000000000001"`, `"status":{"code":2}`,
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if td.ResourceSpans().Len() != 2 || td.SpanCount() != 3 {
		t.Fatalf("%d resources with %d spans", td.ResourceSpans().Len(), td.SpanCount())
	}
	db := td.ResourceSpans().At(0)
	if _, named := db.Resource().Attributes().Get("service.instance.id"); named || db.ScopeSpans().At(0).Spans().Len() != 2 {
		t.Errorf("a resource without an instance has one, or the order is another")
	}
	if root := td.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0); !root.ParentSpanID().IsEmpty() {
		t.Error("the root has a parent")
	}
	again := e.Traces(spans[1:2])
	if again.ResourceSpans().Len() != 1 || again.SpanCount() != 1 {
		t.Error("a request remembers the one before")
	}
}

func TestMetrics(t *testing.T) {
	a, b := origins()
	md := otlp.Metrics([]mesh.Gauge{{Origin: a, At: 60e9 - 1e6, Value: 0.25}, {Origin: b, At: 60e9 - 1e6, Value: 1}})
	if md.DataPointCount() != 2 {
		t.Fatalf("%d points", md.DataPointCount())
	}
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if m.Name() != "k8s.pod.cpu_limit_utilization" || m.Unit() != "1" || m.Gauge().DataPoints().At(0).DoubleValue() != 0.25 {
		t.Errorf("got %s in %s", m.Name(), m.Unit())
	}
}

// TestSameBytes: the same seed gives the same requests, byte for byte.
func TestSameBytes(t *testing.T) {
	digest := func() uint64 {
		h := fnv.New64a()
		var e otlp.Encoder
		run(t, shop(t, 10*time.Minute), func(b mesh.Batch) error {
			traces, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(e.Traces(b.Spans))
			if err != nil {
				return err
			}
			metrics, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(otlp.Metrics(b.Gauges))
			h.Write(slices.Concat(traces, metrics))
			return err
		})
		return h.Sum64()
	}
	if one, two := digest(), digest(); one != two {
		t.Errorf("digests %x and %x", one, two)
	}
}

// BenchmarkShop simulates and encodes; spans/s is for the two together.
func BenchmarkShop(b *testing.B) {
	for _, tt := range []struct {
		name   string
		encode bool
	}{{"mesh", false}, {"mesh and requests", true}} {
		b.Run(tt.name, func(b *testing.B) {
			spans := 0
			for b.Loop() {
				var e otlp.Encoder
				run(b, shop(b, time.Hour), func(batch mesh.Batch) error {
					spans += len(batch.Spans)
					if tt.encode {
						e.Traces(batch.Spans)
						otlp.Metrics(batch.Gauges)
					}
					return nil
				})
			}
			b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}
