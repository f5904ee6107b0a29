package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/internal/doctor"
)

func doctorOf(t *testing.T, code int, args ...string) map[string]doctor.Result {
	t.Helper()
	out, _ := runWeir(t, code, append([]string{"doctor", "-o", "json"}, args...)...)
	var all []doctor.Result
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("doctor %q: %v", out, err)
	}
	found := map[string]doctor.Result{}
	for _, r := range all {
		if old, ok := found[r.Check]; !ok || old.Level != doctor.Failed {
			found[r.Check] = r
		}
	}
	return found
}

// TestDoctor examines a Weir that is well, and then one part after another that is not.
func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)

	well := doctorOf(t, 0, "--data-dir", dir, "--probe")
	for _, check := range []string{
		"reach.collector", "reach.kafka", "reach.clickhouse", "kafka.topics", "clickhouse.schema", "clickhouse.functions", "clickhouse.marks",
		"clickhouse.clock", "keys.signing", "config.consistent", "probe",
	} {
		if well[check].Level != doctor.OK {
			t.Errorf("when all is well, %s is %+v", check, well[check])
		}
	}
	if n := query(t, dir, "SELECT calls FROM service_windows WHERE namespace = 'weir-doctor' AND workload = 'callee'"); len(n) != 1 || n[0][0] != "1" {
		t.Errorf("the probe is %v calls, want 1", n)
	}

	config := func(text string) string {
		file := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	closed := freePort(t)
	for _, tt := range []struct {
		name, check, says string
		args              []string
	}{
		{"no ClickHouse", "clickhouse.answers", "refused", []string{"--clickhouse", closed}},
		{"no Kafka", "kafka.answers", "no Kafka broker answers", []string{"--kafka", closed}},
		{"no such host", "reach.kafka", "not known", []string{"--kafka", "broker.invalid:9092"}},
		{"no collector", "probe", `stuck at "collector"`, []string{"--otlp", closed, "--probe", "--within", "1s"}},
		{"another number of partitions", "kafka.topics", "4 partitions, 8 are configured", []string{"--config", config("kafka: {partitions: 8}\n")}},
		{"marks that end before the log", "config.load", "kafka.retention", []string{"--config", config("clickhouse: {retention: 24h}\n")}},
		{"a bad key", "config.load", "partition", []string{"--config", filepath.Join("testdata", "unknown-key.yaml")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := doctorOf(t, 1, append([]string{"--data-dir", dir}, tt.args...)...)[tt.check]
			if r.Level != doctor.Failed || !strings.Contains(r.Finding, tt.says) || r.Advice == "" {
				t.Errorf("%s is %+v, want failed with %q", tt.check, r, tt.says)
			}
		})
	}
	t.Run("no function", func(t *testing.T) {
		runSQL(t, at, "DROP FUNCTION weirEvidence")
		if r := doctorOf(t, 1, "--data-dir", dir)["clickhouse.functions"]; !strings.Contains(r.Finding, "weirEvidence") {
			t.Errorf("clickhouse.functions is %+v", r)
		}
	})
	t.Run("newer schema", func(t *testing.T) {
		runSQL(t, at, "INSERT INTO migrations (version, name) VALUES (999, 'later')")
		if r := doctorOf(t, 1, "--data-dir", dir)["clickhouse.schema"]; !strings.Contains(r.Finding, "999") {
			t.Errorf("clickhouse.schema is %+v", r)
		}
	})
	t.Run("open key", func(t *testing.T) {
		if err := os.Chmod(filepath.Join(dir, "keys", "signing.key"), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := doctorOf(t, 1, "--data-dir", dir)["keys.signing"]; !strings.Contains(r.Finding, "chmod 600") {
			t.Errorf("keys.signing is %+v", r)
		}
	})
}
