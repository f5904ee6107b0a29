package recording_test

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest/recording"
)

// tracesLine has one resource a size, with that many spans named from `first` on.
func tracesLine(t testing.TB, first int, sizes ...int) string {
	t.Helper()
	td := ptrace.NewTraces()
	for i, n := range sizes {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl("schema")
		rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("s%d", i))
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("scope")
		for range n {
			s := ss.Spans().AppendEmpty()
			s.SetName(fmt.Sprint(first))
			s.SetTraceID(pcommon.TraceID{1})
			s.SetSpanID(pcommon.SpanID{byte(first >> 8), byte(first), 1})
			first++
		}
	}
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

func logsLine(t testing.TB, n int) string {
	t.Helper()
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "s")
	sl := rl.ScopeLogs().AppendEmpty()
	for i := range n {
		sl.LogRecords().AppendEmpty().Body().SetInt(int64(i))
	}
	line, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// metricsLine has n points in each of the five kinds of metric.
func metricsLine(t testing.TB, n int) string {
	t.Helper()
	md := pmetric.NewMetrics()
	sm := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	add := func(name string) pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		m.SetUnit("s")
		return m
	}
	gauge, sum := add("gauge").SetEmptyGauge(), add("sum").SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	hist, exp, summary := add("hist").SetEmptyHistogram(), add("exp").SetEmptyExponentialHistogram(), add("summary").SetEmptySummary()
	for i := range n {
		gauge.DataPoints().AppendEmpty().SetIntValue(int64(i))
		sum.DataPoints().AppendEmpty().SetIntValue(int64(i))
		hist.DataPoints().AppendEmpty().SetCount(uint64(i))
		exp.DataPoints().AppendEmpty().SetCount(uint64(i))
		summary.DataPoints().AppendEmpty().SetCount(uint64(i))
	}
	line, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// sizes writes requests as "line:items signal", so a table can hold them.
func sizes(reqs []recording.Request) string {
	var out []string
	for _, r := range reqs {
		out = append(out, fmt.Sprintf("%d:%d %s", r.Line, r.Spans, r.Signal))
	}
	return strings.Join(out, ", ")
}

func TestOTLPRequests(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"join", tracesLine(t, 0, 1) + "\n" + tracesLine(t, 1, 2, 3) + tracesLine(t, 6, 994), "1:1000 traces"},
		{"no room", tracesLine(t, 0, 600) + tracesLine(t, 600, 600), "1:600 traces, 2:600 traces"},
		{"split", tracesLine(t, 0, 10, 2500) + tracesLine(t, 2510, 490), "1:1000 traces, 1:1000 traces, 1:1000 traces"},
		{"signals", tracesLine(t, 0, 1) + logsLine(t, 2) + logsLine(t, 3) + tracesLine(t, 1, 1), "1:1 traces, 2:5 logs, 4:1 traces"},
		{"long logs", logsLine(t, 1001), "1:1000 logs, 1:1 logs"},
		{"long metrics", metricsLine(t, 500), "1:1000 metrics, 1:1000 metrics, 1:500 metrics"},
		{"longer metrics", metricsLine(t, 1200), "1:1000 metrics, 1:1000 metrics, 1:1000 metrics, 1:1000 metrics, 1:1000 metrics, 1:1000 metrics"},
		{"several in a line", strings.TrimSpace(logsLine(t, 1))[:len(logsLine(t, 1))-2] + "," + tracesLine(t, 0, 2)[1:], "1:1 logs, 1:2 traces"},
		{"empty", `{"resourceSpans":[]}` + "\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := open(t, write(t, t.TempDir(), "x.jsonl", zip(t, tt.content)), recording.OTLPJSON)
			reqs, bad := readAll(t, rec, 0)
			if len(bad) > 0 {
				t.Fatalf("bad rows %v", bad)
			}
			if got := sizes(reqs); got != tt.want {
				t.Errorf("requests %s, want %s", got, tt.want)
			}
			for skip := range reqs {
				if rest, _ := readAll(t, rec, skip); sizes(rest) != sizes(reqs[skip:]) {
					t.Errorf("skip %d gives %s", skip, sizes(rest))
				}
			}
		})
	}
}

// TestOTLPSplitKeeps checks that cutting a line changes nothing but the number of requests.
func TestOTLPSplitKeeps(t *testing.T) {
	reqs, _ := readAll(t, open(t, write(t, t.TempDir(), "x.json", tracesLine(t, 0, 999, 3, 1500)), recording.OTLPJSON), 0)
	next := 0
	for _, r := range reqs {
		for _, rs := range r.Traces.ResourceSpans().All() {
			service, _ := rs.Resource().Attributes().Get("service.name")
			ss := rs.ScopeSpans().At(0)
			if rs.SchemaUrl() != "schema" || ss.Scope().Name() != "scope" {
				t.Errorf("request %d lost its schema or scope", r.Index)
			}
			for _, s := range ss.Spans().All() {
				want := "s0"
				if next >= 999 {
					want = "s1"
				}
				if next >= 1002 {
					want = "s2"
				}
				if s.Name() != fmt.Sprint(next) || service.Str() != want {
					t.Fatalf("span %s of %s, want %d of %s", s.Name(), service.Str(), next, want)
				}
				next++
			}
		}
	}
	if next != 2502 {
		t.Errorf("%d spans, want 2502", next)
	}

	reqs, _ = readAll(t, open(t, write(t, t.TempDir(), "x.json", metricsLine(t, 700)), recording.OTLPJSON), 0)
	sums := int64(0)
	for _, r := range reqs {
		for _, m := range r.Metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Unit() != "s" {
				t.Errorf("metric %s lost its unit", m.Name())
			}
			if m.Type() != pmetric.MetricTypeSum {
				continue
			}
			if !m.Sum().IsMonotonic() || m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityDelta {
				t.Error("sum lost what it is")
			}
			for _, p := range m.Sum().DataPoints().All() {
				sums += p.IntValue()
			}
		}
	}
	if sums != 699*700/2 {
		t.Errorf("points of the sum add up to %d, want %d", sums, 699*700/2)
	}
}

func TestOTLPBadLines(t *testing.T) {
	good := tracesLine(t, 0, 1)
	tests := []struct{ name, line, reason string }{
		{"text", "hello", "not JSON"},
		{"cut", good[:len(good)/2], "not JSON"},
		{"two objects", strings.TrimSpace(good) + good, "not JSON"},
		{"array", "[1]", "no resourceSpans"},
		{"other object", `{"a":{"resourceSpans":[]}}`, "no resourceSpans"},
		{"value", `{"a":"resourceSpans"}`, "no resourceSpans"},
		{"wrong type", `{"resourceSpans":7}`, "not OTLP traces"},
		{"bad id", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}`, "not OTLP traces"},
		{"binary", "{\"\xff\":1}", "not UTF-8"},
		{"deep", `{"resourceSpans":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}", "not JSON"},
		{"too long", strings.Repeat("x", 65<<20), "longer than 64 MB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a.json", good+strings.TrimSpace(tt.line)+"\n"+good)
			reqs, bad := readAll(t, open(t, path, recording.OTLPJSON), 0)
			if got := sizes(reqs); got != "1:2 traces" {
				t.Errorf("requests %s, want the two good lines", got)
			}
			if len(bad) != 1 || bad[0].Line != 2 || !strings.Contains(bad[0].Reason, tt.reason) || len(bad[0].Raw) > 64<<10 {
				t.Errorf("bad rows %.200v, want line 2 with %q", bad, tt.reason)
			}
		})
	}
}
