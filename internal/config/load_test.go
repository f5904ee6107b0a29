package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/config"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultIsValidAndLoaded(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Fatal(err)
	}
	cfg, sources, err := config.Load(config.Options{})
	if err != nil || !reflect.DeepEqual(cfg, config.Default()) || len(sources) != 0 {
		t.Fatalf("Load of nothing = %+v, %v, %v", cfg, sources, err)
	}
}

func TestPrecedence(t *testing.T) {
	path := write(t, "wait: 1s\nlog:\n  level: debug\n  format: json\nkafka:\n  partitions: 8\n")
	cfg, sources, err := config.Load(config.Options{
		File:  path,
		Env:   []string{"HOME=/x", "WEIR_WAIT=2s", "WEIR_LOG_LEVEL=warn"},
		Flags: map[string]any{"wait": 3 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Wait != 3*time.Second || cfg.Log.Level != "warn" || cfg.Log.Format != "json" || cfg.Kafka.Partitions != 8 {
		t.Errorf("values: %+v", cfg)
	}
	want := map[string]string{
		"wait": "the command line", "log.level": "WEIR_LOG_LEVEL", "log.format": path + ":4", "kafka.partitions": path + ":6",
		"data_dir": "default",
	}
	for key, source := range want {
		if got := sources.Of(key); got != source {
			t.Errorf("source of %s = %q, want %q", key, got, source)
		}
	}
}

func TestEveryKeyCanBeSetFromEverywhere(t *testing.T) {
	for _, k := range config.Keys() {
		t.Run(k.Name, func(t *testing.T) {
			if k.Doc == "" {
				t.Error("has no doc")
			}
			value := strings.Trim(k.Default, `"`)
			if k.Name == "kafka.addresses" || k.Name == "collector.attributes" {
				value = "a:1,b:2"
			}
			_, sources, err := config.Load(config.Options{Env: []string{k.Env + "=" + value}})
			if err != nil || sources.Of(k.Name) != k.Env {
				t.Errorf("from %s=%s: %q, %v", k.Env, value, sources.Of(k.Name), err)
			}
			_, sources, err = config.Load(config.Options{Flags: map[string]any{k.Name: value}})
			if err != nil || sources.Of(k.Name) == "default" {
				t.Errorf("from a flag: %q, %v", sources.Of(k.Name), err)
			}
		})
	}
}

func TestLists(t *testing.T) {
	want := []string{"a:9092", "b:9092"}
	for name, o := range map[string]config.Options{
		"file list": {File: write(t, "kafka:\n  addresses: [\"a:9092\", \"b:9092\"]\n")},
		"file text": {File: write(t, "kafka:\n  addresses: a:9092, b:9092\n")},
		"env":       {Env: []string{"WEIR_KAFKA_ADDRESSES=a:9092,b:9092"}},
		"flag":      {Flags: map[string]any{"kafka.addresses": want}},
	} {
		cfg, _, err := config.Load(o)
		if err != nil || !reflect.DeepEqual(cfg.Kafka.Addresses, want) {
			t.Errorf("%s: %q, %v", name, cfg.Kafka.Addresses, err)
		}
	}
	cfg, _, err := config.Load(config.Options{File: write(t, "kafka: {addresses: [\"a:1\"]}\n"), Env: []string{"WEIR_KAFKA_ADDRESSES="}})
	if err != nil || len(cfg.Kafka.Addresses) != 0 {
		t.Errorf("an empty variable clears the list: %q, %v", cfg.Kafka.Addresses, err)
	}
}

func TestAlias(t *testing.T) {
	cfg, sources, err := config.Load(config.Options{Env: []string{"WEIR_CHDB_LIBRARY=/a"}})
	if err != nil || cfg.ClickHouse.Library != "/a" || sources.Of("clickhouse.library") != "WEIR_CHDB_LIBRARY" {
		t.Errorf("alias: %q from %q, %v", cfg.ClickHouse.Library, sources.Of("clickhouse.library"), err)
	}
	for _, environ := range [][]string{
		{"WEIR_CHDB_LIBRARY=/a", "WEIR_CLICKHOUSE_LIBRARY=/b"},
		{"WEIR_CLICKHOUSE_LIBRARY=/b", "WEIR_CHDB_LIBRARY=/a"},
	} {
		cfg, sources, err = config.Load(config.Options{Env: environ})
		if err != nil || cfg.ClickHouse.Library != "/b" || sources.Of("clickhouse.library") != "WEIR_CLICKHOUSE_LIBRARY" {
			t.Errorf("%v: %q from %q, %v", environ, cfg.ClickHouse.Library, sources.Of("clickhouse.library"), err)
		}
	}
}

func TestForeignVariablesAreLeftAlone(t *testing.T) {
	_, _, err := config.Load(config.Options{Env: []string{
		"WEIR_COLLECTOR_SERVICE_HOST=10.0.0.1", "WEIR_COLLECTOR_SERVICE_PORT=4317", "WEIR_COLLECTOR_PORT=tcp://10.0.0.1:4317",
		"WEIR_COLLECTOR_PORT_4317_TCP_ADDR=10.0.0.1", "WEIR_BIN=/x", "WEIR_LAB=/lab", "WEIR_LAB_CACHE=/c", "WEIR_TEST_SLOW=1", "WEIRD=1",
	}})
	if err != nil {
		t.Error(err)
	}
	if _, _, err = config.Load(config.Options{Env: []string{"WEIR_COLLECTOR_PORT=4317"}}); err == nil {
		t.Error("WEIR_COLLECTOR_PORT without such a service passed")
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, file string
		env        string
		want       string // FILE stands for the path
	}{
		{"typing slip", "collector:\n  grcp: x\n", "", "unknown key collector.grcp in FILE:2: did you mean collector.grpc?"},
		{"dash", "data-dir: x\n", "", "unknown key data-dir in FILE:1: did you mean data_dir?"},
		{"wrong section", "retention: 5h\n", "", "unknown key retention in FILE:1: did you mean kafka.retention?"},
		{"nothing near", "zzzzzzzzzz: x\n", "", "unknown key zzzzzzzzzz in FILE:1: `weir config explain` lists all"},
		{"unknown section", "colector:\n  grpc: x\n", "", "unknown key colector.grpc in FILE:2: did you mean collector.grpc?"},
		{"variable", "", "WEIR_COLLECTOR_GRCP=x", "unknown variable WEIR_COLLECTOR_GRCP: did you mean WEIR_COLLECTOR_GRPC?"},
		{"number", "kafka:\n  partitions: many\n", "", `kafka.partitions in FILE:2 wants a whole number, got "many"`},
		{"number is fraction", "kafka: {partitions: 1.5}\n", "", "kafka.partitions in FILE:1 wants a whole number, got 1.5"},
		{"duration without unit", "wait: 30\n", "", "wait in FILE:1 wants a duration with a unit such as 30s, 5m or 24h, got 30"},
		{"truth", "insecure: maybe\n", "", `insecure in FILE:1 wants true or false, got "maybe"`},
		{"text", "clickhouse:\n  user: 7\n", "", "clickhouse.user in FILE:2 wants text, got 7: put it in quotes"},
		{"list", "collector:\n  attributes: [a, 7]\n", "", "collector.attributes in FILE:2 wants a list of texts, got 7 at place 2"},
		{"no value", "data_dir:\n", "", "data_dir in FILE:1 has no value: give it one or remove the line"},
		{"section as value", "log: debug\n", "", "log in FILE:1 is a section: put its keys below it"},
		{"value as section", "wait:\n  x: 1s\n", "", "unknown key wait.x in FILE:2"},
		{"twice", "wait: 1s\nwait: 2s\n", "", "already defined"},
		{"not YAML", "a: [\n", "", "read configuration FILE"},
		{"a list", "- a\n", "", "read configuration FILE"},
		{"variable type", "", "WEIR_BROKER_SYNC=ja", `broker.sync in WEIR_BROKER_SYNC wants true or false, got "ja"`},
		{"validated", "", "WEIR_LOG_LEVEL=loud", `log.level is "loud": use one of debug, info, warn, error`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := config.Options{Env: []string{tt.env}}
			if tt.file != "" {
				o.File = write(t, tt.file)
			}
			_, _, err := config.Load(o)
			if want := strings.ReplaceAll(tt.want, "FILE", o.File); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want it to hold %q", err, want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	path := write(t, "wait: x\nlgo:\n  level: info\n")
	_, _, err := config.Load(config.Options{
		File: path, Env: []string{"WEIR_NOPE=1", "WEIR_LOG_FORMAT=xml"}, Flags: map[string]any{"kafka.replication": "two"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"wait", "lgo.level", "WEIR_NOPE", "log.format", "kafka.replication"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in:\n%s", want, err)
		}
	}
}

func TestFileThatIsMissing(t *testing.T) {
	_, _, err := config.Load(config.Options{File: filepath.Join(t.TempDir(), "none.yaml")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestSectionsWithoutKeysAndEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "collector:\n  # grpc: x\n", "log: {}\n"} {
		cfg, _, err := config.Load(config.Options{File: write(t, text)})
		if err != nil || !reflect.DeepEqual(cfg, config.Default()) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzLoad holds Load to its promise never to crash, and a loaded Config to be one that Validate accepts.
func FuzzLoad(f *testing.F) {
	f.Add("collector:\n  grpc: 127.0.0.1:4317\n", "WEIR_WAIT=3s")
	f.Add("kafka: {addresses: [a:1], tls: true}\n? [x]\n: y\n", "WEIR_=")
	f.Add("a: &x [*x]\n<<: 1\n1: 2\n", "WEIR_KAFKA_ADDRESSES=,")
	f.Fuzz(func(t *testing.T, text, variable string) {
		cfg, _, err := config.Load(config.Options{File: write(t, text), Env: []string{variable}})
		if err == nil && cfg.Validate() != nil {
			t.Errorf("loaded what is not valid: %+v", cfg)
		}
	})
}
