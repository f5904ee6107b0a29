package recording_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// describe writes a truth as lines, so that a test can hold the right answer as text.
func describe(tr recording.Truth, seconds int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rows %d spans %d duplicates %d bad %d orphans %d calls %d errors %d backwards %d\n",
		tr.Rows, tr.Spans, tr.Duplicates, tr.Bad, tr.Orphans, tr.Calls, tr.Errors, tr.Backwards)
	for _, e := range tr.Edges {
		fmt.Fprintf(&b, "%q -> %s %d\n", e.Source, e.Destination, e.Calls)
	}
	for _, w := range tr.Windows {
		if w.Seconds == seconds {
			fmt.Fprintf(&b, "%d %s %d/%d %d %d %d\n", w.Start, w.Workload, w.Calls, w.Errors, w.P50, w.P95, w.P99)
		}
	}
	return b.String()
}

// TestCountNezha has its right answer worked out by hand. Pods: a = front, b and c = two pods of cart.
func TestCountNezha(t *testing.T) {
	const a, b, c = "front-579b9bff58-t2dbm", "cart-6f94c49ccd-4rdb2", "cart-6f94c49ccd-x7k2p"
	dir := t.TempDir()
	s := "000000000" // times below are in seconds
	write(t, filepath.Join(dir, "trace", "00_00_trace.csv"), "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n"+
		"t1,1,root,"+a+",x,1"+s+",9"+s+",0\n"+ // "" -> front, window 0, 8 s
		"t1,2,1,"+a+",x,1"+s+",9"+s+",0\n"+ // inner work
		"t1,3,2,"+b+",x,2"+s+",10"+s+",0\n"+ // front -> cart, window 10 (of its end), 8 s
		"t1,4,3,"+c+",x,3"+s+",5"+s+",0\n"+ // cart -> cart (another pod), window 0, 2 s
		"t2,3,1,"+b+",x,3"+s+",5"+s+",0\n"+ // its parent is in another trace: orphan, inner work
		"t3,1,,"+a+",x,8"+s+",4"+s+",0\n"+ // "" -> front, ends before it starts: 0 s
		"t3,2,1,"+b+",x,8"+s+"\n"+ // bad
		"t3,3,1,"+b+",x,eight,9"+s+",0\n") // bad
	write(t, filepath.Join(dir, "trace", "00_01_trace.csv"),
		"t1,3,2,"+b+",x,2"+s+",10"+s+",0\n"+ // again
			"t4,9,8,"+b+",x,61"+s+",62"+s+",0\n"+ // front -> cart: its parent comes later
			"t4,8,root,"+a+",x,60"+s+",70"+s+",0\n") // "" -> front, 10 s
	got, err := recording.Count(dir)
	if err != nil {
		t.Fatal(err)
	}
	want10 := `rows 9 spans 8 duplicates 1 bad 2 orphans 1 calls 6 errors 0 backwards 1
"" -> front 3
"cart" -> cart 1
"front" -> cart 2
0 cart 1/0 2000000000 2000000000 2000000000
0 front 2/0 0 8000000000 8000000000
10 cart 1/0 8000000000 8000000000 8000000000
60 cart 1/0 1000000000 1000000000 1000000000
70 front 1/0 10000000000 10000000000 10000000000
`
	if d := describe(got, 10); d != want10 {
		t.Errorf("got\n%swant\n%s", d, want10)
	}
	hour := describe(got, 3600)
	if want := "0 cart 3/0 2000000000 8000000000 8000000000\n0 front 3/0 8000000000 10000000000 10000000000\n"; !strings.HasSuffix(hour, want) {
		t.Errorf("hour\n%swant\n%s", hour, want)
	}
	if e := got.EdgeWindows[0]; e.Seconds != 10 || e.Start != 0 || e.Source != "" || e.Destination != "front" || e.Calls != 2 {
		t.Errorf("first edge window %+v", e)
	}
}

// TestCountOTLP: each span is commented with what it counts as.
func TestCountOTLP(t *testing.T) {
	span := func(id, parent, kind, rest string) string {
		return fmt.Sprintf(`{"traceId":"aa","spanId":"%s","parentSpanId":"%s","kind":%s,"startTimeUnixNano":"1000000000","endTimeUnixNano":2000000000%s}`, id, parent, kind, rest)
	}
	pod := func(service, name string, spans ...string) string {
		return fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"%s"}},{"key":"k8s.pod.name","value":{"stringValue":"%s"}}]},"scopeSpans":[{"spans":[%s]}]}`,
			service, name, strings.Join(spans, ","))
	}
	status := func(key, value string) string {
		return fmt.Sprintf(`,"attributes":[{"key":"%s","value":%s}],"status":{"code":2}`, key, value)
	}
	peer := func(key string) string {
		return fmt.Sprintf(`,"attributes":[{"key":"%s","value":{"stringValue":"db"}}]`, key)
	}
	lines := []string{
		`{"resourceSpans":[` + pod("front", "f1",
			span("01", "", "2", `,"status":{"code":2}`),                               // "" -> front, failed: no protocol
			span("02", "01", "3", peer("peer.service")),                               // answered by 21: no call to db
			span("03", "01", "3", peer("service.peer.name")),                          // front -> db
			span("04", "01", `"SPAN_KIND_PRODUCER"`, peer("peer.service")),            // front -> db
			span("05", "01", "3", ""),                                                 // unanswered, no peer: nothing
			span("06", "01", "1", ""),                                                 // inner work
			span("07", "", "3", ""), span("08", "", "4", ""), span("09", "", "1", ""), // roots that are no calls
			span("0a", "0000000000000000", "0", ""), // "" -> front
			span("0b", "", "5", ""),                 // "" -> front
		) + "," + pod("cart", "c1",
			span("21", "02", "2", status("http.response.status_code", `{"intValue":"404"}`)), // front -> cart, fine
			span("22", "05", "3", ""), // a CLIENT is no call, but answers 05
			span("23", "01", "1", status("rpc.grpc.status_code", `{"intValue":14}`)),                // front -> cart, failed
			span("24", "77", "2", status("rpc.response.status_code", `{"stringValue":"INTERNAL"}`)), // ? -> cart, failed
			span("25", "77", "5", ""),                   // ? -> cart
			span("26", "77", "1", ""),                   // orphan, inner work
			span("27", "77", "3", peer("peer.service")), // orphan, and cart -> db
			span("28", "21", "2", ""),                   // its own pod: inner work
		) + `]}`,
		`{"resourceSpans":[` + pod("cart", "c2", span("31", "21", "2", status("http.status_code", `{"intValue":"503"}`))) + `]}`, // cart -> cart, failed
		`{"resourceSpans":[` + pod("cart", "c1", span("21", "02", "2", "")) + `]}`,                                               // again
		`{"resourceMetrics":[]}`, "", "torn {",
	}
	path := filepath.Join(t.TempDir(), "x.json")
	write(t, path, strings.Join(lines, "\n"))
	got, err := recording.CountOTLP(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `rows 21 spans 20 duplicates 1 bad 1 orphans 4 calls 11 errors 4 backwards 0
"" -> front 3
"?" -> cart 2
"cart" -> cart 1
"cart" -> db 1
"front" -> cart 2
"front" -> db 2
0 cart 5/3 1000000000 1000000000 1000000000
0 db 3/0 1000000000 1000000000 1000000000
0 front 3/1 1000000000 1000000000 1000000000
`
	if d := describe(got, 10); d != want {
		t.Errorf("got\n%swant\n%s", d, want)
	}
}

func TestCountMissing(t *testing.T) {
	if _, err := recording.Count(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("a missing folder counts")
	}
	if _, err := recording.Count(t.TempDir()); err == nil {
		t.Error("an empty folder counts")
	}
	if _, err := recording.CountOTLP(t.TempDir()); err == nil {
		t.Error("an empty folder counts")
	}
}

// realDay is a real recording, or the test is skipped.
func realDay(t *testing.T, day string) string {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(root, "data", "nezha-rca", day)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real recording (set WEIR_SHARED): %v", err)
	}
	return path
}

func TestCountRealDays(t *testing.T) {
	tests := []struct {
		day                      string
		calls, duplicates, edges int
	}{
		{"onlineboutique-2022-08-22", 75494, 995, 13},
		{"trainticket-2023-01-29", 55137, 7780, 55},
	}
	for _, tt := range tests {
		t.Run(tt.day, func(t *testing.T) {
			tr, err := recording.Count(realDay(t, tt.day))
			if err != nil {
				t.Fatal(err)
			}
			edges, roots := 0, 0
			for _, e := range tr.Edges {
				if e.Source == "" {
					roots++
				} else {
					edges++
				}
			}
			if tr.Calls != tt.calls || tr.Duplicates != tt.duplicates || edges != tt.edges || tr.Orphans != 0 || tr.Bad != 0 {
				t.Errorf("%d calls, %d duplicates, %d edges, %d orphans, %d bad, want %d, %d, %d, 0, 0", tr.Calls, tr.Duplicates, edges, tr.Orphans, tr.Bad, tt.calls, tt.duplicates, tt.edges)
			}
			t.Logf("%d rows, %d edges from outside", tr.Rows, roots)
		})
	}
}
