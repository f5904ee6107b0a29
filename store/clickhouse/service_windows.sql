-- Closed windows by workload and version: the arithmetic of the view service_windows, over all regions, with only what decisions need.
-- The view's own way to a quantile costs twice as much: this one asks for the buckets without adding histograms up.
WITH services AS (
    SELECT
        t.window_start AS start,
        t.tenant AS tenant, t.cluster AS cluster, t.namespace AS namespace, t.workload AS workload, t.version AS version,
        weirScope(tenant, cluster, namespace, workload) AS scope,
        sum(t.calls) AS weight, sum(t.rejected_mesh) AS mesh, sum(t.rejected_weir) AS weir,
        weirCalls(weight + mesh + weir) AS offered, weirCalls(weight) AS calls, weirCalls(sum(t.errors)) AS errors,
        weirCalls(sum(t.status_known)) AS status_known, weirCalls(sum(t.retries)) AS retries,
        weirCalls(mesh) AS rejected_mesh, weirCalls(weir) AS rejected_weir,
        sum(t.duration_ns) AS ns, if(weight = 0, nan, ns / 1e6 * 65536 / weight) AS mean_ms,
        quantilesExactWeightedArray(0.95, 0.99)(mapKeys(t.histogram), mapValues(t.histogram)) AS buckets,
        sum(t.observed) AS seen, sum(t.missing) AS lost,
        max(t.acted_on) > 0 OR weir > 0 AS acted_on, sum(t.revision) AS revision
    FROM weir.service_{{.Table}} AS t
    WHERE t.window_start >= {{.From}} AND t.window_start < {{.To}}
    GROUP BY start, tenant, cluster, namespace, workload, version
    HAVING seen > 0
),
answered AS (
    SELECT DISTINCT window_start AS start, tenant, cluster, region, namespace, workload, version, instance
    FROM weir.instance_{{.Table}}
    WHERE observed > 0 AND window_start >= {{.From}} AND window_start < {{.To}}
),
-- CPU use by series: the mean of the window's samples, or the last one of the {{.Carry}} windows up to it. Sums are taken in one order, so
-- that asking again gives the same bits.
series AS (
    SELECT
        toStartOfInterval(s.time, toIntervalSecond({{.Seconds}})) + toIntervalSecond({{.Seconds}} * ahead) AS start,
        s.tenant AS tenant, s.cluster AS cluster, s.namespace AS namespace, s.workload AS workload, s.instance AS instance,
        s.metric AS metric,
        arraySort(groupArrayIf(s.value, ahead = 0)) AS own,
        if(empty(own), argMax(s.value, s.time), arraySum(own) / length(own)) AS used
    FROM (
        SELECT DISTINCT time, tenant, cluster, namespace, workload, instance, metric, value
        FROM weir.samples
        WHERE substringIndex(metric, '{', 1) IN ({{.Metrics}})
            AND time >= {{.From}} - toIntervalSecond({{.Seconds}} * ({{.Carry}} - 1)) AND time < {{.To}}
    ) AS s
    ARRAY JOIN range({{.Carry}}) AS ahead
    GROUP BY start, tenant, cluster, namespace, workload, instance, metric
),
-- An instance has a series for each container, or for each mode of a process (user, system): shares of a limit are averaged, modes add up.
cpu AS (
    SELECT
        start, tenant, cluster, namespace, workload, instance, indexOf([{{.Metrics}}], substringIndex(metric, '{', 1)) AS metric_rank,
        arraySum(arraySort(groupArray(used))) AS total, toNullable(if(metric_rank = 3, total, total / count())) AS share
    FROM series
    GROUP BY start, tenant, cluster, namespace, workload, instance, metric_rank
    ORDER BY metric_rank LIMIT 1 BY start, tenant, cluster, namespace, workload, instance
),
instances AS (
    SELECT
        start, tenant, cluster, namespace, workload, version, count() AS instances,
        arraySort(groupArray(cpu.share)) AS shares, toNullable(arraySum(shares) / length(shares)) AS cpu_share
    FROM answered LEFT JOIN cpu USING (start, tenant, cluster, namespace, workload, instance)
    GROUP BY start, tenant, cluster, namespace, workload, version
),
-- The view missing, for these windows alone.
slots AS (
    SELECT slot, scope, least(1., arraySum(arraySort(groupArray(largest)))) AS share
    FROM (
        SELECT slot, scope, hop, source, max(share) AS largest
        FROM (
            SELECT `from` + toIntervalSecond(if(kind = 'quiet', 30, 0)) AS begin, `to` - toIntervalSecond(if(kind = 'quiet', 30, 0)) AS end,
                scope, hop, source, share
            FROM weir.gaps FINAL WHERE share > 0 AND `from` < {{.To}} AND `to` >= {{.From}}
        ) ARRAY JOIN weirSlots(begin, end) AS slot
        WHERE begin <= end AND slot >= {{.From}} AND slot < {{.To}}
        GROUP BY slot, scope, hop, source
    )
    GROUP BY slot, scope
),
missing AS (
    SELECT weirWindow({{.Seconds}}, slot) AS start, scope, arraySum(arraySort(groupArray(slots.share))) * 10 / {{.Seconds}} AS share
    FROM slots GROUP BY start, scope
)
SELECT
    start, tenant, cluster, namespace, workload, version,
    offered, calls, errors, status_known, retries, rejected_mesh, rejected_weir,
    mean_ms, buckets[1], buckets[2], ns / 1e9 / {{.Seconds}}, instances, ifNull(cpu_share, nan),
    greatest(0., least(1., seen / (seen + lost) * (1 - ifNull(everyone.share, 0) - ifNull(own.share, 0)))),
    toBool(acted_on), revision
FROM services
LEFT JOIN instances USING (start, tenant, cluster, namespace, workload, version)
LEFT JOIN (SELECT start, share FROM missing WHERE scope = '*') AS everyone USING (start)
LEFT JOIN (SELECT start, scope, share FROM missing WHERE scope != '*') AS own USING (start, scope)
ORDER BY start, tenant, cluster, namespace, workload, version
