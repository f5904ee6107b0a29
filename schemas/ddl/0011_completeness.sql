-- Gaps concern the windows of their scope, and nobody else's: the views of 0007 again, with completeness made otherwise, and with
-- distinct_callers ending at 256, beyond which it depended on how windows were cut into flushes.
-- A long window is as complete as the 10 s windows in it are on average.

-- The scope of a workload's gaps, as schemas.Workload.Scope says it.
CREATE OR REPLACE FUNCTION weirScope AS (tenant, cluster, namespace, workload) ->
    concat(if(tenant = '', '', concat(tenant, ':')), cluster, '/', namespace, '/', workload);

-- The start of the window of so many seconds that holds t (DateTime64(3)).
CREATE OR REPLACE FUNCTION weirWindow AS (seconds, t) ->
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(t), 1000 * seconds) * 1000 * seconds, 'UTC');

-- The starts of the 10 s windows that a gap covers. What lasts longer than a week is cut: it would be a clock that is wrong.
CREATE OR REPLACE FUNCTION weirSlots AS (begin, end) -> arrayMap(i -> fromUnixTimestamp64Milli(i * 10000, 'UTC'), range(
    intDiv(toUnixTimestamp64Milli(begin), 10000), least(intDiv(toUnixTimestamp64Milli(begin), 10000) + 60480,
    greatest(intDiv(toUnixTimestamp64Milli(begin), 10000) + 1, intDiv(toUnixTimestamp64Milli(end) + 9999, 10000)))));

-- What part of its telemetry each 10 s window of a scope misses. At one hop one source counts once, with its largest gap; sources and hops
-- add up. A silence counts only well inside its ends, and only where other sources spoke.
CREATE OR REPLACE VIEW weir.missing AS
SELECT slot AS window_start, scope, least(1., arraySum(arraySort(groupArray(largest)))) AS share
FROM (
    SELECT slot, scope, hop, source, max(share) AS largest
    FROM (
        SELECT `from` + toIntervalSecond(if(kind = 'quiet', 30, 0)) AS begin, `to` - toIntervalSecond(if(kind = 'quiet', 30, 0)) AS end,
            scope, hop, source, share
        FROM weir.gaps FINAL WHERE share > 0
    ) ARRAY JOIN weirSlots(begin, end) AS slot
    WHERE begin <= end
    GROUP BY slot, scope, hop, source
)
GROUP BY slot, scope;

{{$views := said "0007_acted_on.sql"}}
{{$views = instead $views "toUInt64(length(groupUniqArrayArray(t.callers)))" "least(256, toUInt64(length(groupUniqArrayArray(t.callers))))"}}
{{range $r := .Resolutions}}
{{$old := printf "(1 - arraySum(g -> g.3, arrayFilter(\n        g -> g.1 < window_start + toIntervalSecond(%d) AND g.2 > window_start,\n        (SELECT groupArray((`from`, `to`, share)) FROM weir.partial_gaps))))" .Seconds}}
{{$views = instead $views $old "(1 - ifNull(max(everyone.lost), 0) - ifNull(max(own.lost), 0))"}}
{{range $subject, $end := $.Ends}}
{{$from := printf "FROM weir.%s_%s AS t\n" $subject $r.Table}}
{{$lost := printf "SELECT weirWindow(%d, m.window_start) AS start, m.scope AS whose, arraySum(arraySort(groupArray(m.share))) * 10 / %d AS lost FROM weir.missing AS m" $r.Seconds $r.Seconds}}
{{$everyone := printf "LEFT ANY JOIN (%s WHERE m.scope = '*' GROUP BY start, whose) AS everyone ON everyone.start = t.window_start\n" $lost}}
{{$own := printf "LEFT ANY JOIN (%s WHERE m.scope != '*' GROUP BY start, whose) AS own ON own.start = t.window_start AND own.whose = weirScope(t.tenant, t.%scluster, t.%snamespace, t.%sworkload)\n" $lost $end $end $end}}
{{$views = instead $views $from (print $from $everyone $own)}}
{{end}}
{{end}}
{{$views}}
