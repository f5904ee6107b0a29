package collector_test

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/weirmesh/weir/collector"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

const (
	protobuf = "application/x-protobuf"
	jsonType = "application/json"
)

func TestEveryDoorLeadsToKafka(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	if _, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 500))); err != nil {
		t.Fatal(err)
	}
	for i, contentType := range []string{protobuf, jsonType} {
		req := ptraceotlp.NewExportRequestFromTraces(spans(byte(2+i), 10))
		body, err := req.MarshalProto()
		if contentType == jsonType {
			body, err = req.MarshalJSON()
		}
		if err != nil {
			t.Fatal(err)
		}
		if code, answer := c.post(t, "/v1/traces", contentType, body); code != http.StatusOK {
			t.Fatalf("%s: %d %s", contentType, code, answer)
		}
	}
	seen := map[schemas.TraceID]bool{}
	for _, r := range read(t, cluster, client, wire.TopicCalls) {
		batch, err := columns.DecodeSpans(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range batch.Spans {
			if seen[s.Trace] {
				t.Errorf("trace %x came twice", s.Trace)
			}
			seen[s.Trace] = true
			if p := wire.PartitionOfTrace(s.Trace, partitions); p != int(r.Partition) {
				t.Errorf("trace %x is in partition %d, not %d", s.Trace, r.Partition, p)
			}
		}
		checkMessage(t, r, len(batch.Spans))
	}
	if len(seen) != 520 {
		t.Errorf("%d spans in Kafka, want 520", len(seen))
	}
	for name, want := range map[string]float64{
		"weir_collector_received_total": 520, "weir_collector_sent_total": 520, "weir_collector_messages_total": 9,
	} {
		if got := c.metric(t, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if c.metric(t, "weir_collector_last_received_timestamp_seconds", "signal=traces") < 1.7e9 {
		t.Error("the time of the last request is not told")
	}
	c.stop()
	if c.log.Len() > 0 {
		t.Errorf("a quiet run logged:\n%s", c.log)
	}
}

// checkMessage checks what every message of weir.calls says about itself.
func checkMessage(t *testing.T, r *kgo.Record, rows int) {
	t.Helper()
	if header(r, wire.HeaderSchema) != wire.SchemaCalls || header(r, wire.HeaderProducer) == "" ||
		header(r, wire.HeaderSeq) == "" || header(r, wire.HeaderSent) == "" ||
		header(r, wire.HeaderRows) != strconv.Itoa(rows) ||
		header(r, wire.HeaderEvents) != "1700000000005000000,1700000000005000000" {
		t.Errorf("headers %v for %d rows", r.Headers, rows)
	}
	if bytes.Contains(r.Value, []byte("secret")) {
		t.Error("an attribute that is not on the list left the collector")
	}
}

func TestLogsArePartialSuccess(t *testing.T) {
	cluster, _ := startKafka(t)
	c := start(t, cluster, nil)
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range 7 {
		records.AppendEmpty().Body().SetStr("hello")
	}
	req := plogotlp.NewExportRequestFromLogs(ld)
	check := func(door string, resp plogotlp.ExportResponse) {
		t.Helper()
		if p := resp.PartialSuccess(); p.RejectedLogRecords() != 7 || p.ErrorMessage() != "logs_not_supported" {
			t.Errorf("%s: %d rejected, %q", door, p.RejectedLogRecords(), p.ErrorMessage())
		}
	}
	resp, err := plogotlp.NewGRPCClient(c.grpc).Export(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	check("gRPC", resp)

	body, _ := req.MarshalProto()
	code, answer := c.post(t, "/v1/logs", protobuf, body)
	resp = plogotlp.NewExportResponse()
	if err := resp.UnmarshalProto(answer); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	check("HTTP protobuf", resp)

	body, _ = req.MarshalJSON()
	code, answer = c.post(t, "/v1/logs", jsonType, body)
	resp = plogotlp.NewExportResponse()
	if err := resp.UnmarshalJSON(answer); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	check("HTTP JSON", resp)
	if got := c.metric(t, "weir_collector_dropped_total", "signal=logs", "reason=logs_not_supported"); got != 21 {
		t.Errorf("%v logs counted as dropped, want 21", got)
	}
}

func TestGaugesArriveAndHistogramsAreAnswered(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.Tenant, cfg.MaxPast = "a${env:HOME}$b: {x}", 0 })
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "checkout")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	gauge := metrics.AppendEmpty()
	gauge.SetName("queue.depth")
	gauge.SetUnit("{message}")
	point := gauge.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(5)
	point.SetIntValue(42)
	metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	resp, err := pmetricotlp.NewGRPCClient(c.grpc).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(md))
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.PartialSuccess(); p.RejectedDataPoints() != 1 || p.ErrorMessage() != "histogram_not_supported" {
		t.Errorf("%d rejected, %q", p.RejectedDataPoints(), p.ErrorMessage())
	}
	messages := slices.DeleteFunc(read(t, cluster, client, wire.TopicSamples), func(r *kgo.Record) bool {
		return strings.Contains(string(r.Key), schemas.CollectorWorkload) // about itself
	})
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	samples, err := columns.DecodeSamples(messages[0].Value)
	if err != nil || len(samples) != 1 {
		t.Fatal(len(samples), err)
	}
	want := columns.Sample{Time: 5, Metric: "queue.depth", Unit: "{message}", Value: 42}
	want.Origin.Name, want.Origin.Tenant = "checkout", "a${env:HOME}$b: {x}"
	if samples[0] != want {
		t.Errorf("got %+v, want %+v", samples[0], want)
	}
}

func TestOneBadSpanHarmsNoOther(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	td := spans(1, 4)
	list := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	list.At(1).SetTraceID(pcommon.TraceID{})
	list.At(2).SetEndTimestamp(0)
	resp, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(td))
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.PartialSuccess(); p.RejectedSpans() != 2 || p.ErrorMessage() != "zero_trace_id" {
		t.Errorf("%d rejected, %q", p.RejectedSpans(), p.ErrorMessage())
	}
	var good, lost int
	for _, s := range readSpans(t, cluster, client) {
		if s.Flags&schemas.FlagLost != 0 {
			lost++
		} else {
			good++
		}
	}
	if good != 2 || lost != 2 {
		t.Errorf("%d good and %d lost rows, want 2 and 2", good, lost)
	}
	reasons := map[string]int{}
	for _, r := range read(t, cluster, client, wire.TopicDeadLetter) {
		reasons[header(r, wire.HeaderReason)]++
		if header(r, wire.HeaderStage) != "collector" || bytes.Contains(r.Value, []byte("secret")) || !bytes.Contains(r.Value, []byte("checkout")) {
			t.Errorf("dead letter %s with %v", r.Value, r.Headers)
		}
	}
	if len(reasons) != 2 || reasons["zero_trace_id"] != 1 || reasons["no_end_time"] != 1 {
		t.Errorf("dead letters %v", reasons)
	}
	if got := c.metric(t, "weir_collector_dead_lettered_total", "reason=no_end_time"); got != 1 {
		t.Errorf("%v counted as dead-lettered, want 1", got)
	}
}
