package recording_test

import (
	"path/filepath"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/weirmesh/weir/ingest/recording"
)

type identity struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// TestRealDays reads both Nezha days and counts them with the rules of contracts 2.8.
func TestRealDays(t *testing.T) {
	tests := []struct {
		day                     string
		rows, duplicates, calls int
	}{
		{"onlineboutique-2022-08-22", 288734, 995, 75494},
		{"trainticket-2023-01-29", 328848, 7780, 55137},
	}
	for _, tt := range tests {
		t.Run(tt.day, func(t *testing.T) {
			reqs, bad := readAll(t, open(t, sharedDay(t, tt.day), recording.Nezha), 0)
			if len(bad) > 0 {
				t.Errorf("bad rows %v", bad)
			}
			rows, calls := 0, 0
			parents, pods := map[identity]identity{}, map[identity]string{}
			for _, r := range reqs {
				rows += r.Spans
				for _, rs := range r.Traces.ResourceSpans().All() {
					pod, _ := rs.Resource().Attributes().Get("k8s.pod.name")
					if service, _ := rs.Resource().Attributes().Get("service.name"); service.Str() == pod.Str() {
						t.Fatalf("pod %s keeps its suffixes", pod.Str())
					}
					for _, s := range rs.ScopeSpans().At(0).Spans().All() {
						id := identity{s.TraceID(), s.SpanID()}
						parents[id], pods[id] = identity{s.TraceID(), s.ParentSpanID()}, pod.Str()
					}
				}
			}
			for id, parent := range parents {
				if pods[parent] != pods[id] { // a root's parent has no pod
					calls++
				}
			}
			if rows != tt.rows || rows-len(parents) != tt.duplicates || calls != tt.calls {
				t.Errorf("%d rows, %d duplicates, %d calls, want %d, %d, %d", rows, rows-len(parents), calls, tt.rows, tt.duplicates, tt.calls)
			}
		})
	}
}

func BenchmarkNezhaDay(b *testing.B) {
	benchmark(b, open(b, sharedDay(b, "onlineboutique-2022-08-22"), recording.Nezha))
}

func BenchmarkOTLPJSON(b *testing.B) {
	dir := b.TempDir()
	for i := range 20 {
		write(b, dir, string(rune('a'+i))+".json", tracesLine(b, 0, 100, 400)+tracesLine(b, 500, 100, 400))
	}
	benchmark(b, open(b, filepath.Clean(dir), recording.OTLPJSON))
}

func benchmark(b *testing.B, rec *recording.Recording) {
	spans := 0
	for b.Loop() {
		for req, err := range rec.Requests(b.Context(), recording.ReadConfig{}) {
			if err != nil {
				b.Fatal(err)
			}
			spans += req.Spans
		}
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}
