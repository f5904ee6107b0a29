package rows_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// invented makes a request of n spans with names that nobody has used, numbered from first: of a workload of its own, of a version and an
// instance of a good one, and each with a peer and a route.
func invented(first, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	for i := first; i < first+n; i++ {
		rs := td.ResourceSpans().AppendEmpty()
		who := attrs{"service.name": fmt.Sprint("bad-", i), "k8s.namespace.name": fmt.Sprint("bad-", i)}
		if i%2 == 0 {
			who = attrs{"service.name": "cart", "service.version": fmt.Sprint("bad-", i), "service.instance.id": fmt.Sprint("bad-", i)}
		}
		fill(rs.Resource().Attributes(), who)
		s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.SetSpanID(pcommon.SpanID{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.SetKind(ptrace.SpanKindClient)
		s.SetStartTimestamp(pcommon.Timestamp(received().UnixNano() - 1000))
		s.SetEndTimestamp(pcommon.Timestamp(received().UnixNano()))
		fill(s.Attributes(), attrs{"peer.service": fmt.Sprint("bad-", i), "http.route": fmt.Sprint("/bad-", i, "/x")})
	}
	return td
}

// inventedGauges does the same for series.
func inventedGauges(first, n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := first; i < first+n; i++ {
		m := metrics.AppendEmpty()
		m.SetName("pool")
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.Timestamp(received().UnixNano()))
		p.SetIntValue(7)
		fill(p.Attributes(), attrs{"pool.name": fmt.Sprint("bad-", i)})
	}
	return md
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAMillionNames floods a converter from one connection while another sends honest names: the good ones stay exact, the rest is one bucket
// a level, and nothing grows.
func TestAMillionNames(t *testing.T) {
	const (
		each, rounds = 800, 400       // of each span four labels are new, of each point one: more than a million
		turns        = 1 + rounds/300 // after five minutes, seconds being rounds, names that came once make room for others
	)
	c := rows.New(rows.Config{Names: names.New(names.Limits{Workloads: 1000, Instances: 2000, Series: 2000, Days: 10})})
	at := rows.Layout{Calls: 1, Samples: 1, DeadLetters: 1}
	good := map[schemas.Origin]int{}
	bad := map[string]map[string]bool{"workload": {}, "version": {}, "instance": {}, "peer": {}, "metric": {}}
	cart, points := 0, 0.0
	take := func(batch rows.Batch, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range of(wire.TopicCalls, batch.Records) {
			got := decode(t, r)
			for _, s := range got.Spans {
				o := got.Origins[s.Origin]
				if strings.HasPrefix(o.Name, "service-") {
					good[o]++
					continue
				}
				if o.Name == "cart" {
					cart++
				}
				bad["workload"][o.Namespace+"/"+o.Name], bad["version"][o.Version], bad["instance"][o.Instance] = true, true, true
				bad["peer"][got.Peers[s.Peer].Name] = true
			}
		}
		for _, r := range of(wire.TopicSamples, batch.Records) {
			samples, err := columns.DecodeSamples(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				bad["metric"][s.Metric] = true
				if s.Metric == schemas.Overflow {
					points += s.Value
				}
			}
		}
	}
	honest := many(1000) // twenty workloads with an instance each
	var before uint64
	for round := range rounds {
		if round == rounds/10 {
			before = heap()
		}
		now := received().Add(time.Duration(round) * time.Second)
		take(c.From("10.0.0.1:1").Spans(invented(round*each, each), at, now))
		take(c.From("10.0.0.1:1").Samples(inventedGauges(round*each, each), at, now))
		if round%10 == 0 {
			take(c.From("10.0.0.2:2").Spans(honest, at, now))
		}
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("%d bytes more after %d names than after a tenth of them", grown, rounds*each)
	}
	if len(good) != 20 {
		t.Errorf("%d honest origins", len(good))
	}
	for o, n := range good {
		if o.Version != "v1" || o.Instance != o.Name+"-abc" || o.Namespace != "shop" || n != rounds/10*50 {
			t.Errorf("%+v has %d spans, want %d", o, n, rounds/10*50)
		}
	}
	if cart != rounds*each/2 {
		t.Errorf("%d spans of the workload whose versions were invented, want %d", cart, rounds*each/2)
	}
	for level, most := range map[string]int{"workload": 1000, "version": 2000, "instance": 2000, "peer": 1000, "metric": 2000} {
		over := bad[level][schemas.Overflow] || bad[level]["/"+schemas.Overflow]
		if n := len(bad[level]); n > turns*most+2 || !over {
			t.Errorf("%s: %d names, overflow %t", level, n, over)
		}
	}
	if points != rounds*each-2000*turns {
		t.Errorf("the overflow stands for %v points, want %d", points, rounds*each-2000*turns)
	}
}

// TestOverflowCannotBeClaimed: the name is Weir's own, wherever it comes in.
func TestOverflowCannotBeClaimed(t *testing.T) {
	for _, who := range []attrs{
		{"service.name": schemas.Overflow, "service.version": schemas.Overflow, "k8s.namespace.name": schemas.Overflow, "service.instance.id": schemas.Overflow},
		{"k8s.deployment.name": schemas.Overflow, "cloud.region": schemas.Overflow, "k8s.cluster.name": schemas.Overflow},
	} {
		for _, with := range []attrs{
			{"peer.service": schemas.Overflow},
			{"istio.canonical_service": schemas.Overflow, "istio.canonical_revision": schemas.Overflow, "istio.namespace": schemas.Overflow},
			{"istio.namespace": "shop", "upstream_cluster": "outbound|80||~overflow.shop.svc.cluster.local", "node_id": "sidecar~1~~overflow.shop~x"},
		} {
			td := one(who, with)
			if with["istio.namespace"] == "shop" {
				td.ResourceSpans().At(0).Resource().Attributes().PutStr("service.name", "~overflow.shop")
			}
			span(td).SetKind(ptrace.SpanKindClient)
			_, origin, peer := convert(t, td)
			if text := fmt.Sprintf("%+v %+v", origin, peer); strings.Contains(text, schemas.Overflow) {
				t.Errorf("%v %v: %s", who, with, text)
			}
		}
	}
}

// TestAbsurdClocks: events far from their receipt are dead letters, and missing for their workload now.
func TestAbsurdClocks(t *testing.T) {
	c := rows.New(rows.Config{MaxFuture: time.Hour, MaxPast: 10 * 365 * 24 * time.Hour})
	at := rows.Layout{Calls: 1, Samples: 1, DeadLetters: 1}
	for _, tt := range []struct {
		end  time.Time
		good bool
	}{
		{time.Unix(1, 0), false},
		{time.Unix(0, schemas.LatestEvent-1), false},
		{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{received().Add(10 * time.Minute), true},
		{received().Add(61 * time.Minute), false},
		{received().AddDate(-4, 0, 0), true}, // a recording
		{received().AddDate(-11, 0, 0), false},
	} {
		td := one(attrs{"service.name": "cart"}, nil)
		span(td).SetEndTimestamp(pcommon.Timestamp(tt.end.UnixNano()))
		batch, err := c.Spans(td, at, received())
		if err != nil {
			t.Fatal(err)
		}
		row := decode(t, calls(batch.Records)[0]).Spans[0]
		if good := row.Flags&schemas.FlagLost == 0; good != tt.good || good == (len(batch.Losses) > 0) {
			t.Errorf("%s: good %t, losses %+v", tt.end, good, batch.Losses)
		}
		if !tt.good && (row.End != received().UnixNano() || batch.Losses[0] != (rows.Loss{Reason: "clock_absurd", Count: 1, DeadLetter: true})) {
			t.Errorf("%s: row at %d, losses %+v", tt.end, row.End, batch.Losses)
		}
		md := inventedGauges(0, 1)
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(tt.end.UnixNano()))
		batch, err = c.Samples(md, at, received())
		if good := batch.Losses == nil; err != nil || good != tt.good || !good && batch.Losses[0].Reason != "clock_absurd" {
			t.Errorf("%s: a point has losses %+v, %v", tt.end, batch.Losses, err)
		}
	}
}

// TestTooManyDays: one connection cannot make a partition of every table for each day of ten years.
func TestTooManyDays(t *testing.T) {
	c := rows.New(rows.Config{})
	days := map[int64]bool{}
	for i := range 10 * names.DefaultLimits().Days {
		td := one(attrs{"service.name": "cart"}, nil)
		span(td).SetEndTimestamp(pcommon.Timestamp(received().AddDate(0, 0, -3-i).UnixNano()))
		batch, err := c.From("bad").Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
		if err != nil {
			t.Fatal(err)
		}
		row := decode(t, calls(batch.Records)[0]).Spans[0]
		days[names.DayOf(row.End)] = true
	}
	if len(days) != names.DefaultLimits().Days+1 { // those that were lost count now
		t.Errorf("events of %d days are kept", len(days))
	}
}

// long adds very many attributes.
func long(with attrs) attrs {
	for i := range 100_000 {
		with[fmt.Sprint("attribute-", i)] = i
	}
	return with
}

// TestGiants: what is huge, broken or no number costs its neighbours nothing.
func TestGiants(t *testing.T) {
	td := many(100)
	bad := one(attrs{"service.name": strings.Repeat("x", 10<<20), "service.instance.id": "\xff\xfe" + strings.Repeat("é", 1<<20)},
		long(attrs{"http.route": "/" + strings.Repeat("y/", 5<<20), "peer.service": strings.Repeat("alice@example.com ", 1<<16), "http.response.status_code": math.NaN()}))
	span(bad).SetKind(ptrace.SpanKindClient)
	bad.ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
	batch, err := rows.New(rows.Config{}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	if batch.Rows != 101 || batch.Losses != nil || size(batch.Records) > 64<<10 {
		t.Errorf("%d rows in %d bytes, losses %+v", batch.Rows, size(batch.Records), batch.Losses)
	}
	got := decode(t, calls(batch.Records)[0])
	for _, o := range got.Origins {
		if len(o.Name) > schemas.MaxName || len(o.Instance) > schemas.MaxName {
			t.Errorf("names of %d and %d bytes", len(o.Name), len(o.Instance))
		}
	}
	for _, p := range got.Peers {
		if strings.Contains(p.Name, "alice") {
			t.Errorf("peer %s", p.Name)
		}
	}
}
