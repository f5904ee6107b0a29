package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
)

// message is a message of a trace: front is called from outside and calls cart, which fails.
func message(source string, offset int64) columns.KeptSpans {
	span := func(id, parent byte, kind schemas.Kind, origin int, http uint16) columns.Span {
		return columns.Span{
			Trace: schemas.TraceID{0: 0xAB, 15: byte(offset)}, ID: schemas.SpanID{7: id}, Parent: schemas.SpanID{7: parent}, Kind: kind, Origin: origin,
			Route: "/buy", Protocol: "http", Measure: schemas.Measure{
				End: day + 123456789 + offset*second, Duration: 40e6, Weight: schemas.One,
				Status: schemas.Status{HTTP: http, GRPC: schemas.NoGRPC, Span: uint8(http / 250)}, RequestBytes: 700,
			},
		}
	}
	at := func(name string) schemas.Origin {
		return schemas.Origin{Workload: schemas.Workload{Cluster: "c", Namespace: "shop", Name: name, Version: "v1"}, Instance: name + "-0"}
	}
	b := columns.SpanBatch{Origins: []schemas.Origin{at("front"), at("cart")}, Peers: []columns.Peer{{}, {Name: "cart"}}}
	b.Spans = []columns.Span{
		span(1, 0, schemas.KindServer, 0, 200), span(2, 1, schemas.KindClient, 0, 0), span(3, 2, schemas.KindServer, 1, 503),
	}
	b.Spans[1].Peer, b.Spans[1].Flags, b.Spans[1].Weight = 1, schemas.FlagRetry, 10*schemas.One
	return columns.KeptSpans{Source: source, Offset: offset, SpanBatch: b}
}

func messages(source string, first, last int64) (all []columns.KeptSpans) {
	for offset := first; offset <= last; offset++ {
		all = append(all, message(source, offset))
	}
	return all
}

func TestSpansAreStoredOnceHoweverTheLogIsCut(t *testing.T) {
	c, cfg := open(t)
	for _, f := range [][]columns.KeptSpans{
		messages("a", 0, 4), messages("a", 0, 4), // an answer was lost
		messages("a", 3, 6), // after a crash, cut otherwise
		append(messages("b", 0, 1), messages("a", 0, 8)...),
	} {
		write(t, c, store.Flush{Spans: f})
	}
	if got := ask(t, cfg, "SELECT source, count(), uniqExact(last_offset), max(last_offset) FROM weir.spans GROUP BY source ORDER BY source"); got !=
		"a\t27\t9\t8\nb\t6\t2\t1" {
		t.Errorf("spans stored:\n%s", got)
	}
	parts := ask(t, cfg, "SELECT count() FROM system.parts WHERE database = 'weir' AND table = 'spans' AND level = 0")
	if parts != "3" { // the second write has nothing new
		t.Errorf("%s parts were written, want one for each write", parts)
	}
}

func TestASpanIsShownAsTheExporterWould(t *testing.T) {
	c, cfg := open(t)
	write(t, c, store.Flush{Spans: messages("a", 5, 5)})
	got := ask(t, cfg, "SELECT Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, Duration, StatusCode, ResourceAttributes, SpanAttributes "+
		"FROM weir.otel_traces ORDER BY SpanId")
	resource := func(name string) string {
		return fmt.Sprintf("{'service.name':'%s','service.namespace':'shop','service.version':'v1','service.instance.id':'%s-0',"+
			"'k8s.cluster.name':'c','k8s.namespace.name':'shop'}", name, name)
	}
	const trace, at = "ab000000000000000000000000000005", "2022-08-22 00:00:05.083456789"
	want := []string{
		at + "\t" + trace + "\t0000000000000001\t\t/buy\tServer\tfront\t40000000\tUnset\t" + resource("front") +
			"\t{'http.route':'/buy','weir.protocol':'http','http.response.status_code':'200','http.request.body.size':'700'}",
		at + "\t" + trace + "\t0000000000000002\t0000000000000001\t/buy\tClient\tfront\t40000000\tUnset\t" + resource("front") +
			"\t{'http.route':'/buy','weir.protocol':'http','http.request.body.size':'700','peer.service':'cart','weir.calls':'10','weir.facts':'retry'}",
		at + "\t" + trace + "\t0000000000000003\t0000000000000002\t/buy\tServer\tcart\t40000000\tError\t" + resource("cart") +
			"\t{'http.route':'/buy','weir.protocol':'http','http.response.status_code':'503','http.request.body.size':'700'}",
	}
	if got != strings.Join(want, "\n") {
		t.Errorf("the view shows\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if got := ask(t, cfg, "SELECT * FROM weir.otel_traces_trace_id_ts"); got != trace+"\t2022-08-22 00:00:05\t2022-08-22 00:00:05" {
		t.Errorf("the trace's times are %s", got)
	}
}

// exporter is what the tables of the Collector's ClickHouse exporter hold, v0.161.0 of contrib: names and types. Columns that the server
// makes of others (MATERIALIZED) are not part of what is selected, and left out.
var exporter = map[string]string{
	"otel_traces": `Timestamp DateTime64(9)
TraceId String
SpanId String
ParentSpanId String
TraceState String
SpanName LowCardinality(String)
SpanKind LowCardinality(String)
ServiceName LowCardinality(String)
ResourceAttributes Map(LowCardinality(String), String)
ScopeName String
ScopeVersion String
SpanAttributes Map(LowCardinality(String), String)
Duration UInt64
StatusCode LowCardinality(String)
StatusMessage String
Events.Timestamp Array(DateTime64(9))
Events.Name Array(LowCardinality(String))
Events.Attributes Array(Map(LowCardinality(String), String))
Links.TraceId Array(String)
Links.SpanId Array(String)
Links.TraceState Array(String)
Links.Attributes Array(Map(LowCardinality(String), String))`,
	"otel_traces_trace_id_ts": `TraceId String
Start DateTime
End DateTime`,
	"otel_logs": `Timestamp DateTime64(9)
TraceId String
SpanId String
TraceFlags UInt8
SeverityText LowCardinality(String)
SeverityNumber UInt8
ServiceName LowCardinality(String)
Body String
ResourceSchemaUrl LowCardinality(String)
ResourceAttributes Map(LowCardinality(String), String)
ScopeSchemaUrl LowCardinality(String)
ScopeName String
ScopeVersion LowCardinality(String)
ScopeAttributes Map(LowCardinality(String), String)
LogAttributes Map(LowCardinality(String), String)
EventName String`,
}

func TestViewsHaveTheColumnsOfTheExporter(t *testing.T) {
	_, cfg := open(t)
	for name, want := range exporter {
		got := ask(t, cfg, "SELECT concat(name, ' ', type) FROM system.columns WHERE database = 'weir' AND table = '"+name+"' ORDER BY position")
		if got != want {
			t.Errorf("%s has\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestATraceIsFoundByItsIdWithoutReadingTheRest(t *testing.T) {
	c, cfg := open(t)
	for i := range int64(12) {
		write(t, c, store.Flush{Spans: messages("a", 10*i, 10*i+9)})
	}
	for _, view := range []string{"otel_traces", "otel_traces_trace_id_ts"} {
		plan := ask(t, cfg, "EXPLAIN indexes = 1 SELECT * FROM weir."+view+" WHERE TraceId = 'ab000000000000000000000000000005'")
		_, skip, found := strings.Cut(plan, "Name: trace")
		if !found || !strings.Contains(skip, "Parts: 1/") {
			t.Errorf("%s does not use the index of traces:\n%s", view, plan)
		}
	}
}

func BenchmarkWriteSpans(b *testing.B) {
	c, _ := open(b)
	b.ReportAllocs()
	spans := 0
	for i := int64(0); b.Loop(); i++ {
		all := messages("a", 3000*i, 3000*i+2999)
		if err := c.Write(b.Context(), store.Flush{Spans: all}); err != nil {
			b.Fatal(err)
		}
		spans += 3 * len(all)
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}
