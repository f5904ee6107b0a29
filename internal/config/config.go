// Package config is the one configuration of Weir: every key that a file, the environment or a flag may set, with its type, default,
// unit and meaning in one place, the struct tags of Config.
//
// It promises that a key nobody knows, a value of the wrong type and a combination that cannot work are errors that name the key, say
// where it was set and say what to do; that all problems are reported together; and that what Explain prints can be loaded again.
// Only cmd loads configuration; packages below it get the values they need as arguments. Everything here is safe for concurrent use:
// a Config is a plain value and nothing is remembered between calls.
package config

import "time"

// Config is everything that can be set. The tags are read by Keys: koanf is the key, doc and unit explain it, alias names a second
// environment variable.
type Config struct {
	DataDir  string        `koanf:"data_dir" doc:"directory for everything Weir keeps; one process at a time uses it"`
	Insecure bool          `koanf:"insecure" doc:"listen on non-loopback addresses without TLS"`
	Wait     time.Duration `koanf:"wait" unit:"duration" doc:"how long a stage retries unreachable addresses at start before it exits"`

	Log        Log        `koanf:"log" doc:"what Weir writes to standard error"`
	TLS        TLS        `koanf:"tls" doc:"certificates (PEM files) for listeners and for connecting out"`
	Ops        Ops        `koanf:"ops" doc:"the small HTTP server of every stage: /healthz, /readyz, /metrics"`
	Collector  Collector  `koanf:"collector" doc:"where telemetry comes in"`
	Kafka      Kafka      `koanf:"kafka" doc:"the log between the stages"`
	Broker     Broker     `koanf:"broker" doc:"the embedded Kafka-protocol broker, used while kafka.addresses is empty"`
	ClickHouse ClickHouse `koanf:"clickhouse" doc:"where windows and decisions are kept"`
	Features   Features   `koanf:"features" doc:"how calls become windows"`
	Forecast   Forecast   `koanf:"forecast" doc:"how load is forecast and replicas are planned"`
	Detect     Detect     `koanf:"detect" doc:"how trouble is found"`
	Events     Events     `koanf:"events" doc:"signatures of alerts, decisions and outcomes"`
	Actuator   Actuator   `koanf:"actuator" doc:"what becomes of decisions; nothing is ever applied: dry run"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `koanf:"level" unit:"debug|info|warn|error" doc:"least severe message that is written"`
	Format string `koanf:"format" unit:"text|json" doc:"form of a message"`
}

// TLS names certificates on disk.
type TLS struct {
	CertFile string `koanf:"cert_file" unit:"path" doc:"certificate that every listener shows; empty for plain text"`
	KeyFile  string `koanf:"key_file" unit:"path" doc:"private key of cert_file"`
	CAFile   string `koanf:"ca_file" unit:"path" doc:"authority to trust when connecting out, besides those of the system"`
}

// Ops is the operations endpoint of a stage.
type Ops struct {
	Listen string `koanf:"listen" unit:"host:port" doc:"address of /healthz, /readyz and /metrics; port 0 picks a free one"`
	Pprof  bool   `koanf:"pprof" doc:"also serve /debug/pprof, for finding out where time goes"`
}

// Collector is the front door.
type Collector struct {
	GRPC           string   `koanf:"grpc" unit:"host:port" doc:"address for OTLP over gRPC"`
	HTTP           string   `koanf:"http" unit:"host:port" doc:"address for OTLP over HTTP"`
	MemoryLimitMiB int      `koanf:"memory_limit_mib" unit:"MiB" doc:"memory above which the collector refuses data (senders retry)"`
	MaxRequestMiB  int      `koanf:"max_request_mib" unit:"MiB" doc:"largest request that is accepted"`
	Attributes     []string `koanf:"attributes" doc:"attribute keys to let through besides the built-in allow-list"`
	Tenant         string   `koanf:"tenant" doc:"tenant that all data of this collector belongs to; empty for none"`

	MaxWorkloads int           `koanf:"max_workloads" doc:"workloads that are told apart at a time, and peers; versions twice as many; the rest counts as ~overflow"`
	MaxInstances int           `koanf:"max_instances" doc:"instances that are told apart at a time; the rest counts as ~overflow"`
	MaxSeries    int           `koanf:"max_series" doc:"series of gauges and counters that are told apart at a time; the rest counts as ~overflow"`
	MaxDays      int           `koanf:"max_days" unit:"days" doc:"days that events may be from at a time besides those around now; each costs the store a partition of every table"`
	MaxFuture    time.Duration `koanf:"max_future" unit:"duration" doc:"how far ahead of now an event may be; 0s for any time"`
	MaxPast      time.Duration `koanf:"max_past" unit:"duration" doc:"how long ago an event may be; 0s for any time"`
}

// Kafka is the transport, external or embedded.
type Kafka struct {
	Addresses           []string      `koanf:"addresses" unit:"host:port" doc:"brokers to connect to; empty for the embedded one"`
	TLS                 bool          `koanf:"tls" doc:"connect to kafka.addresses with TLS"`
	CAFile              string        `koanf:"ca_file" unit:"path" doc:"authority to trust for Kafka, besides those of the system; empty for tls.ca_file"`
	CertFile            string        `koanf:"cert_file" unit:"path" doc:"client certificate to show to Kafka; empty for none"`
	KeyFile             string        `koanf:"key_file" unit:"path" doc:"private key of kafka.cert_file"`
	User                string        `koanf:"user" doc:"Kafka user (SASL); empty for none"`
	PasswordFile        string        `koanf:"password_file" unit:"path" doc:"file that holds the password of kafka.user; read again for every connection"`
	Mechanism           string        `koanf:"mechanism" unit:"plain|scram-sha-256|scram-sha-512" doc:"how kafka.user proves who it is"`
	CreateTopics        bool          `koanf:"create_topics" doc:"create missing topics at start; false leaves it to weir topics apply"`
	Partitions          int           `koanf:"partitions" doc:"partitions of a new topic; 0 for 4 (embedded) or 64; weir topics migrate changes it later"`
	Replication         int           `koanf:"replication" doc:"copies of a new topic; 0 for 1 (embedded) or 3"`
	Compression         string        `koanf:"compression" unit:"none|gzip|snappy|lz4|zstd" doc:"how batches are compressed"`
	Retention           time.Duration `koanf:"retention" unit:"duration" doc:"how long a new topic keeps its records"`
	DeadLetterRetention time.Duration `koanf:"deadletter_retention" unit:"duration" doc:"how long what could not be read is kept; at most kafka.retention"`
	Group               string        `koanf:"group" doc:"consumer group of the features stage"`
}

// Broker is the embedded broker.
type Broker struct {
	Listen     string `koanf:"listen" unit:"host:port" doc:"address of the embedded broker; port 0 picks a free one"`
	Advertised string `koanf:"advertised" unit:"host:port" doc:"address that clients of the embedded broker are told, where it differs from the one listened on: behind a proxy, NAT, a Kubernetes service"`
	Sync       bool   `koanf:"sync" doc:"force each write to disk, so that a power cut loses nothing that was acknowledged"`
	MinFreeMiB int    `koanf:"min_free_mib" unit:"MiB" doc:"free disk space below which the embedded broker takes no messages, and senders wait; 0 for no limit"`
}

// ClickHouse is the store, external or embedded.
type ClickHouse struct {
	Address      string        `koanf:"address" unit:"host:port" doc:"HTTP interface to connect to; empty for the embedded engine"`
	User         string        `koanf:"user" doc:"user to connect as"`
	PasswordFile string        `koanf:"password_file" unit:"path" doc:"file that holds the password, so that it stays out of flags and logs"`
	TLS          bool          `koanf:"tls" doc:"connect to clickhouse.address with TLS"`
	Listen       string        `koanf:"listen" unit:"host:port" doc:"address of the embedded engine; port 0 picks a free one"`
	Library      string        `koanf:"library" unit:"path" alias:"WEIR_CHDB_LIBRARY" doc:"libchdb, the embedded engine; empty to look in the usual places"`
	MemoryMiB    int           `koanf:"memory_mib" unit:"MiB" doc:"memory the embedded engine may use"`
	MinFreeMiB   int           `koanf:"min_free_mib" unit:"MiB" doc:"free disk space below which the embedded engine takes no windows, and the log keeps them; 0 for no limit"`
	Retention    time.Duration `koanf:"retention" unit:"duration" doc:"how long 10 s windows and samples are kept after they were stored; like those of 1 min and 1 h longer than kafka.retention"`
	Minutes      time.Duration `koanf:"retention_1m" unit:"duration" doc:"how long 1 min windows are kept after they were stored"`
	Hours        time.Duration `koanf:"retention_1h" unit:"duration" doc:"how long 1 h windows are kept after they were stored"`
	Forecasts    time.Duration `koanf:"retention_forecasts" unit:"duration" doc:"how long forecasts are kept after they were stored"`
	Spans        time.Duration `koanf:"retention_spans" unit:"duration" doc:"how long spans are kept after they were stored, where features.keep_spans is true"`
	Decisions    time.Duration `koanf:"retention_decisions" unit:"duration" doc:"how long findings, decisions and outcomes are kept after they were stored"`
	Migrate      bool          `koanf:"migrate" doc:"bring schema and retention up to date at start; false: only check, somebody runs weir schema apply"`
	QueryTimeout time.Duration `koanf:"query_timeout" unit:"duration" doc:"longest a reading query may run"`
}

// Features shapes the windows.
type Features struct {
	FlushInterval time.Duration `koanf:"flush_interval" unit:"duration" doc:"how often partial windows are written to the store"`
	Lateness      time.Duration `koanf:"lateness" unit:"duration" doc:"how far behind the newest event time a window stays open"`
	Idle          time.Duration `koanf:"idle" unit:"duration" doc:"silence after which a partition no longer holds the others back"`
	Generation    int           `koanf:"generation" unit:"messages" doc:"messages per generation of what a worker remembers for joins and duplicates"`
	MaxRows       int           `koanf:"max_rows" unit:"rows" doc:"rows held in memory before an early write"`
	KeepSpans     bool          `koanf:"keep_spans" doc:"also store every span as it came, for three days, as traces for Grafana; costs disk and time"`
	CheckInterval time.Duration `koanf:"check_interval" unit:"duration" doc:"how often missing telemetry is looked for; 0 for never"`
}

// Forecast shapes forecasts and what they ask for.
type Forecast struct {
	Lead      time.Duration `koanf:"lead" unit:"duration" doc:"how far ahead replicas are planned: at least what a new pod needs to take load"`
	TargetCPU int           `koanf:"target_cpu" unit:"percent" doc:"CPU use of its limit that a replica is planned for"`
	Headroom  int           `koanf:"headroom" unit:"percent" doc:"load planned for above the forecast's upper bound"`
	History   time.Duration `koanf:"history" unit:"duration" doc:"how much of the past a restarted forecaster learns from again"`
	MaxSeries int           `koanf:"max_series" doc:"workloads that are forecast at most; those met later are left out and counted"`
}

// Detect shapes findings.
type Detect struct {
	History time.Duration `koanf:"history" unit:"duration" doc:"how much of the past a restarted detector learns from again"`
}

// Events says which keys sign and which are trusted.
type Events struct {
	SigningKey  string   `koanf:"signing_key" unit:"path" doc:"ed25519 private key (PKCS#8 PEM) that signs events; empty for keys/signing.key in data_dir, made when missing"`
	TrustedKeys []string `koanf:"trusted_keys" unit:"path" doc:"ed25519 public keys (PEM) whose decisions the actuator believes; empty for the signing key's own"`
}

// Actuator says where the current state is read and what people allow.
type Actuator struct {
	Kubeconfig  string   `koanf:"kubeconfig" unit:"path" doc:"kubeconfig of the cluster whose state is read; nothing is written to it"`
	Context     string   `koanf:"context" doc:"context of the kubeconfig; empty for its current one"`
	Manifests   string   `koanf:"manifests" unit:"path" doc:"folder of YAML manifests to read the current state from, in place of a cluster"`
	MinReplicas int      `koanf:"min_replicas" doc:"fewest replicas a proposal may ask for"`
	MaxReplicas int      `koanf:"max_replicas" doc:"most replicas a proposal may ask for"`
	Frozen      []string `koanf:"frozen" doc:"targets nothing is proposed for, as cluster/namespace/workload"`
}

// Default is the configuration when nothing is set: one machine, embedded parts, loopback only.
func Default() Config {
	return Config{
		DataDir: "./weir-data",
		Wait:    30 * time.Second,
		Log:     Log{Level: "info", Format: "text"},
		Ops:     Ops{Listen: "127.0.0.1:0"},
		Collector: Collector{
			GRPC: "127.0.0.1:4317", HTTP: "127.0.0.1:4318",
			MemoryLimitMiB: 1024, MaxRequestMiB: 16,
			MaxWorkloads: 10_000, MaxInstances: 50_000, MaxSeries: 100_000, MaxDays: 32, MaxFuture: time.Hour, MaxPast: 50 * 365 * 24 * time.Hour,
		},
		Kafka:  Kafka{Compression: "lz4", Retention: 7 * 24 * time.Hour, DeadLetterRetention: 24 * time.Hour, Group: "weir-features", Mechanism: "scram-sha-512", CreateTopics: true},
		Broker: Broker{Listen: "127.0.0.1:0", Sync: true, MinFreeMiB: 256},
		ClickHouse: ClickHouse{
			Listen: "127.0.0.1:0", MemoryMiB: 2048, MinFreeMiB: 256,
			Retention: 30 * 24 * time.Hour, Minutes: 90 * 24 * time.Hour, Hours: 400 * 24 * time.Hour, Spans: 3 * 24 * time.Hour,
			Forecasts: 30 * 24 * time.Hour, Decisions: 400 * 24 * time.Hour, Migrate: true, QueryTimeout: time.Minute,
		},
		Features: Features{
			FlushInterval: time.Second, Lateness: 2 * time.Second, Idle: 10 * time.Second,
			Generation: 1024, MaxRows: 200_000, CheckInterval: 5 * time.Second,
		},
		Forecast: Forecast{Lead: 15 * time.Minute, TargetCPU: 60, Headroom: 10, History: 28 * 24 * time.Hour, MaxSeries: 1000},
		Detect:   Detect{History: 24 * time.Hour},
		Actuator: Actuator{MinReplicas: 1, MaxReplicas: 50},
	}
}
