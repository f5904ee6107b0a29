-- What the decision services write. Ids are hashes of content and every table replaces rows of the same key, so that writing the same
-- thing again, after a crash or in a replay, changes nothing. What is written is on disk before the position that says so (below) can be.
CREATE TABLE IF NOT EXISTS weir.forecast_rows
(
    made_at         DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    target_time     DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    horizon_seconds UInt32 CODEC(T64, ZSTD(1)),
    tenant          LowCardinality(String),
    cluster         LowCardinality(String),
    namespace       LowCardinality(String),
    workload        LowCardinality(String),
    signal          LowCardinality(String),
    quantile        Float64 CODEC(ZSTD(1)),
    value           Float64 CODEC(ZSTD(1)),
    model           LowCardinality(String),
    model_version   LowCardinality(String),
    inputs          String CODEC(ZSTD(1)),
    stored          DateTime('UTC') DEFAULT now() CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored)
PARTITION BY toYYYYMM(made_at)
ORDER BY (workload, namespace, cluster, tenant, signal, model, model_version, horizon_seconds, quantile, made_at)
TTL stored + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row for each revision of a finding.
CREATE TABLE IF NOT EXISTS weir.finding_rows
(
    finding_id    String,
    incident_id   String,
    revision      UInt32,
    kind          LowCardinality(String),
    state         LowCardinality(String),
    started_at    DateTime64(3, 'UTC'),
    updated_at    DateTime64(3, 'UTC'),
    resolved_at   Nullable(DateTime64(3, 'UTC')),
    tenant        LowCardinality(String),
    cluster       LowCardinality(String),
    region        LowCardinality(String),
    namespace     LowCardinality(String),
    workload      LowCardinality(String),
    version       LowCardinality(String),
    signal        LowCardinality(String),
    observed      Float64,
    expected      Float64,
    low           Float64,
    high          Float64,
    score         Float64,
    threshold     Float64,
    severity      LowCardinality(String),
    explanation   String,
    evidence      Array(Tuple(name String, value Float64, unit String)),
    inputs        Array(String),
    model         LowCardinality(String),
    model_version LowCardinality(String),
    stored        DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (started_at, finding_id, revision)
TTL stored + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.decision_rows
(
    decision_id    String,
    made_at        DateTime64(3, 'UTC'),
    valid_until    DateTime64(3, 'UTC'),
    kind           LowCardinality(String),
    verdict        LowCardinality(String),
    tenant         LowCardinality(String),
    cluster        LowCardinality(String),
    region         LowCardinality(String),
    namespace      LowCardinality(String),
    workload       LowCardinality(String),
    version        LowCardinality(String),
    unit           LowCardinality(String),
    `current`      Float64,
    proposed       Float64,
    signal         LowCardinality(String),
    expected       Float64,
    low            Float64,
    high           Float64,
    code           LowCardinality(String),
    reason         String,
    counterfactual String,
    cause          String,
    replay         Bool,
    evidence       Array(Tuple(name String, value Float64, unit String)),
    inputs         Array(String),
    model          LowCardinality(String),
    model_version  LowCardinality(String),
    signature      String,
    key_id         LowCardinality(String),
    stored         DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (made_at, decision_id)
TTL stored + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS weir.outcome_rows
(
    decision_id String,
    at          DateTime64(3, 'UTC'),
    stage       LowCardinality(String),
    by          LowCardinality(String),
    rule        LowCardinality(String),
    reason      String,
    object      String,
    before      String,
    after       String,
    patch       String,
    inverse     String,
    diff        String,
    validation  String,
    read_from   String,
    realised    Nullable(Float64),
    stored      DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (decision_id, stage, by)
TTL stored + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- How far each decision service has come, by shard: every closed window that ends at or before `at` is decided and published.
CREATE TABLE IF NOT EXISTS weir.positions
(
    stage  LowCardinality(String),
    shard  UInt32,
    at     DateTime64(3, 'UTC'),
    stored DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (stage, shard);

-- What people ask: each row once, whatever was written again.
CREATE OR REPLACE VIEW weir.forecasts AS SELECT * FROM weir.forecast_rows FINAL;
CREATE OR REPLACE VIEW weir.finding_revisions AS SELECT * FROM weir.finding_rows FINAL;
CREATE OR REPLACE VIEW weir.outcomes AS SELECT * FROM weir.outcome_rows FINAL;
CREATE OR REPLACE VIEW weir.decisions AS
SELECT *, concat(cluster, '/', namespace, '/', workload, if(version = '', '', concat('@', version))) AS target FROM weir.decision_rows FINAL;

-- Each finding as it stands.
CREATE OR REPLACE VIEW weir.findings AS
SELECT * EXCEPT (stored) FROM weir.finding_rows FINAL ORDER BY started_at, finding_id, revision DESC LIMIT 1 BY finding_id;
