package config_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/config"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		key    string
		change func(*config.Config)
	}{
		{"data_dir", func(c *config.Config) { c.DataDir = " " }},
		{"wait", func(c *config.Config) { c.Wait = -1 }},
		{"log.level", func(c *config.Config) { c.Log.Level = "" }},
		{"log.format", func(c *config.Config) { c.Log.Format = "xml" }},
		{"tls.key_file", func(c *config.Config) { c.TLS.CertFile = "x" }},
		{"tls.cert_file", func(c *config.Config) { c.TLS.KeyFile = "x" }},
		{"ops.listen", func(c *config.Config) { c.Ops.Listen = "0.0.0.0:1" }},
		{"collector.grpc", func(c *config.Config) { c.Collector.GRPC = "" }},
		{"collector.http", func(c *config.Config) { c.Collector.HTTP = "127.0.0.1:http" }},
		{"collector.max_request_mib", func(c *config.Config) { c.Collector.MaxRequestMiB = 0 }},
		{"collector.memory_limit_mib", func(c *config.Config) { c.Collector.MemoryLimitMiB, c.Collector.MaxRequestMiB = 64, 64 }},
		{"collector.attributes", func(c *config.Config) { c.Collector.Attributes = []string{"a", "a"} }},
		{"collector.attributes", func(c *config.Config) { c.Collector.Attributes = []string{"a b"} }},
		{"kafka.addresses", func(c *config.Config) { c.Kafka.Addresses = []string{"kafka"} }},
		{"kafka.addresses", func(c *config.Config) { c.Kafka.Addresses = []string{"a:1", "a:1"} }},
		{"kafka.tls", func(c *config.Config) { c.Kafka.TLS = true }},
		{"kafka.cert_file", func(c *config.Config) { c.Kafka.CertFile, c.Kafka.KeyFile = "c", "k" }},
		{"kafka.key_file", func(c *config.Config) { external(c); c.Kafka.CertFile = "c" }},
		{"kafka.cert_file", func(c *config.Config) { external(c); c.Kafka.KeyFile = "k" }},
		{"kafka.user", func(c *config.Config) { c.Kafka.User, c.Kafka.PasswordFile = "weir", "p" }},
		{"kafka.password_file", func(c *config.Config) { external(c); c.Kafka.PasswordFile = "p" }},
		{"kafka.password_file", func(c *config.Config) { external(c); c.Kafka.User = "weir" }},
		{"kafka.mechanism", func(c *config.Config) { c.Kafka.Mechanism = "gssapi" }},
		{"broker.min_free_mib", func(c *config.Config) { c.Broker.MinFreeMiB = -1 }},
		{"clickhouse.min_free_mib", func(c *config.Config) { c.ClickHouse.MinFreeMiB = -1 }},
		{"kafka.partitions", func(c *config.Config) { c.Kafka.Partitions = -1 }},
		{"kafka.replication", func(c *config.Config) { c.Kafka.Replication = 3 }},
		{"kafka.compression", func(c *config.Config) { c.Kafka.Compression = "brotli" }},
		{"kafka.retention", func(c *config.Config) { c.Kafka.Retention = 0 }},
		{"kafka.group", func(c *config.Config) { c.Kafka.Group = "" }},
		{"broker.listen", func(c *config.Config) { c.Broker.Listen = ":9092" }},
		{"clickhouse.address", func(c *config.Config) { c.ClickHouse.Address = "http://db:8123" }},
		{"clickhouse.tls", func(c *config.Config) { c.ClickHouse.TLS = true }},
		{"clickhouse.user", func(c *config.Config) { c.ClickHouse.User = "weir" }},
		{"clickhouse.password_file", func(c *config.Config) { c.ClickHouse.PasswordFile = "x" }},
		{"clickhouse.listen", func(c *config.Config) { c.ClickHouse.Listen = "db:0" }},
		{"clickhouse.memory_mib", func(c *config.Config) { c.ClickHouse.MemoryMiB = 1 }},
		{"clickhouse.retention", func(c *config.Config) { c.ClickHouse.Retention = time.Second }},
		{"clickhouse.retention", func(c *config.Config) { c.ClickHouse.Retention = c.Kafka.Retention }},
		{"clickhouse.retention_1m", func(c *config.Config) { c.ClickHouse.Minutes = c.Kafka.Retention }},
		{"clickhouse.retention_1h", func(c *config.Config) { c.ClickHouse.Hours = c.Kafka.Retention }},
		{"clickhouse.retention_forecasts", func(c *config.Config) { c.ClickHouse.Forecasts = time.Minute }},
		{"clickhouse.retention_spans", func(c *config.Config) { c.ClickHouse.Spans = 0 }},
		{"clickhouse.retention_decisions", func(c *config.Config) { c.ClickHouse.Decisions = 0 }},
		{"clickhouse.query_timeout", func(c *config.Config) { c.ClickHouse.QueryTimeout = 0 }},
		{"features.flush_interval", func(c *config.Config) { c.Features.FlushInterval = 0 }},
		{"features.lateness", func(c *config.Config) { c.Features.Lateness = -1 }},
		{"features.idle", func(c *config.Config) { c.Features.Idle = 0 }},
		{"features.generation", func(c *config.Config) { c.Features.Generation = 0 }},
		{"features.max_rows", func(c *config.Config) { c.Features.MaxRows = 0 }},
		{"features.check_interval", func(c *config.Config) { c.Features.CheckInterval = time.Millisecond }},
		{"forecast.lead", func(c *config.Config) { c.Forecast.Lead = 2 * time.Hour }},
		{"forecast.target_cpu", func(c *config.Config) { c.Forecast.TargetCPU = 100 }},
		{"forecast.headroom", func(c *config.Config) { c.Forecast.Headroom = -1 }},
		{"forecast.history", func(c *config.Config) { c.Forecast.History = time.Hour }},
		{"forecast.max_series", func(c *config.Config) { c.Forecast.MaxSeries = 0 }},
		{"detect.history", func(c *config.Config) { c.Detect.History = time.Minute }},
		{"actuator.manifests", func(c *config.Config) { c.Actuator.Manifests, c.Actuator.Kubeconfig = "a", "b" }},
		{"actuator.context", func(c *config.Config) { c.Actuator.Context = "x" }},
		{"actuator.min_replicas", func(c *config.Config) { c.Actuator.MinReplicas = 0 }},
		{"actuator.max_replicas", func(c *config.Config) { c.Actuator.MinReplicas, c.Actuator.MaxReplicas = 5, 4 }},
	}
	keys := config.Keys()
	for _, tt := range tests {
		cfg := config.Default()
		tt.change(&cfg)
		err := cfg.Validate()
		var problem *config.KeyError
		if !errors.As(err, &problem) || problem.Key != tt.key || !strings.HasPrefix(problem.Problem, tt.key+" ") {
			t.Errorf("%s: error %v", tt.key, err)
		}
		if !slices.ContainsFunc(keys, func(k config.Key) bool { return k.Name == tt.key }) {
			t.Errorf("%s is not a key", tt.key)
		}
	}
}

func external(c *config.Config) { c.Kafka.Addresses, c.Kafka.TLS = []string{"k:9093"}, true }

func TestValidateAcceptsProduction(t *testing.T) {
	cfg := config.Default()
	cfg.TLS = config.TLS{CertFile: "c", KeyFile: "k"}
	cfg.Collector.GRPC, cfg.Collector.HTTP, cfg.Ops.Listen = "0.0.0.0:4317", "[::]:4318", ":9464"
	cfg.Kafka.Addresses, cfg.Kafka.TLS, cfg.Kafka.Replication = []string{"k-0.kafka:9093", "[2001:db8::1]:9093"}, true, 3
	cfg.Kafka.User, cfg.Kafka.PasswordFile, cfg.Kafka.Mechanism = "weir-features", "/run/secrets/kafka", "scram-sha-256"
	cfg.Kafka.CAFile, cfg.Kafka.CertFile, cfg.Kafka.KeyFile = "ca", "c", "k"
	cfg.ClickHouse.Address, cfg.ClickHouse.TLS = "db:8443", true
	cfg.ClickHouse.User, cfg.ClickHouse.PasswordFile = "weir", "/run/secrets/password"
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestCheckListen(t *testing.T) {
	for _, tt := range []struct {
		addr          string
		insecure, tls bool
		ok            bool
	}{
		{"127.0.0.1:0", false, false, true},
		{"127.8.8.8:1", false, false, true},
		{"[::1]:4317", false, false, true},
		{"localhost:4317", false, false, true},
		{"0.0.0.0:4317", false, false, false},
		{":4317", false, false, false},
		{"[::]:4317", false, false, false},
		{"10.0.0.1:4317", false, false, false},
		{"localhost.example.org:4317", false, false, false},
		{"0.0.0.0:4317", true, false, true},
		{"0.0.0.0:4317", false, true, true},
		{"0.0.0.0", true, true, false},
		{"0.0.0.0:70000", true, true, false},
	} {
		err := config.CheckListen(tt.addr, tt.insecure, tt.tls)
		if (err == nil) != tt.ok {
			t.Errorf("CheckListen(%q, %v, %v) = %v", tt.addr, tt.insecure, tt.tls, err)
		}
	}
	err := config.CheckListen("0.0.0.0:1", false, false)
	if err == nil || !strings.Contains(err.Error(), "tls.cert_file") || !strings.Contains(err.Error(), "--insecure") {
		t.Errorf("the way out is missing: %v", err)
	}
}

func TestExplainLoadsAgain(t *testing.T) {
	set := config.Default()
	set.DataDir = "C:\\data \"x\" # ü\n"
	set.Insecure = true
	set.Wait = 90*time.Minute + time.Millisecond
	set.Collector.Attributes = []string{"http.route", "a,b"}
	set.Kafka.Addresses = []string{"k:1"}
	set.ClickHouse.Address = "db:1"
	set.ClickHouse.User = "yes"
	set.Features.Lateness = 0
	for name, cfg := range map[string]config.Config{"default": config.Default(), "set": set} {
		var out bytes.Buffer
		if err := config.Explain(&out, cfg, config.Sources{"wait": "odd\nname: 3"}); err != nil {
			t.Fatal(err)
		}
		got, sources, err := config.Load(config.Options{File: write(t, out.String())})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out.String())
		}
		// An empty list and none are the same configuration.
		for _, list := range []*[]string{&got.Collector.Attributes, &got.Kafka.Addresses} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if !reflect.DeepEqual(got, cfg) {
			t.Errorf("%s: loaded %+v\nwant %+v", name, got, cfg)
		}
		for _, k := range config.Keys() {
			if sources.Of(k.Name) == "default" || !strings.Contains(out.String(), k.Env) || !strings.Contains(out.String(), k.Doc) {
				t.Errorf("%s: %s is not explained", name, k.Name)
			}
		}
	}
}

func TestTLS(t *testing.T) {
	if got, err := config.ServerTLS(config.Default()); got != nil || err != nil {
		t.Errorf("without a certificate: %v, %v", got, err)
	}
	cfg := config.Default()
	cfg.TLS = config.TLS{CertFile: "testdata/none", KeyFile: "testdata/none", CAFile: "testdata/none"}
	if _, err := config.ServerTLS(cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing certificate: %v", err)
	}
	if _, err := config.ClientTLS(cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing authority: %v", err)
	}
	cfg.TLS.CAFile = write(t, "not a certificate")
	if _, err := config.ClientTLS(cfg); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("bad authority: %v", err)
	}
}

// TestTLSEndToEnd makes a real connection: a server with our certificate, a client that trusts it only through ca_file.
func TestTLSEndToEnd(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.TLS = config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: filepath.Join(dir, "cert.pem")}
	writeCertificate(t, cfg.TLS.CertFile, cfg.TLS.KeyFile)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	var err error
	if server.TLS, err = config.ServerTLS(cfg); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	defer server.Close()
	trusting, err := config.ClientTLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := config.ClientTLS(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	address := server.Listener.Addr().String()
	conn, err := tls.Dial("tcp", address, trusting)
	if err != nil {
		t.Fatalf("with ca_file: %v", err)
	}
	_ = conn.Close()
	if conn, err := tls.Dial("tcp", address, stranger); err == nil {
		_ = conn.Close()
		t.Error("a client that does not know the authority connected")
	}
}

func TestPassword(t *testing.T) {
	if got, err := config.Default().ClickHouse.Password(); got != "" || err != nil {
		t.Errorf("without a file: %q, %v", got, err)
	}
	c := config.ClickHouse{PasswordFile: write(t, " secret \n")}
	if got, err := c.Password(); got != " secret " || err != nil {
		t.Errorf("password %q, %v", got, err)
	}
	c.PasswordFile = "testdata/none"
	if _, err := c.Password(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
