package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/sim/recording"
)

// stages are the parts of the loop, each a process of its own.
type stages struct {
	broker, engine, collector, ops string
	args                           [][]string
	running                        []*process
}

func startStages(t *testing.T) *stages {
	t.Helper()
	s := &stages{broker: freePort(t), engine: freePort(t), collector: freePort(t), ops: freePort(t)}
	s.args = [][]string{
		{"broker", "--data-dir", t.TempDir(), "--listen", s.broker},
		{"clickhouse", "--data-dir", t.TempDir(), "--listen", s.engine},
		{"collector", "--kafka", s.broker, "--grpc", s.collector, "--http", freePort(t)},
		{"features", "--kafka", s.broker, "--clickhouse", s.engine, "--ops", s.ops},
	}
	keys := t.TempDir() // all sign with one key, and so trust each other
	for _, stage := range []string{"forecast", "detect", "actuator"} {
		s.args = append(s.args, []string{stage, "--kafka", s.broker, "--clickhouse", s.engine, "--data-dir", keys})
	}
	config := settings(t, "kafka: {partitions: 4, replication: 1}\n")
	for i := range s.args {
		s.args[i] = append(s.args[i], config...)
		s.running = append(s.running, startWeir(t, s.args[i]...))
	}
	return s
}

// TestStagesApart runs every stage alone, against addresses, and kills them in turn while data flows.
func TestStagesApart(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 25_000 })
	s := startStages(t)
	at := 0
	harm(t, s.collector, path, len(s.args), func() {
		i := at % len(s.args)
		at++
		s.running[i].kill(t, true)
		s.running[i] = startWeir(t, s.args[i]...)
	})
	await(t, "the end of the log in ClickHouse", func() bool {
		var now struct {
			Ingest   struct{ Messages int }
			Features struct{ Lag int }
		}
		out, err := exec.Command(weir(t), "status", "--kafka", s.broker, "--clickhouse", s.engine, "-o", "json").Output()
		// While a stage is starting again, not every hop can be asked.
		return err == nil && json.Unmarshal(out, &now) == nil && now.Ingest.Messages > 0 && now.Features.Lag == 0
	})
	await(t, "decisions and their outcomes", func() bool {
		const sql = "SELECT count() > 0 AND count() = countIf(decision_id IN (SELECT decision_id FROM weir.outcomes)) AND " +
			"(SELECT uniqExact(stage) = 2 AND min(at) > (SELECT max(window_start) - INTERVAL 5 MINUTE FROM weir.service_10s) " +
			"FROM (SELECT stage, shard, max(at) AS at FROM weir.positions GROUP BY stage, shard)) FROM weir.decisions"
		out, err := exec.Command(weir(t), "query", "--clickhouse", s.engine, "-o", "TSV", sql).Output()
		return err == nil && string(out) == "1\n"
	})
	calls, _ := runWeir(t, 0, "query", "--clickhouse", s.engine, "-o", "TSV", "SELECT sum(calls) FROM weir.service_windows_1h")
	want := strconv.Itoa(truth.Calls) + "\n"
	if calls != want {
		t.Errorf("%s calls, want %s", calls, want)
	}
	for i, p := range s.running {
		if code := p.stop(t); code != 0 {
			t.Errorf("%s ended with %d on SIGTERM:\n%s", s.args[i][0], code, p.stderr)
		}
	}
}

// TestEveryStageTellsHowItIs asks for health, readiness and metrics.
func TestEveryStageTellsHowItIs(t *testing.T) {
	dir := t.TempDir()
	startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	for path, want := range map[string]string{
		"/healthz": "", "/readyz": "[]", "/metrics": "weir_features_calls_total",
	} {
		resp, err := http.Get("http://" + at.Ops + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %s, %v, want %q in\n%s", path, resp.Status, err, want, body.String())
		}
	}
}

// TestMissingIsSaid puts garbage into the log between good messages: it goes to the dead letter, its neighbours count, and the windows
// it may have belonged to say that they are not complete.
func TestMissingIsSaid(t *testing.T) {
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 3_000 })
	dir := t.TempDir()
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	k, err := kafka.New(kafka.Config{Addresses: []string{at.Kafka}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	start := truth.Windows[0].Start * 1e9
	err = k.Produce(t.Context(), ingest.Record{Topic: wire.TopicCalls, Partition: 1, Value: []byte("garbage"), Headers: []wire.Header{
		{Key: wire.HeaderSchema, Value: wire.SchemaCalls}, {Key: wire.HeaderEvents, Value: wire.Events(start, start+5e9)},
	}}, ingest.Record{Topic: wire.TopicCalls, Partition: 2, Value: []byte("from the future"), Headers: []wire.Header{
		{Key: wire.HeaderSchema, Value: "calls/2"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s := replay(t, dir, "nezha", path); s.Calls != truth.Calls {
		t.Errorf("summary is %+v, want %d calls", s, truth.Calls)
	}
	rows := query(t, dir, "SELECT min(completeness) < 1, max(completeness) = 1 FROM service_windows")
	if rows[0][0] != "1" || rows[0][1] != "1" {
		t.Errorf("completeness below 1 somewhere: %s, 1 elsewhere: %s", rows[0][0], rows[0][1])
	}
	if rows := query(t, dir, "SELECT kind, count() FROM gaps WHERE kind = 'dead_letter' GROUP BY kind"); len(rows) != 1 || rows[0][1] != "2" {
		t.Errorf("gaps are %v, want 2 dead letters", rows)
	}
	out, _ := runWeir(t, 0, "deadletter", "list", "--data-dir", dir)
	if !strings.Contains(out, "arrow frame of") || !strings.Contains(out, "calls/2") {
		t.Errorf("dead letters are\n%s", out)
	}
	checkCounts(t, dir, truth)
	if code := p.stop(t); code != 0 {
		t.Errorf("weir up ended with %d", code)
	}
}
