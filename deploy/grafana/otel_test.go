package grafana_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

const trace = "01020000000000000000000000000000"

// typical are statements of the kind that the plug-in's query builder writes for OpenTelemetry tables, and what their answers must hold.
var typical = map[string]struct{ sql, want string }{
	"a trace by its id": {
		`WITH '` + trace + `' as trace_id,
		(SELECT min(Start) FROM "weir"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_start,
		(SELECT max(End) + 1 FROM "weir"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_end
		SELECT "TraceId" as traceID, "SpanId" as spanID, "ParentSpanId" as parentSpanID, "ServiceName" as serviceName, "SpanName" as operationName,
		multiply(toUnixTimestamp64Nano("Timestamp"), 0.000001) as startTime, multiply("Duration", 0.000001) as duration,
		arrayMap(key -> map('key', key, 'value', "SpanAttributes"[key]), mapKeys("SpanAttributes")) as tags,
		arrayMap(key -> map('key', key, 'value', "ResourceAttributes"[key]), mapKeys("ResourceAttributes")) as serviceTags,
		if("StatusCode" IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) as statusCode,
		arrayMap((name, at, attributes) -> tuple(name, toString(toUnixTimestamp64Milli(at)), mapKeys(attributes)),
			"Events".Name, "Events".Timestamp, "Events".Attributes) as logs,
		arrayMap((of, span, attributes) -> tuple(of, span, mapKeys(attributes)), "Links".TraceId, "Links".SpanId, "Links".Attributes) as references,
		"SpanKind" as kind, "StatusMessage" as statusMessage, "TraceState" as traceState
		FROM "weir"."otel_traces" WHERE traceID = trace_id AND "Timestamp" >= trace_start AND "Timestamp" <= trace_end LIMIT 1000`,
		`"serviceName":"cart","operationName":"\/cart"`,
	},
	"a list of traces": {
		`SELECT "TraceId" as traceID, "ServiceName" as serviceName, "SpanName" as operationName, "Timestamp" as startTime,
		multiply("Duration", 0.000001) as duration
		FROM "weir"."otel_traces" WHERE ( Timestamp >= $__fromTime AND Timestamp <= $__toTime ) AND ( ParentSpanId = '' ) AND ( Duration > 0 )
		AND ( ServiceName IN ('cart') ) ORDER BY Timestamp DESC, Duration DESC LIMIT 1000`,
		`"traceID":"` + trace + `"`,
	},
	"a list of logs": {
		`SELECT Timestamp as "timestamp", Body as "body", SeverityText as "level", TraceId as "traceID", ResourceAttributes as "labels", LogAttributes
		FROM "weir"."otel_logs" WHERE ( timestamp >= $__fromTime AND timestamp <= $__toTime ) AND ( level IN ('WARN', 'FATAL') )
		AND ( body LIKE '%too many%' ) AND ( ResourceAttributes['k8s.namespace.name'] = 'shop' ) ORDER BY timestamp DESC LIMIT 1000`,
		`"level":"WARN"`,
	},
	"the volume of logs by level": {
		`SELECT toStartOfInterval("Timestamp", INTERVAL 60 second) as "time",
		sum(toString("SeverityText") IN ('WARN', 'warn', 'Warn')) as warn, count() as total
		FROM "weir"."otel_logs" WHERE ( "Timestamp" >= $__fromTime AND "Timestamp" <= $__toTime ) GROUP BY time ORDER BY time ASC`,
		`"warn":1,"total":1`,
	},
	"values of a filter": {`SELECT DISTINCT ServiceName FROM "weir"."otel_traces" LIMIT 1000`, `"ServiceName":"cart"`},
}

func TestTracesAndLogsAnswerThePlugIn(t *testing.T) {
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	client, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	cart := schemas.Workload{Cluster: "c", Namespace: "shop", Name: "cart", Version: "v1"}
	batch := columns.SpanBatch{Origins: []schemas.Origin{{Workload: cart}}, Peers: []columns.Peer{{}}, Spans: []columns.Span{{
		Trace: schemas.TraceID{1, 2}, ID: schemas.SpanID{3}, Kind: schemas.KindServer, Route: "/cart",
		Measure: schemas.Measure{End: noon.UnixNano(), Duration: 5e6, Weight: schemas.One},
	}}}
	if err := client.Write(t.Context(), store.Flush{Spans: []columns.KeptSpans{{Source: "s", SpanBatch: batch}}}); err != nil {
		t.Fatal(err)
	}
	err = client.SaveFindings(t.Context(), []schemas.Finding{{
		ID: "f-1", Revision: 1, State: schemas.Firing, StartedAt: noon, UpdatedAt: noon, Workload: cart, Severity: schemas.SeverityWarning,
		Explanation: "too many calls fail",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range typical {
		var out bytes.Buffer
		if err := clickhouse.Query(t.Context(), cfg, expand(t, q.sql), "JSONEachRow", &out); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), q.want) {
			t.Errorf("%s answers %s, want %s in one row", name, &out, q.want)
		}
	}
}

// TestTheDataSourceNamesTheTables compares what is provisioned with the views that the statements above ask.
func TestTheDataSourceNamesTheTables(t *testing.T) {
	text, err := os.ReadFile("datasource.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type tables struct {
		Database string `yaml:"defaultDatabase"`
		Table    string `yaml:"defaultTable"`
		OTel     bool   `yaml:"otelEnabled"`
		Version  string `yaml:"otelVersion"`
	}
	var file struct {
		Datasources []struct {
			JSONData struct{ Traces, Logs tables } `yaml:"jsonData"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Datasources) != 1 {
		t.Fatalf("%d data sources: %v", len(file.Datasources), err)
	}
	got := file.Datasources[0].JSONData
	if got.Traces != (tables{"weir", "otel_traces", true, "latest"}) || got.Logs != (tables{"weir", "otel_logs", true, "latest"}) {
		t.Errorf("the data source asks for %+v", got)
	}
}
