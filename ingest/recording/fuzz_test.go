package recording_test

import (
	"bytes"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest/recording"
)

// FuzzNezha: any bytes are read without a crash, and each line that is not blank or the header is a span or a bad row.
func FuzzNezha(f *testing.F) {
	row := "0087f677c0a2cf3f80a551987167911b,a23660ca2e7cc4c8,root,cart-579b9bff58-t2dbm,Get,1661140374351910124,1661140374357482580,5572\n"
	for _, seed := range []string{row, header + row, "a,b,c,\"d,\",e,1,2,3", "1,2,,p,x,1,2\n" + row, "\x1f\x8b", zip(f, header+row), zip(f, row)[:40], "\ufeff" + header} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		rec := open(t, write(t, t.TempDir(), "a_trace.csv", string(content)), recording.Nezha)
		reqs, bad := readAll(t, rec, 0)
		got := len(bad)
		for _, r := range reqs {
			got += r.Traces.SpanCount()
			if r.Spans > recording.MaxItems || r.Spans != r.Traces.SpanCount() {
				t.Errorf("request of %d spans says %d", r.Traces.SpanCount(), r.Spans)
			}
		}
		if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			return // the lines are inside
		}
		want := 0
		for i, line := range strings.Split(string(content), "\n") {
			line = strings.TrimSuffix(line, "\r")
			isHeader := i == 0 && strings.HasPrefix(strings.TrimPrefix(line, "\ufeff"), "TraceID,SpanID,")
			if line != "" && !isHeader {
				want++
			}
		}
		if got != want {
			t.Errorf("%d spans and bad rows for %d lines", got, want)
		}
	})
}

// FuzzOTLPJSON: any line is read without a crash; what is read can be written and read again.
func FuzzOTLPJSON(f *testing.F) {
	for _, seed := range []string{tracesLine(f, 0, 1, 2), logsLine(f, 2), metricsLine(f, 1), "{}", `{"resourceSpans":[{}]}`, "[", `{"resource_spans":null,"resourceLogs":[]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		rec := open(t, write(t, t.TempDir(), "a.json", string(content)), recording.OTLPJSON)
		reqs, _ := readAll(t, rec, 0)
		for _, r := range reqs {
			if r.Spans < 1 || r.Spans > recording.MaxItems {
				t.Errorf("request of %d items", r.Spans)
			}
			if r.Signal != recording.Traces {
				continue
			}
			wire, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(r.Traces)
			if err != nil {
				t.Fatal(err)
			}
			back, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(wire)
			if err != nil || back.SpanCount() != r.Spans {
				t.Errorf("read back %d of %d spans: %v", back.SpanCount(), r.Spans, err)
			}
		}
	})
}
