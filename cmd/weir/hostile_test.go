package main_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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

// TestAFloodBesideARecording sends tens of thousands of invented names at absurd times over one connection while a recording comes over
// another: the recording counts to the last call, and what was invented is bounded.
func TestAFloodBesideARecording(t *testing.T) {
	t.Setenv("WEIR_COLLECTOR_MAX_WORKLOADS", "100")
	t.Setenv("WEIR_COLLECTOR_MAX_INSTANCES", "200")
	path, truth := generate(t, "otlp-json", func(c *recording.Config) { c.Calls = 5000 })
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
	for round := range 8 { // the table is full before the recording comes
		if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(flood(round, 1000, began))); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan error, 1)
	go func() {
		for round := range 8 {
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
	if workloads > 130 || overflow != 1 || days > 40 {
		t.Errorf("%d workloads, overflow %d, %d days", workloads, overflow, days)
	}
	if text := string(scrape(t, at)); !strings.Contains(text, `weir_collector_overflowed_total{level="workload"`) {
		t.Error("the overflow is not counted")
	}
	p.stop(t)
	if n := strings.Count(p.stderr.String(), "Too many names"); n == 0 || n > 10 {
		t.Errorf("the log tells of it %d times", n)
	}
}
