package main_test

import (
	"net/http"
	"os/exec"
	"testing"
)

// TestOnlyWhoWritesWindowsSetsRetention starts a stage that knows nothing of the retention that features was given.
func TestOnlyWhoWritesWindowsSetsRetention(t *testing.T) {
	broker, engine, ops := freePort(t), freePort(t), freePort(t)
	t.Setenv("WEIR_KAFKA_PARTITIONS", "1")
	t.Setenv("WEIR_KAFKA_REPLICATION", "1")
	startWeir(t, "broker", "--data-dir", t.TempDir(), "--listen", broker)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", engine)
	kept := func() bool {
		const sql = "SELECT count() FROM system.tables WHERE database = 'weir' AND name = 'service_10s' AND engine_full LIKE '%toIntervalSecond(1728000)%'"
		out, err := exec.Command(weir(t), "query", "--clickhouse", engine, "-o", "TSV", sql).Output()
		return err == nil && string(out) == "1\n"
	}
	t.Setenv("WEIR_CLICKHOUSE_RETENTION", "480h")
	startWeir(t, "features", "--kafka", broker, "--clickhouse", engine)
	await(t, "features has set the retention", kept)

	t.Setenv("WEIR_CLICKHOUSE_RETENTION", "720h")
	startWeir(t, "forecast", "--kafka", broker, "--clickhouse", engine, "--data-dir", t.TempDir(), "--ops", ops)
	await(t, "forecast is ready", func() bool {
		resp, err := http.Get("http://" + ops + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if !kept() {
		t.Error("forecast has set another retention")
	}
}
