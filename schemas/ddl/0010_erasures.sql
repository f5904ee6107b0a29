-- What was erased on request (`weir privacy erase`), by hash. Windows cannot come back when the log is read again, because their marks
-- stay. Samples have no marks: those measured up to the time of the erasure are kept out on their way in. Times are whole milliseconds.
CREATE TABLE IF NOT EXISTS weir.erasures
(
    kind   LowCardinality(String),
    hash   String,
    before Int64,
    stored DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(before)
ORDER BY (kind, hash)
TTL stored + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Hash of a name that was erased: of a workload namespace/name, of an instance, of a tenant.
CREATE OR REPLACE FUNCTION weirErased AS (kind, name) -> concat(kind, ' ', hex(SHA256(name)));

CREATE TABLE IF NOT EXISTS weir.in_samples ENGINE = Null
AS SELECT * EXCEPT (stored) FROM weir.samples WHERE 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS weir.guard_samples TO weir.samples
AS SELECT * EXCEPT (erased)
FROM (SELECT *, (SELECT mapFromArrays(groupArray(concat(kind, ' ', hash)), groupArray(before))
        FROM (SELECT kind, hash, max(before) AS before FROM weir.erasures GROUP BY kind, hash)) AS erased FROM weir.in_samples)
WHERE empty(erased) OR NOT (
    toUnixTimestamp64Milli(time) BETWEEN 1 AND erased[weirErased('workload', concat(namespace, '/', workload))]
    OR toUnixTimestamp64Milli(time) BETWEEN 1 AND erased[weirErased('instance', instance)]
    OR toUnixTimestamp64Milli(time) BETWEEN 1 AND erased[weirErased('tenant', tenant)]);
