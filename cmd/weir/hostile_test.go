package main_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/sim/recording"
)

// flood makes a request of spans with names nobody has used, of times from 1970 to 2262.
func flood(round, n int, at time.Time) ptrace.Traces {
	td := ptrace.NewTraces()
	for i := range n {
		id := round*n + i
		rs := td.ResourceSpans().AppendEmpty()
		who := rs.Resource().Attributes()
		who.PutStr("service.name", fmt.Sprint("bad-", id))
		who.PutStr("service.version", fmt.Sprint("bad-", id))
		who.PutStr("service.instance.id", strings.Repeat("x", 1000)+fmt.Sprint(id))
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{9, byte(id >> 16), byte(id >> 8), byte(id)})
		span.SetSpanID(pcommon.SpanID{9, byte(id >> 16), byte(id >> 8), byte(id)})
		span.SetKind(ptrace.SpanKindServer)
		end := at
		switch i % 5 {
		case 1:
			end = time.Unix(int64(id), 0)
		case 2:
			end = time.Unix(0, math.MaxInt64)
		case 3:
			end = at.AddDate(0, 0, -id%3000)
		}
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	}
	return td
}

// bomb is a request of so many empty spans, gzipped: two bytes each, which take hundreds when decoded.
func bomb(t *testing.T, spans int) []byte {
	t.Helper()
	wrap := func(field protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(wrap(1, wrap(2, bytes.Repeat([]byte{0x12, 0}, spans)))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// post sends a request over a connection of its own and returns how it was answered; 0 if it was not.
func post(at, path string, headers map[string]string, body []byte) int {
	r, err := http.NewRequest(http.MethodPost, "http://"+at+path, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	for key, value := range headers {
		r.Header.Set(key, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// unpack sends bombs side by side: one that is refused, and some that are just small enough.
func unpack(t *testing.T, at string) {
	t.Helper()
	headers := map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
	large, small := bomb(t, 7_000_000), bomb(t, 20_000)
	if code := post(at, "/v1/traces", headers, large); code != http.StatusBadRequest {
		t.Errorf("7 million spans in %d bytes: %d", len(large), code)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { post(at, "/v1/traces", headers, small) })
	}
	all.Wait()
}

// mistreat sends what is no telemetry: each is refused, and nothing else comes of it.
func mistreat(t *testing.T, at string) {
	t.Helper()
	good, err := ptraceotlp.NewExportRequestFromTraces(flood(90, 10, time.Now())).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	for contentType, body := range map[string][]byte{
		"application/x-protobuf": good[:len(good)-3], // cut
		"application/json":       []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"\u202e","endTimeUnixNano":"1e99"}]}`),
		"text/html":              []byte("<script>alert(1)</script>"),
		"":                       nil,
	} {
		if code := post(at, "/v1/traces", map[string]string{"Content-Type": contentType}, body); code/100 != 4 {
			t.Errorf("%q: %d", contentType, code)
		}
	}
	if code := post(at, "/v1/traces", map[string]string{"X-Long": strings.Repeat("x", 4<<20)}, nil); code/100 == 2 {
		t.Errorf("4 MB of headers: %d", code)
	}
}

// poison writes to the log itself: what no collector writes, of times that there are no days for, and the end of all streams.
func poison(t *testing.T, address string, at time.Time) {
	t.Helper()
	k, err := kafka.New(kafka.Config{Addresses: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	calls := func(ends ...int64) ingest.Record {
		b := columns.NewSpanBuilder()
		for i, end := range ends {
			b.Append(columns.Span{
				Trace: schemas.TraceID{8, byte(end), byte(i)}, ID: schemas.SpanID{8, byte(i)}, Kind: schemas.KindServer,
				Measure: schemas.Measure{End: end, Duration: math.MaxUint64, Weight: math.MaxUint32, RequestBytes: math.MaxUint64},
			}, schemas.Origin{Workload: schemas.Workload{Name: "poison"}, Instance: fmt.Sprint(i)}, columns.Peer{})
		}
		value, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return ingest.Record{Topic: wire.TopicCalls, Value: value, Headers: []wire.Header{{Key: wire.HeaderSchema, Value: wire.SchemaCalls}}}
	}
	long := calls(at.UnixNano())
	short := long
	short.Value = long.Value[:len(long.Value)/2]
	records := []ingest.Record{
		calls(math.MinInt64), calls(-1), calls(math.MaxInt64), calls(at.UnixNano(), math.MaxInt64), long, short,
		{Topic: wire.TopicCalls, Headers: []wire.Header{
			{Key: wire.HeaderControl, Value: wire.ControlWatermark}, {Key: wire.HeaderEventTime, Value: fmt.Sprint(int64(math.MaxInt64))},
		}},
	}
	for _, r := range records {
		if err := k.Produce(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// peak is the most memory, in MiB, that a process has held; 0 where the system does not tell.
func peak(pid int) (mib int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
		if _, err := fmt.Sscan(after, &mib); err != nil {
			return 0
		}
	}
	return mib >> 10
}

// TestHostilityBesideARecording sends tens of thousands of invented names at absurd times, over one connection and over many, requests that
// unpack to gigabytes and such as cannot be read, and poison into the log, before a recording and beside it: the recording counts to
// the last call, and what was invented and the memory it takes are bounded.
func TestHostilityBesideARecording(t *testing.T) {
	t.Setenv("WEIR_COLLECTOR_MAX_WORKLOADS", "100")
	t.Setenv("WEIR_COLLECTOR_MAX_INSTANCES", "200")
	path, truth := generate(t, "otlp-json", func(c *recording.Config) { c.Calls = 2000 })
	dir := t.TempDir()
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	conn, err := grpc.NewClient(at.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	began := time.Unix(truth.Windows[0].Start, 0)
	client := ptraceotlp.NewGRPCClient(conn)
	for round := range 3 { // the table is full before the recording comes
		if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(flood(round, 1000, began))); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 { // each over a connection of its own; more of them, and the share of the recording would not hold its names
		names := flood(20+round, 100, began)
		for _, rs := range names.ResourceSpans().All() { // of a day that is known: many connections hold many shares of the days, too
			rs.ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(pcommon.NewTimestampFromTime(began))
		}
		body, err := ptraceotlp.NewExportRequestFromTraces(names).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		post(at.OTLPHTTP, "/v1/traces", map[string]string{"Content-Type": "application/x-protobuf"}, body)
	}
	unpack(t, at.OTLPHTTP)
	mistreat(t, at.OTLPHTTP)
	poison(t, at.Kafka, began)
	over := make(chan error, 1)
	go func() {
		for round := range 3 {
			if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(flood(8+round, 1000, began))); err != nil {
				over <- err
				return
			}
		}
		over <- nil
	}()
	replay(t, dir, "otlp-json", path)
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	checkGood(t, dir, truth)
	rows := query(t, dir, "SELECT uniqExact(workload), countIf(workload = '~overflow') > 0, uniqExact(toDate(window_start)) FROM service_windows")
	var workloads, overflow, days int
	if _, err := fmt.Sscan(strings.Join(rows[0], " "), &workloads, &overflow, &days); err != nil {
		t.Fatal(err)
	}
	if workloads > 250 || overflow != 1 || days > 40 {
		t.Errorf("%d workloads, overflow %d, %d days", workloads, overflow, days)
	}
	if text := string(scrape(t, at)); !strings.Contains(text, `weir_collector_overflowed_total{level="workload"`) {
		t.Error("the overflow is not counted")
	}
	if mib := peak(p.cmd.Process.Pid); mib > 1536 {
		t.Errorf("%d MiB were needed", mib)
	}
	p.stop(t)
	if n := strings.Count(p.stderr.String(), "Too many names"); n == 0 || n > 10 {
		t.Errorf("the log tells of it %d times", n)
	}
}
