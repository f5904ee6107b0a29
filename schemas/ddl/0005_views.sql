-- The public SQL contract. Names and units stay; see docs/formats/sql.md.
-- {{range .Resolutions}} repeats a view for each window length; {{.Suffix}} is empty for 10 s, else _1m or _1h.
-- completeness: what is left of 1 after the records of the window that are known to be missing, and after the gaps that cover it.
{{define "measures"}}
    weirCalls(sum(t.calls) + sum(t.rejected_mesh) + sum(t.rejected_weir)) AS offered,
    weirCalls(sum(t.calls)) AS calls,
    sum(t.observed) AS observed,
    weirCalls(sum(t.errors)) AS errors,
    weirCalls(sum(t.errors_4xx)) AS errors_4xx,
    weirCalls(sum(t.errors_5xx)) AS errors_5xx,
    weirCalls(sum(t.errors_grpc)) AS errors_grpc,
    weirCalls(sum(t.errors_transport)) AS errors_transport,
    weirCalls(sum(t.status_known)) AS status_known,
    weirCalls(sum(t.retries)) AS retries,
    weirCalls(sum(t.rejected_mesh)) AS rejected_mesh,
    weirCalls(sum(t.rejected_weir)) AS rejected_weir,
    if(sum(t.calls) = 0, NULL, sum(t.duration_ns) / 1e6 * 65536 / sum(t.calls)) AS mean_ms,
    weirQuantile(0.50, sumMap(t.histogram)) AS p50_ms,
    weirQuantile(0.95, sumMap(t.histogram)) AS p95_ms,
    weirQuantile(0.99, sumMap(t.histogram)) AS p99_ms,
    mapApply((bucket, weight) -> (bucket, weirCalls(weight)), sumMap(t.histogram)) AS histogram,
    sum(t.request_bytes) AS request_bytes,
    sum(t.response_bytes) AS response_bytes,
    sum(t.duration_ns) / 1e9 / {{.Seconds}} AS in_flight,
{{end}}
{{define "gaps"}}(1 - arraySum(g -> g.3, arrayFilter(
        g -> g.1 < window_start + toIntervalSecond({{.Seconds}}) AND g.2 > window_start,
        (SELECT groupArray((`from`, `to`, share)) FROM weir.partial_gaps))))
{{end}}

-- Gaps that took part of the telemetry. A silence counts only well inside its ends, and only where other sources spoke.
CREATE OR REPLACE VIEW weir.partial_gaps AS
SELECT g.`from` + toIntervalSecond(margin) AS `from`, g.`to` - toIntervalSecond(margin) AS `to`, g.share AS share
FROM (SELECT *, if(kind = 'quiet', 30, 0) AS margin FROM weir.gaps FINAL WHERE share > 0) AS g
WHERE g.`from` + toIntervalSecond(margin) <= g.`to` - toIntervalSecond(margin);

{{range .Resolutions}}
CREATE OR REPLACE VIEW weir.service_windows{{.Suffix}} AS
SELECT
    t.window_start AS window_start, toUInt32({{.Seconds}}) AS window_seconds,
    t.tenant AS tenant, t.cluster AS cluster, t.region AS region, t.namespace AS namespace, t.workload AS workload, t.version AS version,
    {{template "measures" .}}
    toUInt64(length(groupUniqArrayArray(t.callers))) AS distinct_callers,
    greatest(0., least(1., sum(t.observed) / (sum(t.observed) + sum(t.missing)) * {{template "gaps" .}})) AS completeness,
    weirEvidence(groupBitOr(t.evidence)) AS evidence,
    toUInt8(max(t.acted_on)) AS acted_on,
    sum(t.revision) AS revision
FROM weir.service_{{.Table}} AS t
GROUP BY window_start, tenant, cluster, region, namespace, workload, version
HAVING observed > 0;

CREATE OR REPLACE VIEW weir.instance_windows{{.Suffix}} AS
SELECT
    t.window_start AS window_start, toUInt32({{.Seconds}}) AS window_seconds,
    t.tenant AS tenant, t.cluster AS cluster, t.region AS region, t.namespace AS namespace, t.workload AS workload, t.version AS version,
    t.instance AS instance,
    {{template "measures" .}}
    greatest(0., least(1., sum(t.observed) / (sum(t.observed) + sum(t.missing)) * {{template "gaps" .}})) AS completeness,
    weirEvidence(groupBitOr(t.evidence)) AS evidence,
    toUInt8(max(t.acted_on)) AS acted_on,
    sum(t.revision) AS revision
FROM weir.instance_{{.Table}} AS t
GROUP BY window_start, tenant, cluster, region, namespace, workload, version, instance
HAVING observed > 0;

CREATE OR REPLACE VIEW weir.edge_windows{{.Suffix}} AS
SELECT
    t.window_start AS window_start, toUInt32({{.Seconds}}) AS window_seconds, t.tenant AS tenant,
    t.source_cluster AS source_cluster, t.source_region AS source_region, t.source_namespace AS source_namespace,
    t.source_workload AS source_workload, t.source_version AS source_version,
    t.destination_cluster AS destination_cluster, t.destination_region AS destination_region,
    t.destination_namespace AS destination_namespace, t.destination_workload AS destination_workload,
    t.destination_version AS destination_version,
    {{template "measures" .}}
    greatest(0., least(1., {{template "gaps" .}})) AS completeness,
    weirEvidence(groupBitOr(t.evidence)) AS evidence,
    toUInt8(max(t.acted_on)) AS acted_on,
    sum(t.revision) AS revision
FROM weir.edge_{{.Table}} AS t
GROUP BY window_start, tenant, source_cluster, source_region, source_namespace, source_workload, source_version,
    destination_cluster, destination_region, destination_namespace, destination_workload, destination_version
HAVING observed > 0;
{{end}}
