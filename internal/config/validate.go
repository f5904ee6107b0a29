package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate finds everything that cannot work, without touching the disk or the network. Its error joins one *KeyError per problem.
func (c Config) Validate() error {
	v := &validator{insecure: c.Insecure, tls: c.TLS.CertFile != ""}
	v.notEmpty("data_dir", c.DataDir)
	v.check("wait", c.Wait >= 0, "is %s: give a time of 0s or more", shortDuration(c.Wait))
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	v.check("tls.key_file", c.TLS.CertFile == "" || c.TLS.KeyFile != "", "is empty: tls.cert_file needs its private key")
	v.check("tls.cert_file", c.TLS.KeyFile == "" || c.TLS.CertFile != "", "is empty: tls.key_file needs its certificate")
	v.listen("ops.listen", c.Ops.Listen)
	v.collector(c.Collector)
	v.kafka(c.Kafka)
	v.listen("broker.listen", c.Broker.Listen)
	if c.Broker.Advertised != "" {
		v.dial("broker.advertised", c.Broker.Advertised)
	}
	v.between("broker.min_free_mib", c.Broker.MinFreeMiB, 0, 1<<30)
	v.clickhouse(c.ClickHouse)
	v.retention(c.ClickHouse, c.Kafka.Retention)
	v.features(c.Features)
	v.forecast(c.Forecast)
	v.detect(c.Detect)
	v.actuator(c.Actuator)
	return errors.Join(v.errs...)
}

type validator struct {
	insecure, tls bool
	errs          []error
}

func (v *validator) collector(c Collector) {
	v.listen("collector.grpc", c.GRPC)
	v.listen("collector.http", c.HTTP)
	v.between("collector.max_request_mib", c.MaxRequestMiB, 1, 1024)
	v.between("collector.memory_limit_mib", c.MemoryLimitMiB, 32, 1<<20)
	v.check("collector.memory_limit_mib", c.MemoryLimitMiB > c.MaxRequestMiB,
		"is %d: it must be above collector.max_request_mib (%d), or no large request ever gets in", c.MemoryLimitMiB, c.MaxRequestMiB)
	v.between("collector.max_workloads", c.MaxWorkloads, 1, 1<<24)
	v.between("collector.max_instances", c.MaxInstances, 1, 1<<24)
	v.between("collector.max_series", c.MaxSeries, 1, 1<<24)
	v.between("collector.max_days", c.MaxDays, 1, 3650)
	v.check("collector.max_future", c.MaxFuture >= 0, "is %s: give 0s or more", shortDuration(c.MaxFuture))
	v.check("collector.max_past", c.MaxPast >= 0, "is %s: give 0s or more", shortDuration(c.MaxPast))
	for i, a := range c.Attributes {
		v.check("collector.attributes", a != "" && !strings.ContainsAny(a, " \t\r\n"), "has %q at place %d: give attribute keys without spaces", a, i+1)
		v.check("collector.attributes", !slices.Contains(c.Attributes[:i], a), "has %q twice: remove one", a)
	}
}

func (v *validator) kafka(c Kafka) {
	embedded := len(c.Addresses) == 0
	for i, a := range c.Addresses {
		v.dial("kafka.addresses", a)
		v.check("kafka.addresses", !slices.Contains(c.Addresses[:i], a), "has %q twice: remove one", a)
	}
	v.check("kafka.tls", !c.TLS || !embedded, "is true, but kafka.addresses is empty: name the brokers, or leave it out for the embedded one")
	v.kafkaSecurity(c, embedded)
	v.between("kafka.partitions", c.Partitions, 0, 4096)
	v.between("kafka.replication", c.Replication, 0, 16)
	v.check("kafka.replication", !embedded || c.Replication <= 1,
		"is %d, but the embedded broker keeps one copy: use 0 or 1, or set kafka.addresses", c.Replication)
	v.oneOf("kafka.compression", c.Compression, "none", "gzip", "snappy", "lz4", "zstd")
	v.check("kafka.retention", c.Retention >= time.Minute, "is %s: give 1m or more", shortDuration(c.Retention))
	v.check("kafka.deadletter_retention", c.DeadLetterRetention >= time.Minute, "is %s: give 1m or more", shortDuration(c.DeadLetterRetention))
	v.notEmpty("kafka.group", c.Group)
}

func (v *validator) kafkaSecurity(c Kafka, embedded bool) {
	v.check("kafka.cert_file", c.CertFile == "" || c.TLS, "is set without kafka.tls: set it too")
	v.check("kafka.key_file", c.CertFile == "" || c.KeyFile != "", "is empty: kafka.cert_file needs its private key")
	v.check("kafka.cert_file", c.KeyFile == "" || c.CertFile != "", "is empty: kafka.key_file needs its certificate")
	v.check("kafka.user", c.User == "" || !embedded, "is set, but kafka.addresses is empty: the embedded broker has no users; remove it or name the brokers")
	v.check("kafka.password_file", c.PasswordFile == "" || c.User != "", "is set without kafka.user: name the user too")
	v.check("kafka.password_file", c.User == "" || c.PasswordFile != "", "is empty: kafka.user needs its password")
	v.oneOf("kafka.mechanism", c.Mechanism, "plain", "scram-sha-256", "scram-sha-512")
}

func (v *validator) clickhouse(c ClickHouse) {
	embedded := c.Address == ""
	if !embedded {
		v.dial("clickhouse.address", c.Address)
	}
	v.check("clickhouse.tls", !c.TLS || !embedded, "is true, but clickhouse.address is empty: name the server, or leave it out for the embedded engine")
	v.check("clickhouse.user", c.User == "" || !embedded, "is set, but clickhouse.address is empty: the embedded engine has no users; remove it or name the server")
	v.check("clickhouse.password_file", c.PasswordFile == "" || c.User != "", "is set without clickhouse.user: name the user too")
	v.listen("clickhouse.listen", c.Listen)
	v.between("clickhouse.memory_mib", c.MemoryMiB, 256, 1<<24)
	v.between("clickhouse.min_free_mib", c.MinFreeMiB, 0, 1<<30)
	v.positive("clickhouse.query_timeout", c.QueryTimeout)
}

// retention: the marks that say which messages are counted go with the windows, so these outlive every message that may be read again.
func (v *validator) retention(c ClickHouse, log time.Duration) {
	for _, k := range []struct {
		key     string
		keep    time.Duration
		outlive time.Duration
	}{
		{"clickhouse.retention", c.Retention, log},
		{"clickhouse.retention_1m", c.Minutes, log},
		{"clickhouse.retention_1h", c.Hours, log},
		{"clickhouse.retention_forecasts", c.Forecasts, 0},
		{"clickhouse.retention_decisions", c.Decisions, 0},
		{"clickhouse.retention_spans", c.Spans, 0},
	} {
		v.check(k.key, k.keep >= time.Hour, "is %s: give 1h or more", shortDuration(k.keep))
		v.check(k.key, k.keep < time.Hour || k.keep > k.outlive,
			"is %s: give more than kafka.retention (%s), or a message could be counted again after its windows are gone",
			shortDuration(k.keep), shortDuration(k.outlive))
	}
}

func (v *validator) features(c Features) {
	v.check("features.flush_interval", c.FlushInterval >= 10*time.Millisecond, "is %s: give 10ms or more", shortDuration(c.FlushInterval))
	v.check("features.lateness", c.Lateness >= 0, "is %s: give 0s or more", shortDuration(c.Lateness))
	v.positive("features.idle", c.Idle)
	v.between("features.generation", c.Generation, 1, 1<<24)
	v.between("features.max_rows", c.MaxRows, 1, 1<<28)
	v.check("features.check_interval", c.CheckInterval == 0 || c.CheckInterval >= time.Second, "is %s: give 1s or more, or 0 for never",
		shortDuration(c.CheckInterval))
}

func (v *validator) forecast(c Forecast) {
	v.check("forecast.lead", c.Lead >= time.Minute && c.Lead <= time.Hour, "is %s: give a time from 1m to 1h", shortDuration(c.Lead))
	v.between("forecast.target_cpu", c.TargetCPU, 5, 95)
	v.between("forecast.headroom", c.Headroom, 0, 200)
	v.check("forecast.history", c.History >= 24*time.Hour, "is %s: give 24h or more, or nothing can be learnt", shortDuration(c.History))
	v.between("forecast.max_series", c.MaxSeries, 1, 1<<20)
}

func (v *validator) detect(c Detect) {
	v.check("detect.history", c.History >= time.Hour, "is %s: give 1h or more, or nothing can be learnt", shortDuration(c.History))
}

func (v *validator) actuator(c Actuator) {
	v.check("actuator.manifests", c.Manifests == "" || c.Kubeconfig == "", "is set beside actuator.kubeconfig: read the current state from one of them")
	v.check("actuator.context", c.Context == "" || c.Kubeconfig != "", "is set without actuator.kubeconfig: name the file too")
	v.between("actuator.min_replicas", c.MinReplicas, 1, 100_000)
	v.between("actuator.max_replicas", c.MaxReplicas, c.MinReplicas, 100_000)
}

func (v *validator) check(key string, ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, &KeyError{Key: key, Problem: key + " " + fmt.Sprintf(format, args...)})
	}
}

func (v *validator) notEmpty(key, value string) {
	v.check(key, strings.TrimSpace(value) != "", "is empty: give it a value or remove it to get the default")
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	v.check(key, slices.Contains(allowed, value), "is %q: use one of %s", value, strings.Join(allowed, ", "))
}

func (v *validator) between(key string, value, low, high int) {
	v.check(key, value >= low && value <= high, "is %d: give a number from %d to %d", value, low, high)
}

func (v *validator) positive(key string, value time.Duration) {
	v.check(key, value > 0, "is %s: give a time above 0s", shortDuration(value))
}

func (v *validator) listen(key, addr string) {
	if err := CheckListen(addr, v.insecure, v.tls); err != nil {
		v.check(key, false, "cannot be used: %s", err)
	}
}

func (v *validator) dial(key, addr string) {
	host, port, err := splitAddress(addr)
	v.check(key, err == nil && host != "" && port != 0, "has %q: write host:port", addr)
}
