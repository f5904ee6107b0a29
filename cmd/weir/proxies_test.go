package main_test

import (
	"bytes"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// echo is a recording of the lab that is told again and again, as if the same happened in another cluster at other times.
type echo struct {
	t       *testing.T
	to      string // a collector's HTTP address
	begins  time.Time
	traces  ptrace.Traces
	metrics pmetric.Metrics
	served  map[string]int           // requests that each instance's proxy served
	calls   map[string]map[bool]int  // the same by workload, by whether their traces are kept where not all are
	kept    map[pcommon.TraceID]bool // every fourth trace
}

func readEcho(t *testing.T, dir, to string) *echo {
	e := &echo{
		t: t, to: to, traces: ptrace.NewTraces(), metrics: pmetric.NewMetrics(),
		served: map[string]int{}, calls: map[string]map[bool]int{}, kept: map[pcommon.TraceID]bool{},
	}
	for _, line := range linesOf(t, filepath.Join(dir, "traces.jsonl.gz")) {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		eachSpan(td, e.count)
		td.ResourceSpans().MoveAndAppendTo(e.traces.ResourceSpans())
	}
	for _, line := range linesOf(t, filepath.Join(dir, "metrics.jsonl.gz")) {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		md.ResourceMetrics().MoveAndAppendTo(e.metrics.ResourceMetrics())
	}
	return e
}

func eachSpan(td ptrace.Traces, do func(pcommon.Map, ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				do(rs.Resource().Attributes(), span)
			}
		}
	}
}

func word(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return v.AsString()
	}
	return ""
}

// count counts what a proxy served.
func (e *echo) count(resource pcommon.Map, span ptrace.Span) {
	if _, seen := e.kept[span.TraceID()]; !seen {
		e.kept[span.TraceID()] = len(e.kept)%4 == 0
	}
	if ends := span.StartTimestamp().AsTime(); e.begins.IsZero() || ends.Before(e.begins) {
		e.begins = ends
	}
	if span.Kind() != ptrace.SpanKindServer || word(resource, "telemetry.sdk.name") != "envoy" {
		return
	}
	e.served[word(resource, "service.instance.id")]++
	name := word(resource, "service.name")
	if e.calls[name] == nil {
		e.calls[name] = map[bool]int{}
	}
	e.calls[name][e.kept[span.TraceID()]]++
}

// tell sends the recording for the nth time, as of a cluster and from a time on, with every fourth trace or with all.
func (e *echo) tell(n int, cluster string, start time.Time, all bool) {
	later := start.Sub(e.begins)
	traces, err := ptraceotlp.NewExportRequestFromTraces(e.spans(n, cluster, later, all)).MarshalProto()
	e.post("/v1/traces", traces, err)
	metrics, err := pmetricotlp.NewExportRequestFromMetrics(e.totals(n, cluster, later)).MarshalProto()
	e.post("/v1/metrics", metrics, err)
}

func shifted(t pcommon.Timestamp, by time.Duration) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(t.AsTime().Add(by))
}

func (e *echo) spans(n int, cluster string, later time.Duration, all bool) ptrace.Traces {
	td := ptrace.NewTraces()
	e.traces.CopyTo(td)
	for _, rs := range td.ResourceSpans().All() {
		rs.Resource().Attributes().PutStr("k8s.cluster.name", cluster)
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().RemoveIf(func(s ptrace.Span) bool { return !all && !e.kept[s.TraceID()] })
		}
	}
	eachSpan(td, func(_ pcommon.Map, s ptrace.Span) {
		id := s.TraceID()
		id[0], id[1] = id[0]^byte(n), id[1]^byte(len(cluster))
		s.SetTraceID(id)
		s.SetStartTimestamp(shifted(s.StartTimestamp(), later))
		s.SetEndTimestamp(shifted(s.EndTimestamp(), later))
	})
	return td
}

// totals go on from copy to copy, by what the proxies served in each.
func (e *echo) totals(n int, cluster string, later time.Duration) pmetric.Metrics {
	md := pmetric.NewMetrics()
	e.metrics.CopyTo(md)
	for _, rm := range md.ResourceMetrics().All() {
		rm.Resource().Attributes().PutStr("k8s.cluster.name", cluster)
		more := n * e.served[word(rm.Resource().Attributes(), "service.instance.id")]
		for _, sm := range rm.ScopeMetrics().All() {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Type() != pmetric.MetricTypeSum })
			for _, m := range sm.Metrics().All() {
				for _, p := range m.Sum().DataPoints().All() {
					p.SetTimestamp(shifted(p.Timestamp(), later))
					p.SetIntValue(p.IntValue() + int64(more))
				}
			}
		}
	}
	return md
}

func (e *echo) post(path string, body []byte, err error) {
	if err != nil {
		e.t.Fatal(err)
	}
	resp, err := http.Post("http://"+e.to+path, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		e.t.Fatalf("%s: %s", path, resp.Status)
	}
}

// TestProxiesKnowWhatWasNotTold: a real mesh with all of its traces misses nothing. The same with one of four, as a sampler leaves them that
// does not say so, misses the rest, by what its proxies count.
func TestProxiesKnowWhatWasNotTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(config, []byte("features:\n  check_interval: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startWeir(t, "up", "--config", config, "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	e := readEcho(t, filepath.Join(labRecordings, "healthy"), running(t, dir).OTLPHTTP)
	start := time.Now().Truncate(time.Minute).Add(-4 * time.Minute)
	for n := range 5 {
		e.tell(n, "whole", start.Add(time.Duration(n)*everyCopy), true)
		e.tell(n, "sampled", start.Add(time.Duration(n)*everyCopy), false)
	}
	const sql = "SELECT scope, avg(share) FROM gaps FINAL WHERE kind = 'proxy_counted_more' AND share > 0 GROUP BY scope ORDER BY scope"
	said := map[string]float64{}
	await(t, "what proxies know of", func() bool {
		clear(said)
		for _, g := range query(t, dir, sql) {
			said[g[0]], _ = strconv.ParseFloat(g[1], 64)
		}
		return e.near(said, "web") && e.near(said, "catalog") && e.near(said, "pricing")
	})
	for scope, share := range said {
		if !strings.HasPrefix(scope, "sampled/") {
			t.Errorf("%s misses %.3f, and nothing is missing", scope, share)
		}
	}
	whole := query(t, dir, "SELECT count(), min(completeness) FROM service_windows WHERE cluster = 'whole'")
	if len(whole) != 1 || whole[0][0] == "0" || whole[0][1] != "1" {
		t.Errorf("number of whole windows, and completeness of the least: %q", whole)
	}
}

// near reports whether a workload misses what was left out.
func (e *echo) near(said map[string]float64, workload string) bool {
	kept, lost := e.calls[workload][true], e.calls[workload][false]
	return math.Abs(said["sampled/shop/"+workload]-float64(lost)/float64(kept+lost)) < 0.06
}
