-- Gauges of instances. Keyed by everything but the value, so that a message counted again changes nothing.
CREATE TABLE IF NOT EXISTS weir.samples
(
    time      DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    cluster   LowCardinality(String),
    namespace LowCardinality(String),
    workload  LowCardinality(String),
    instance  LowCardinality(String),
    metric    LowCardinality(String),
    unit      LowCardinality(String),
    value     Float64 CODEC(Gorilla, ZSTD(1)),
    tenant    LowCardinality(String),
    stored    DateTime('UTC') DEFAULT now() CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (workload, metric, namespace, cluster, tenant, instance, unit, time)
TTL stored + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1;

-- Stretches of event time about which telemetry is missing. A gap found again replaces itself.
CREATE TABLE IF NOT EXISTS weir.gaps
(
    `from`  DateTime64(3, 'UTC'),
    `to`    DateTime64(3, 'UTC'),
    scope   LowCardinality(String),
    hop     LowCardinality(String),
    kind    LowCardinality(String),
    source  LowCardinality(String),
    share   Float64,
    records UInt64,
    detail  String,
    stored  DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (`from`, `to`, scope, hop, kind, source)
TTL stored + INTERVAL 400 DAY;

-- How many partitions each topic had when its first message was counted. Rows are placed by hash modulo that number.
CREATE TABLE IF NOT EXISTS weir.topics
(
    incarnation String,
    topic       String,
    partitions  UInt32,
    stored      DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (incarnation, topic);
