package recording_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest/recording"
)

// describe writes a request's spans as lines that read like the recording's rows.
func describe(td ptrace.Traces) string {
	var b strings.Builder
	for _, rs := range td.ResourceSpans().All() {
		fmt.Fprintf(&b, "%v\n", rs.Resource().Attributes().AsRaw())
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				fmt.Fprintf(&b, "  %s %s<%s %q %d..%d %s\n", s.TraceID(), s.SpanID(), s.ParentSpanID(), s.Name(),
					s.StartTimestamp(), s.EndTimestamp(), s.Kind())
			}
		}
	}
	return b.String()
}

func TestNezhaSpans(t *testing.T) {
	rows := header +
		"0087f677c0a2cf3f80a551987167911b,a23660ca2e7cc4c8,ee744a66e6efcb2e,cart-579b9bff58-t2dbm,Get,1661140374351910124,1661140374357482580,5572\r\n" +
		"\n" +
		"0087F677C0A2CF3F80A551987167911B,ee744a66e6efcb2e,root,front-6bcdf45678-46997,\"a, b\",10,5,0\n" +
		"abc,7,,lonely,x,1,6,\n" +
		"trace one,span-1,7,cart-579b9bff58-t2dbm,y,1,6,0"
	const want = `map[k8s.cluster.name:nezha k8s.pod.name:front-6bcdf45678-46997 service.name:front]
  0087f677c0a2cf3f80a551987167911b ee744a66e6efcb2e< "a, b" 10..5 Unspecified
map[k8s.cluster.name:nezha k8s.pod.name:lonely service.name:lonely]
  00000000000000000000000000000abc 0000000000000007< "x" 1..6 Unspecified
map[k8s.cluster.name:nezha k8s.pod.name:cart-579b9bff58-t2dbm service.name:cart]
  00da7fbb60066cb56e77f4bb90922c92 064142ad097a3b2f<0000000000000007 "y" 1..6 Unspecified
  0087f677c0a2cf3f80a551987167911b a23660ca2e7cc4c8<ee744a66e6efcb2e "Get" 1661140374351910124..1661140374357482580 Unspecified
`
	for name, content := range map[string]string{"plain_trace.csv": rows, "zipped_trace.csv.gz": zip(t, rows), "misnamed.csv": zip(t, rows), "two.gz": zip(t, rows[:300]) + zip(t, rows[300:])} {
		t.Run(name, func(t *testing.T) {
			rec := open(t, write(t, t.TempDir(), name, content), recording.Nezha)
			reqs, bad := readAll(t, rec, 0)
			if len(bad) != 0 || len(reqs) != 1 {
				t.Fatalf("%d requests, bad rows %v", len(reqs), bad)
			}
			if got := describe(reqs[0].Traces); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if r := reqs[0]; r.Spans != 4 || r.File != name || r.Line != 4 || r.Signal != recording.Traces {
				t.Errorf("request %d spans of %s:%d %s", r.Spans, r.File, r.Line, r.Signal)
			}
			if rec.BytesRead() != rec.Size() {
				t.Errorf("read %d of %d bytes", rec.BytesRead(), rec.Size())
			}
		})
	}
}

func TestWorkloadNames(t *testing.T) {
	tests := map[string]string{
		"frontend-579b9bff58-t2dbm":             "frontend",
		"ts-basic-service-5dc8d4f9fd-46997":     "ts-basic-service",
		"ts-preserve-service-b5ccf8557-j4txs":   "ts-preserve-service",
		"backup-28391040-x7k2p":                 "backup",
		"web-3066925465-abc12":                  "web",
		"all-bcdfbcdfbc-xxxxx":                  "all",
		"mysql-0":                               "mysql-0",
		"node-agent-x7k2p":                      "node-agent-x7k2p",
		"ts-travel2-route":                      "ts-travel2-route",
		"ts-decade-cache":                       "ts-decade-cache",
		"-579b9bff58-t2dbm":                     "-579b9bff58-t2dbm",
		"579b9bff58-t2dbm":                      "579b9bff58-t2dbm",
		"front":                                 "front",
		"frontend-579b9bff58-t2dbm0":            "frontend-579b9bff58-t2dbm0",
		"frontend-579b9bff58-T2DBM":             "frontend-579b9bff58-T2DBM",
		"frontend-579b9bff58579b9bff58-t2dbm":   "frontend-579b9bff58579b9bff58-t2dbm",
		"checkout-v2-6f94c49ccd-4rdb2":          "checkout-v2",
		"checkout-6f94c49ccd-4rdb2-not-at-end-": "checkout-6f94c49ccd-4rdb2-not-at-end-",
	}
	for pod, want := range tests {
		row := "1,2,root," + pod + ",x,1,2,1\n"
		reqs, _ := readAll(t, open(t, write(t, t.TempDir(), "a_trace.csv", row), recording.Nezha), 0)
		got, _ := reqs[0].Traces.ResourceSpans().At(0).Resource().Attributes().Get("service.name")
		if got.Str() != want {
			t.Errorf("workload of %s is %s, want %s", pod, got.Str(), want)
		}
	}
}

func TestNezhaBadRows(t *testing.T) {
	good := "1,2,root,p,x,1,2,1"
	long := strings.Repeat("x", 100<<10)
	tests := []struct{ name, row, reason string }{
		{"few columns", "1,2,root,p,x,1,2", "7 columns, want 8"},
		{"many columns", good + ",9", "9 columns, want 8"},
		{"start", "1,2,root,p,x,1.5,2,1", "start time"},
		{"end", "1,2,root,p,x,1,,1", "end time"},
		{"overflow", "1,2,root,p,x,1,99999999999999999999,1", "out of range"},
		{"before 1970", "1,2,root,p,x,-1,2,1", "before 1970"},
		{"no trace", ",2,root,p,x,1,2,1", "empty trace or span id"},
		{"zero span", "1,0000000000000000,root,p,x,1,2,1", "empty trace or span id"},
		{"no pod", "1,2,root,,x,1,2,1", "empty pod name"},
		{"quote", `1,2,root,"p,x,1,2,1`, `"`},
		{"binary", "\x00\xff\xfe,,,,,,,", "not UTF-8"},
		{"second header", strings.TrimSpace(header), "start time"},
		{"long", long, "1 columns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a_trace.csv", header+good+"\n"+tt.row+"\n"+good+"\n")
			reqs, bad := readAll(t, open(t, path, recording.Nezha), 0)
			if len(reqs) != 1 || reqs[0].Spans != 2 {
				t.Fatalf("requests %v, want one of 2 spans", reqs)
			}
			if len(bad) != 1 || bad[0].Line != 3 || bad[0].File != "a_trace.csv" || !strings.Contains(bad[0].Reason, tt.reason) {
				t.Fatalf("bad rows %.200v, want line 3 with %q", bad, tt.reason)
			}
			if want := tt.row[:min(len(tt.row), 64<<10)]; string(bad[0].Raw) != want {
				t.Errorf("raw has %d bytes, want %d", len(bad[0].Raw), len(want))
			}
		})
	}
}

func TestDamagedGzip(t *testing.T) {
	var rows strings.Builder
	rows.WriteString(header)
	for i := range 5000 {
		fmt.Fprintf(&rows, "%032x,%016x,root,p-%d,op,%d,%d,1\n", i*7919+1, i*104729+1, i%7, i, i+1)
	}
	whole := zip(t, rows.String())
	const torn = -1 // some of the 5000
	tests := map[string]struct {
		content string
		spans   int
	}{
		"cut in half":       {whole[:len(whole)/2], torn},
		"cut checksum":      {whole[:len(whole)-4], 5000},
		"wrong checksum":    {whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], 5000},
		"only magic":        {whole[:2], 0},
		"garbage in header": {whole[:2] + "garbage garbage garbage", 0},
		"garbage behind":    {whole + "garbage", 5000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a_trace.csv.gz", tt.content)
			write(t, dir, "b_trace.csv", "1,2,root,p,x,1,2,1\n")
			reqs, bad := readAll(t, open(t, dir, recording.Nezha), 0)
			if len(bad) != 1 || !strings.Contains(bad[0].Reason, "damaged gzip") || bad[0].File != "a_trace.csv.gz" {
				t.Errorf("bad rows %v, want one torn tail", bad)
			}
			spans := -1 // without the one of the next file
			for _, r := range reqs {
				spans += r.Spans
			}
			// Line 1 is the header, and the line that is reported is the first one without a span.
			if tt.spans == torn && (spans != bad[0].Line-2 || spans < 1000) || tt.spans != torn && spans != tt.spans {
				t.Errorf("%d spans before the tear in line %d, want %d", spans, bad[0].Line, tt.spans)
			}
			if last := reqs[len(reqs)-1]; last.File != "b_trace.csv" {
				t.Errorf("the next file was not read")
			}
		})
	}
}

func TestRequestsCutSortAndSkip(t *testing.T) {
	dir := t.TempDir()
	for file := range 2 {
		var rows strings.Builder
		rows.WriteString(header)
		for i := range 2500 {
			fmt.Fprintf(&rows, "%x,%x,root,p,%d,0,%d,1\n", file+1, i+1, i, (2500-i)/2)
		}
		rows.WriteString("bad\n")
		write(t, dir, fmt.Sprintf("%d_trace.csv", file), rows.String())
	}
	rec := open(t, dir, recording.Nezha)
	all, bad := readAll(t, rec, 0)
	if len(bad) != 2 {
		t.Errorf("%d bad rows, want 2", len(bad))
	}
	var sizes []int
	last := uint64(0)
	for i, r := range all {
		sizes = append(sizes, r.Spans)
		if r.Index != i || r.Traces.SpanCount() != r.Spans {
			t.Errorf("request %d: index %d, %d of %d spans", i, r.Index, r.Traces.SpanCount(), r.Spans)
		}
		for _, s := range r.Traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			if end := uint64(s.EndTimestamp()); end < last && i != 3 {
				t.Fatalf("request %d: end %d after %d", i, end, last)
			}
			last = uint64(s.EndTimestamp())
		}
	}
	if fmt.Sprint(sizes) != "[1000 1000 500 1000 1000 500]" {
		t.Errorf("sizes %v", sizes)
	}
	for skip := range len(all) + 2 {
		rest, bad := readAll(t, rec, skip)
		if len(rest) != max(0, len(all)-skip) {
			t.Fatalf("skip %d leaves %d requests", skip, len(rest))
		}
		for i, r := range rest {
			if want := all[skip+i]; r.Index != want.Index || describe(r.Traces) != describe(want.Traces) {
				t.Errorf("skip %d: request %d differs", skip, i)
			}
		}
		if want := []int{2, 1, 1, 1, 0, 0, 0, 0}[skip]; len(bad) != want {
			t.Errorf("skip %d reports %d bad rows, want %d", skip, len(bad), want)
		}
	}
}

func TestRequestsStop(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a_trace.csv", strings.Repeat("1,2,root,p,x,1,2,1\n", 3000))
	rec := open(t, dir, recording.Nezha)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range rec.Requests(ctx, recording.ReadConfig{}) {
		cancel()
		seen++
		last = err
	}
	if seen != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d rounds, last error %v, want one request and then the cancellation", seen, last)
	}
	for range rec.Requests(t.Context(), recording.ReadConfig{}) {
		seen++
		break // must not go on calling
	}
	if seen != 3 {
		t.Errorf("%d rounds after break", seen)
	}
}
