package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// counting is the part of Weir that counts, on a cluster of its own: broker, engine, and the stages that a migration stops.
type counting struct {
	t                         *testing.T
	broker, engine, collector string
	features, front           *process
	calls                     int
	as                        func(role string) // says who the next commands are; nil = nobody asks
}

// user says who the next commands are.
func (c *counting) user(role string) {
	if c.as != nil {
		c.as(role)
	}
}

func startCounting(t *testing.T) *counting {
	t.Helper()
	t.Setenv("WEIR_KAFKA_REPLICATION", "1")
	c := &counting{t: t, broker: freePort(t), engine: freePort(t), collector: freePort(t)}
	startWeir(t, "broker", "--data-dir", t.TempDir(), "--listen", c.broker)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", c.engine)
	return c
}

// start runs features and the collector with a number of partitions.
func (c *counting) start(partitions int) {
	c.t.Helper()
	c.t.Setenv("WEIR_KAFKA_PARTITIONS", strconv.Itoa(partitions))
	c.user("features")
	c.features = startWeir(c.t, "features", "--kafka", c.broker, "--clickhouse", c.engine)
	c.user("collector")
	c.front = startWeir(c.t, "collector", "--kafka", c.broker, "--grpc", c.collector, "--http", freePort(c.t))
}

// count sends a recording, waits until it is counted, and compares all that was counted so far.
func (c *counting) count(seed uint64) {
	c.t.Helper()
	path, truth := generate(c.t, "nezha", func(r *recording.Config) { r.Calls, r.Seed = 3_000, seed })
	await(c.t, "the collector", func() bool { return sendAll(c.t, c.t.Context(), c.collector, path, func(int) {}) == nil })
	c.calls += truth.Calls
	c.user("reader")
	await(c.t, "the end of the log in ClickHouse", func() bool {
		var now struct {
			Ingest   struct{ Messages int }
			Features struct{ Lag int }
		}
		out, err := exec.Command(weir(c.t), "status", "--kafka", c.broker, "--clickhouse", c.engine, "-o", "json").Output()
		return err == nil && json.Unmarshal(out, &now) == nil && now.Ingest.Messages > 0 && now.Features.Lag == 0
	})
	c.compare()
}

func (c *counting) compare() {
	c.t.Helper()
	got, _ := runWeir(c.t, 0, "query", "--clickhouse", c.engine, "-o", "TSV", "SELECT sum(calls) FROM weir.service_windows")
	if want := strconv.Itoa(c.calls) + "\n"; got != want {
		c.t.Errorf("%s calls, want %s", got, want)
	}
}

// migrate moves the topics while features still runs, and stops it when it is asked for.
func (c *counting) migrate(partitions int) {
	c.t.Helper()
	args := []string{"topics", "migrate", "--kafka", c.broker, "--clickhouse", c.engine, "--partitions", strconv.Itoa(partitions), "--quiet", "300ms"}
	c.user("topics")
	plan, _ := runWeir(c.t, 0, args...)
	if !strings.Contains(plan, "nothing was changed") {
		c.t.Errorf("without --yes it says\n%s", plan)
	}
	c.front.stop(c.t)
	cmd := exec.CommandContext(c.t.Context(), weir(c.t), append(args, "--yes", "--wait", "1m")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "stop every worker") {
			c.features.stop(c.t)
		}
	}
	if err := cmd.Wait(); err != nil {
		c.t.Fatalf("migrate: %v\n%s%s", err, said.String(), errs.String())
	}
}

// TestMigratedTopicsCountEveryCallOnce counts before and after more and fewer partitions: nothing is lost, and nothing counts twice.
func TestMigratedTopicsCountEveryCallOnce(t *testing.T) {
	startCounting(t).moveAround()
}

// moveAround counts, migrates to more partitions, counts, migrates to fewer, and counts.
func (c *counting) moveAround() {
	t := c.t
	t.Helper()
	c.start(4)
	c.count(1)
	for i, partitions := range []int{8, 3} {
		c.migrate(partitions)
		if again, _ := runWeir(t, 0, "topics", "migrate", "--kafka", c.broker, "--clickhouse", c.engine, "--partitions", strconv.Itoa(partitions), "--yes"); !strings.Contains(again, "nothing to do") {
			t.Errorf("a second time it says\n%s", again)
		}
		c.user("features")
		_, refused := runWeir(t, 1, "features", "--kafka", c.broker, "--clickhouse", c.engine, "--wait", "1s")
		if !strings.Contains(refused, "set kafka.partitions to "+strconv.Itoa(partitions)) {
			t.Errorf("features with the old number says\n%s", refused)
		}
		c.start(partitions)
		c.count(uint64(i + 2))
	}
	// Growing keeps the names of the sources; the topic that was made anew has new ones.
	sources, _ := runWeir(t, 0, "query", "--clickhouse", c.engine, "-o", "TSV", "SELECT count(DISTINCT source) FROM weir.service_10s")
	if sources != "11\n" {
		t.Errorf("%s sources, want 8 and 3", sources)
	}
}

func TestTopicsPlanAndApply(t *testing.T) {
	t.Setenv("WEIR_KAFKA_REPLICATION", "1")
	t.Setenv("WEIR_KAFKA_PARTITIONS", "2")
	broker, file := freePort(t), filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("kafka: {create_topics: false}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startWeir(t, "broker", "--data-dir", t.TempDir(), "--listen", broker)
	await(t, "the broker", func() bool { return exec.Command(weir(t), "topics", "plan", "--kafka", broker).Run() == nil })
	plan := func(want ...string) {
		t.Helper()
		out, _ := runWeir(t, 0, "topics", "plan", "--kafka", broker)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("the plan has no %q:\n%s", w, out)
			}
		}
	}
	plan("is missing", "apply    weir.deadletter: make it with 1 partitions and 1 copies")
	_, refused := runWeir(t, 1, "features", "--kafka", broker, "--clickhouse", "127.0.0.1:1", "--config", file)
	if !strings.Contains(refused, "run `weir topics apply`") {
		t.Errorf("without topics features says\n%s", refused)
	}
	out, _ := runWeir(t, 0, "topics", "apply", "--kafka", broker)
	if !strings.Contains(out, "weir.calls: made with 2 partitions and 1 copies") {
		t.Errorf("apply says\n%s", out)
	}
	plan("weir.calls", "168h", "risk     weir.calls: one copy")
	t.Setenv("WEIR_KAFKA_RETENTION", "48h")
	t.Setenv("WEIR_KAFKA_PARTITIONS", "5")
	plan("apply    weir.samples: set retention.ms from 604800000 to 172800000", "differs  weir.calls: 2 partitions, 5 are configured")
	runWeir(t, 0, "topics", "apply", "--kafka", broker)
	plan("differs  weir.calls: 2 partitions, 5 are configured")
	if out, _ := runWeir(t, 0, "topics", "apply", "--kafka", broker); !strings.Contains(out, "nothing to do") {
		t.Errorf("a second time it says\n%s", out)
	}
	var all []struct{ Topic, Retention string }
	text, _ := runWeir(t, 0, "topics", "plan", "--kafka", broker, "-o", "json")
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 7 || all[0].Retention != "48h0m0s" {
		t.Errorf("the plan as JSON is %+v, error %v", all, err)
	}
	runWeir(t, 4, "topics", "migrate", "--kafka", broker)
	runWeir(t, 4, "topics", "acls", "nobody")
}
