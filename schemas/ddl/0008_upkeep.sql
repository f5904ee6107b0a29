-- Fingerprints: whether two stores counted the same. A row for each table, day and source; hash is a sum over the windows, so sums over any
-- grouping can be compared. It depends on the counts alone: not on how flushes cut them, when they were stored, or what was done since.
-- Callers are part of it while every part of a window could name them all (256).
{{define "counts"}}sum(t.calls), sum(t.observed), sum(t.errors), sum(t.errors_4xx), sum(t.errors_5xx), sum(t.errors_grpc),
        sum(t.errors_transport), sum(t.status_known), sum(t.retries), sum(t.rejected_mesh), sum(t.rejected_weir), sum(t.duration_ns),
        sum(t.request_bytes), sum(t.response_bytes), sum(t.clock_skew), groupBitOr(t.evidence), sumMap(t.histogram){{end}}
{{define "records"}}sum(t.spans), sum(t.duplicates), sum(t.orphans), sum(t.missing){{end}}
{{define "workload"}}t.tenant, t.cluster, t.region, t.namespace, t.workload, t.version{{end}}
{{define "edge"}}t.tenant,
        t.source_cluster, t.source_region, t.source_namespace, t.source_workload, t.source_version,
        t.destination_cluster, t.destination_region, t.destination_namespace, t.destination_workload, t.destination_version{{end}}
{{define "of"}}toDate(t.window_start) AS day, t.source AS source, sum(t.calls) AS weight, sipHash64(t.window_start{{end}}
CREATE OR REPLACE VIEW weir.fingerprints AS
{{range $i, $r := .Resolutions}}{{if $i}}UNION ALL
{{end}}SELECT 'service_{{.Table}}' AS table, day, source, count() AS windows, weirCalls(sum(weight)) AS calls, sum(one) AS hash
FROM (
    SELECT {{template "of"}}, {{template "workload"}},
        {{template "counts"}},
        {{template "records"}},
        if(length(groupUniqArrayArray(t.callers)) > 256, [], arraySort(groupUniqArrayArray(t.callers)))) AS one
    FROM weir.service_{{.Table}} AS t
    GROUP BY t.window_start, {{template "workload"}}, t.source
)
GROUP BY day, source
UNION ALL
SELECT 'edge_{{.Table}}', day, source, count(), weirCalls(sum(weight)), sum(one)
FROM (
    SELECT {{template "of"}}, {{template "edge"}},
        {{template "counts"}}) AS one
    FROM weir.edge_{{.Table}} AS t
    GROUP BY t.window_start, {{template "edge"}}, t.source
)
GROUP BY day, source
UNION ALL
SELECT 'instance_{{.Table}}', day, source, count(), weirCalls(sum(weight)), sum(one)
FROM (
    SELECT {{template "of"}}, {{template "workload"}}, t.instance,
        {{template "counts"}},
        {{template "records"}}) AS one
    FROM weir.instance_{{.Table}} AS t
    GROUP BY t.window_start, {{template "workload"}}, t.instance, t.source
)
GROUP BY day, source
{{end}};

-- Edges are sorted by who was called. For questions about one caller, this tells which granules have nothing of it.
{{range .Resolutions}}
ALTER TABLE weir.edge_{{.Table}} ADD INDEX IF NOT EXISTS source_workload source_workload TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE weir.edge_{{.Table}} MATERIALIZE INDEX source_workload;
{{end}}

-- A day becomes one part once nothing was written to it for six hours. Parts are dropped when all of their rows are too old (TTL): with
-- several parts of a day, what came late would stay behind for a while, and its windows would show less than was counted.
{{range .Tables}}
ALTER TABLE weir.{{.}} MODIFY SETTING min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1;
{{end}}
