package main_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/torture/apache/apachetest"
)

// startSecured runs Apache Kafka with a user for each part of Weir, who has the rights of deploy/kafka/acls and no others, and has the
// environment say how to get in.
func startSecured(t *testing.T) (cluster *apachetest.Cluster, as func(role string)) {
	t.Helper()
	weir(t)
	var users []string
	roles := kafka.Roles("weir-features")
	for _, role := range roles {
		users = append(users, "weir-"+role.Name)
	}
	cluster = apachetest.Start(t, users...)
	for _, role := range roles {
		script, err := os.ReadFile(filepath.Join("..", "..", "deploy", "kafka", "acls", role.Name+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		cluster.Script(t, string(script))
	}
	t.Setenv("WEIR_KAFKA_ADDRESSES", cluster.Users)
	t.Setenv("WEIR_KAFKA_TLS", "true")
	t.Setenv("WEIR_KAFKA_CA_FILE", cluster.Authority.File)
	t.Setenv("WEIR_KAFKA_PASSWORD_FILE", apachetest.WriteFile(t, apachetest.Password))
	t.Setenv("WEIR_KAFKA_CREATE_TOPICS", "false")
	t.Setenv("WEIR_KAFKA_REPLICATION", "1")
	t.Setenv("WEIR_KAFKA_PARTITIONS", "4")
	return cluster, func(role string) { t.Setenv("WEIR_KAFKA_USER", "weir-"+role) }
}

// TestApacheKafkaWithRights runs every stage on Apache Kafka with its own user and rights, makes the topics, moves them to more and to fewer
// partitions, and counts every call once.
func TestApacheKafkaWithRights(t *testing.T) {
	cluster, as := startSecured(t)
	c := &counting{t: t, broker: cluster.Users, engine: freePort(t), collector: freePort(t), as: as}
	as("features")
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", c.engine)
	if _, says := runWeir(t, 1, "features", "--kafka", c.broker, "--clickhouse", c.engine, "--wait", "2m"); !strings.Contains(says, "run `weir topics apply`") {
		t.Errorf("without topics features says\n%s", says)
	}
	as("topics")
	if plan, _ := runWeir(t, 0, "topics", "plan", "--kafka", c.broker); strings.Count(plan, "is missing") != 7 {
		t.Errorf("without topics the plan is\n%s", plan)
	}
	runWeir(t, 0, "topics", "apply", "--kafka", c.broker)
	if again, _ := runWeir(t, 0, "topics", "apply", "--kafka", c.broker); !strings.Contains(again, "nothing to do") {
		t.Errorf("a second time apply says\n%s", again)
	}
	mistakes(t, cluster)
	for _, stage := range []string{"forecast", "detect", "actuator"} {
		as(stage)
		p := startWeir(t, stage, "--kafka", c.broker, "--clickhouse", c.engine)
		t.Cleanup(func() {
			if code := p.stop(t); code != 0 {
				t.Errorf("%s ends with %d:\n%s", stage, code, p.stderr)
			}
		})
	}
	c.moveAround()
}

// mistakes makes topics other than they should be: plan and doctor say so, apply mends them.
func mistakes(t *testing.T, cluster *apachetest.Cluster) {
	t.Helper()
	admin := apachetest.Client(t, cluster.Open, kafka.Security{})
	for name, value := range map[string]string{kafka.CleanupPolicy: "compact", kafka.MaxMessageBytes: "5000", kafka.RetentionMs: "60000"} {
		if err := admin.SetTopicConfig(t.Context(), "weir.calls", name, value); err != nil {
			t.Fatal(err)
		}
	}
	plan, _ := runWeir(t, 0, "topics", "plan", "--kafka", cluster.Users)
	for _, want := range []string{
		"set cleanup.policy from compact to delete", "set max.message.bytes from 5000 to ", "set retention.ms from 60000 to ",
		"risk     weir.calls: cleanup.policy is compact", "risk     weir.calls: max.message.bytes is 5000", "risk     weir.calls: retention is 1m0s",
		"risk     weir.calls: one copy",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("no %q in the plan:\n%s", want, plan)
		}
	}
	t.Setenv("WEIR_KAFKA_USER", "weir-reader")
	cmd := exec.CommandContext(t.Context(), weir(t), "doctor", "--kafka", cluster.Users)
	said, _ := cmd.CombinedOutput() // not all that it looks for is here
	for _, want := range []string{"topic weir.calls is compacted", "topic weir.calls takes messages of 5000 bytes at most", "topic weir.calls keeps "} {
		if !strings.Contains(string(said), want) {
			t.Errorf("no %q in what doctor says:\n%s", want, said)
		}
	}
	t.Setenv("WEIR_KAFKA_USER", "weir-topics")
	runWeir(t, 0, "topics", "apply", "--kafka", cluster.Users)
	if again, _ := runWeir(t, 0, "topics", "apply", "--kafka", cluster.Users); !strings.Contains(again, "nothing to do") {
		t.Errorf("after apply it says\n%s", again)
	}
}

// readiness returns what a stage's /readyz answers.
func readiness(t *testing.T, ops string) (code int, body string) {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestApacheKafkaTurnsAway takes rights away from features while it runs: it is not ready and says why, does not end, and goes on once it has
// them again. No call is lost or counted twice.
func TestApacheKafkaTurnsAway(t *testing.T) {
	cluster, as := startSecured(t)
	c := &counting{t: t, broker: cluster.Users, engine: freePort(t), collector: freePort(t), as: as}
	as("topics")
	runWeir(t, 0, "topics", "apply", "--kafka", c.broker)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", c.engine)
	ops := freePort(t)
	c.user("features")
	c.features = startWeir(t, "features", "--kafka", c.broker, "--clickhouse", c.engine, "--ops", ops)
	c.user("collector")
	c.front = startWeir(t, "collector", "--kafka", c.broker, "--grpc", c.collector, "--http", freePort(t))
	await(t, "features", func() bool { code, _ := readiness(t, ops); return code == http.StatusOK })
	c.count(1)
	says := func(want string) {
		t.Helper()
		await(t, want, func() bool {
			code, body := readiness(t, ops)
			return code == http.StatusServiceUnavailable && strings.Contains(body, want)
		})
	}
	calls := kafka.Right{Kind: kafka.KindTopic, Name: "weir.calls", Operations: []string{kafka.Read}}
	group := kafka.Right{Kind: kafka.KindGroup, Name: "weir-features", Operations: []string{kafka.Read}}
	for i, right := range []kafka.Right{calls, group} {
		begin := time.Now()
		cluster.Revoke(t, "User:weir-features", right)
		says("weir-features may not use " + right.Kind + " " + right.Name)
		t.Logf("%s %s revoked: said after %s", right.Kind, right.Name, time.Since(begin))
		begin = time.Now()
		cluster.Allow(t, "User:weir-features", right)
		await(t, "features", func() bool { code, _ := readiness(t, ops); return code == http.StatusOK })
		t.Logf("given again: ready after %s", time.Since(begin))
		c.count(uint64(i + 2))
	}
}
