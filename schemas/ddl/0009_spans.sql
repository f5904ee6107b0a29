-- Spans as they came, kept for three days where features.keep_spans says so, and views with the columns of the OpenTelemetry Collector's
-- ClickHouse exporter, which Grafana's ClickHouse plug-in reads.
-- A row says which message it came from. Rows of a message are the same whoever writes them and whenever, so the guard goes by the offset
-- of each row, and by nothing of the flush. The day of arrival is the partition: what is written together is one part, there or not there, the
-- absurd times of a broken clock make no partitions, and whole days expire.
-- No time zone in the type of `started`: the views show it as the exporter's tables do, and no conversion stands before its index.
CREATE TABLE IF NOT EXISTS weir.spans
(
    started        DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration       UInt64 CODEC(T64, ZSTD(1)),
    trace_id       FixedString(16) CODEC(ZSTD(1)),
    span_id        FixedString(8) CODEC(ZSTD(1)),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    kind           UInt8 CODEC(ZSTD(1)),
    flags          UInt16 CODEC(ZSTD(1)),
    http_status    UInt16 CODEC(ZSTD(1)),
    grpc_status    Int16 CODEC(ZSTD(1)),
    span_status    UInt8 CODEC(ZSTD(1)),
    weight         UInt32 CODEC(ZSTD(1)),
    request_bytes  UInt64 CODEC(T64, ZSTD(1)),
    response_bytes UInt64 CODEC(T64, ZSTD(1)),
    tenant         LowCardinality(String),
    cluster        LowCardinality(String),
    region         LowCardinality(String),
    namespace      LowCardinality(String),
    workload       LowCardinality(String),
    version        LowCardinality(String),
    instance       LowCardinality(String),
    peer_namespace LowCardinality(String),
    peer_workload  LowCardinality(String),
    route          LowCardinality(String),
    protocol       LowCardinality(String),
    source         LowCardinality(String),
    last_offset    Int64 CODEC(Delta, ZSTD(1)),
    stored         DateTime('UTC') DEFAULT now() CODEC(ZSTD(1)),
    INDEX trace lower(hex(trace_id)) TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX times started TYPE minmax GRANULARITY 1,
    PROJECTION marks (SELECT source, max(last_offset) GROUP BY source)
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(stored)
ORDER BY (workload, namespace, route, toDateTime(started))
TTL stored + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.in_spans ENGINE = Null AS SELECT * EXCEPT (stored) FROM weir.spans WHERE 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS weir.guard_spans TO weir.spans
AS SELECT * FROM weir.in_spans
WHERE last_offset >= (
    SELECT mapFromArrays(groupArray(name), groupArray(mark + 1))
    FROM (SELECT source AS name, max(last_offset) AS mark FROM weir.spans GROUP BY name)
)[source];

{{define "attributes"}}Map(LowCardinality(String), String){{end}}
{{define "kind"}}['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][s.kind + 1]{{end}}
CREATE OR REPLACE VIEW weir.otel_traces AS
SELECT
    s.started AS Timestamp,
    lower(hex(s.trace_id)) AS TraceId,
    lower(hex(s.span_id)) AS SpanId,
    if(s.parent_span_id = toFixedString('', 8), '', lower(hex(s.parent_span_id))) AS ParentSpanId,
    '' AS TraceState,
    toLowCardinality(if(s.route = '', {{template "kind"}}, toString(s.route))) AS SpanName,
    toLowCardinality({{template "kind"}}) AS SpanKind,
    s.workload AS ServiceName,
    CAST(mapFilter((key, value) -> value != '', map('service.name', s.workload, 'service.namespace', s.namespace,
        'service.version', s.version,
        'service.instance.id', s.instance, 'k8s.cluster.name', s.cluster, 'k8s.namespace.name', s.namespace, 'cloud.region', s.region,
        'weir.tenant', s.tenant)), '{{template "attributes"}}') AS ResourceAttributes,
    'weir' AS ScopeName,
    '' AS ScopeVersion,
    CAST(mapFilter((key, value) -> value != '', map('http.route', s.route, 'weir.protocol', s.protocol,
        'http.response.status_code', if(s.http_status = 0, '', toString(s.http_status)),
        'rpc.grpc.status_code', if(s.grpc_status < 0, '', toString(s.grpc_status)),
        'http.request.body.size', if(s.request_bytes = 0, '', toString(s.request_bytes)),
        'http.response.body.size', if(s.response_bytes = 0, '', toString(s.response_bytes)),
        'peer.service', s.peer_workload, 'weir.peer.namespace', s.peer_namespace,
        'weir.calls', if(s.weight = 65536, '', toString(s.weight / 65536)),
        'weir.facts', arrayStringConcat(arrayFilter((word, bit) -> bitTest(s.flags, bit),
            ['clock_skew', 'retry', 'transport', 'rejected_mesh', 'rejected_weir'], [0, 1, 2, 3, 4]), ','))),
        '{{template "attributes"}}') AS SpanAttributes,
    s.duration AS Duration,
    toLowCardinality(['Unset', 'Ok', 'Error'][s.span_status + 1]) AS StatusCode,
    '' AS StatusMessage,
    CAST([], 'Array(DateTime64(9))') AS `Events.Timestamp`,
    CAST([], 'Array(LowCardinality(String))') AS `Events.Name`,
    CAST([], 'Array({{template "attributes"}})') AS `Events.Attributes`,
    CAST([], 'Array(String)') AS `Links.TraceId`,
    CAST([], 'Array(String)') AS `Links.SpanId`,
    CAST([], 'Array(String)') AS `Links.TraceState`,
    CAST([], 'Array({{template "attributes"}})') AS `Links.Attributes`
FROM weir.spans AS s;

-- When each trace began and ended, for whoever looks for one by its id.
CREATE OR REPLACE VIEW weir.otel_traces_trace_id_ts AS
SELECT lower(hex(s.trace_id)) AS TraceId, toDateTime(min(s.started)) AS Start, toDateTime(max(s.started)) AS End
FROM weir.spans AS s GROUP BY TraceId;

-- What Weir itself says, as log records: each state of a finding, each decision, each outcome. Weir takes no bodies of anybody's logs.
CREATE OR REPLACE VIEW weir.otel_logs AS
SELECT
    fromUnixTimestamp64Nano(toUnixTimestamp64Milli(r.at) * 1000000) AS Timestamp,
    '' AS TraceId,
    '' AS SpanId,
    toUInt8(0) AS TraceFlags,
    toLowCardinality(r.severity) AS SeverityText,
    toUInt8(transform(r.severity, ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'], [5, 9, 13, 17, 21], 0)) AS SeverityNumber,
    toLowCardinality(r.workload) AS ServiceName,
    r.text AS Body,
    toLowCardinality('') AS ResourceSchemaUrl,
    CAST(mapFilter((key, value) -> value != '', map('service.name', r.workload, 'service.namespace', r.namespace,
        'service.version', r.version,
        'k8s.cluster.name', r.cluster, 'k8s.namespace.name', r.namespace, 'cloud.region', r.region, 'weir.tenant', r.tenant)),
        '{{template "attributes"}}') AS ResourceAttributes,
    toLowCardinality('') AS ScopeSchemaUrl,
    'weir' AS ScopeName,
    toLowCardinality('') AS ScopeVersion,
    CAST(map(), '{{template "attributes"}}') AS ScopeAttributes,
    CAST(mapFilter((key, value) -> value != '', r.facts), '{{template "attributes"}}') AS LogAttributes,
    r.event AS EventName
FROM (
    SELECT 'weir.finding' AS event, updated_at AS at, toString(severity) AS severity, explanation AS text,
        toString(tenant) AS tenant, toString(cluster) AS cluster, toString(region) AS region, toString(namespace) AS namespace,
        toString(workload) AS workload, toString(version) AS version,
        map('finding_id', finding_id, 'incident_id', incident_id, 'revision', toString(revision), 'kind', toString(kind),
            'state', toString(state), 'signal', toString(signal), 'observed', toString(observed), 'expected', toString(expected)) AS facts
    FROM weir.finding_rows FINAL
    UNION ALL
    SELECT 'weir.decision', made_at, if(verdict = 'propose', 'INFO', 'DEBUG'), reason,
        toString(tenant), toString(cluster), toString(region), toString(namespace), toString(workload), toString(version),
        map('decision_id', decision_id, 'kind', toString(kind), 'verdict', toString(verdict), 'code', toString(code), 'cause', cause,
            'current', toString(`current`), 'proposed', toString(proposed), 'unit', toString(unit), 'counterfactual', counterfactual)
    FROM weir.decision_rows FINAL
    UNION ALL
    SELECT 'weir.outcome', o.at, multiIf(o.stage = 'refused', 'WARN', o.stage = 'declined', 'DEBUG', 'INFO'), o.reason,
        toString(d.tenant), toString(d.cluster), toString(d.region), toString(d.namespace), toString(d.workload), toString(d.version),
        map('decision_id', o.decision_id, 'stage', toString(o.stage), 'rule', toString(o.rule), 'by', toString(o.by), 'object', o.object,
            'diff', o.diff, 'validation', o.validation)
    FROM (SELECT * FROM weir.outcome_rows FINAL) AS o
    LEFT JOIN (SELECT decision_id, tenant, cluster, region, namespace, workload, version FROM weir.decision_rows FINAL) AS d
        ON d.decision_id = o.decision_id
) AS r;
