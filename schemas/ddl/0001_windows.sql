-- Partial windows: what one source contributed, within one flush, to one window. Rows of a window add up; views finalise them.
-- Counts are in 1/65536 call where a sampling weight applies (calls, errors*, status_known, retries, rejected_*, histogram).
-- The projection keeps max(last_offset) of a day and source in the part itself, so a mark is atomic with the rows it speaks of.
CREATE DATABASE IF NOT EXISTS weir;

CREATE TABLE IF NOT EXISTS weir.service_10s
(
    window_start     DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    tenant           LowCardinality(String),
    cluster          LowCardinality(String),
    region           LowCardinality(String),
    namespace        LowCardinality(String),
    workload         LowCardinality(String),
    version          LowCardinality(String),
    source           LowCardinality(String),
    last_offset      SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    stored           SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now() CODEC(ZSTD(1)),
    calls            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    observed         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors           SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_4xx       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_5xx       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_grpc      SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_transport SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    status_known     SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retries          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_mesh    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_weir    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_ns      SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    request_bytes    SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    response_bytes   SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    revision         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clock_skew       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    spans            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duplicates       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    orphans          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    missing          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    acted_on         SimpleAggregateFunction(max, UInt8) CODEC(ZSTD(1)),
    evidence         SimpleAggregateFunction(groupBitOr, UInt8) CODEC(ZSTD(1)),
    histogram        SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    callers          SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    PROJECTION marks (SELECT toYYYYMMDD(window_start), source, max(last_offset) GROUP BY toYYYYMMDD(window_start), source)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (workload, namespace, cluster, tenant, region, version, window_start, source)
TTL stored + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.service_1m AS weir.service_10s;
ALTER TABLE weir.service_1m MODIFY TTL stored + INTERVAL 90 DAY;
CREATE TABLE IF NOT EXISTS weir.service_1h AS weir.service_10s;
ALTER TABLE weir.service_1h MODIFY TTL stored + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS weir.edge_10s
(
    window_start          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    tenant                LowCardinality(String),
    source_cluster        LowCardinality(String),
    source_region         LowCardinality(String),
    source_namespace      LowCardinality(String),
    source_workload       LowCardinality(String),
    source_version        LowCardinality(String),
    destination_cluster   LowCardinality(String),
    destination_region    LowCardinality(String),
    destination_namespace LowCardinality(String),
    destination_workload  LowCardinality(String),
    destination_version   LowCardinality(String),
    source                LowCardinality(String),
    last_offset           SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    stored                SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now() CODEC(ZSTD(1)),
    calls                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    observed              SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors                SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_4xx            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_5xx            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_grpc           SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_transport      SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    status_known          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retries               SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_mesh         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_weir         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_ns           SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    request_bytes         SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    response_bytes        SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    revision              SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clock_skew            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    acted_on              SimpleAggregateFunction(max, UInt8) CODEC(ZSTD(1)),
    evidence              SimpleAggregateFunction(groupBitOr, UInt8) CODEC(ZSTD(1)),
    histogram             SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    PROJECTION marks (SELECT toYYYYMMDD(window_start), source, max(last_offset) GROUP BY toYYYYMMDD(window_start), source)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (destination_workload, source_workload, destination_namespace, source_namespace, destination_cluster, source_cluster, tenant,
          destination_region, source_region, destination_version, source_version, window_start, source)
TTL stored + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.edge_1m AS weir.edge_10s;
ALTER TABLE weir.edge_1m MODIFY TTL stored + INTERVAL 90 DAY;
CREATE TABLE IF NOT EXISTS weir.edge_1h AS weir.edge_10s;
ALTER TABLE weir.edge_1h MODIFY TTL stored + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS weir.instance_10s
(
    window_start     DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    tenant           LowCardinality(String),
    cluster          LowCardinality(String),
    region           LowCardinality(String),
    namespace        LowCardinality(String),
    workload         LowCardinality(String),
    version          LowCardinality(String),
    instance         LowCardinality(String),
    source           LowCardinality(String),
    last_offset      SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    stored           SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now() CODEC(ZSTD(1)),
    calls            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    observed         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors           SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_4xx       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_5xx       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_grpc      SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors_transport SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    status_known     SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retries          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_mesh    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rejected_weir    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_ns      SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    request_bytes    SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    response_bytes   SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    revision         SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clock_skew       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    spans            SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duplicates       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    orphans          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    missing          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    acted_on         SimpleAggregateFunction(max, UInt8) CODEC(ZSTD(1)),
    evidence         SimpleAggregateFunction(groupBitOr, UInt8) CODEC(ZSTD(1)),
    histogram        SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    PROJECTION marks (SELECT toYYYYMMDD(window_start), source, max(last_offset) GROUP BY toYYYYMMDD(window_start), source)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (workload, namespace, cluster, tenant, region, version, instance, window_start, source)
TTL stored + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.instance_1m AS weir.instance_10s;
ALTER TABLE weir.instance_1m MODIFY TTL stored + INTERVAL 90 DAY;
CREATE TABLE IF NOT EXISTS weir.instance_1h AS weir.instance_10s;
ALTER TABLE weir.instance_1h MODIFY TTL stored + INTERVAL 400 DAY;
