package run_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/recording"
	"github.com/weirmesh/weir/torture/parts"
	"github.com/weirmesh/weir/torture/rename"
	"github.com/weirmesh/weir/torture/run"
)

func TestMain(m *testing.M) {
	if code, child := rename.Child(); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestShort is the short form of `make torture`. TORTURE_SEED sets another seed.
func TestShort(t *testing.T) {
	bin, err := parts.Find()
	if err != nil || os.Getenv("WEIR_CHDB_LIBRARY") == "" {
		t.Skip("WEIR_BIN and WEIR_CHDB_LIBRARY are not set: nothing to run (`make test` sets them)")
	}
	cfg := run.Config{
		Seed: 2, Calls: 200_000, Kills: 10, Weir: bin, Dir: t.TempDir(), Away: 3 * time.Second, Short: true, Disks: os.Getuid() == 0,
	}
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		if cfg.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	report, err := run.Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", cfg.Seed, err, tails(cfg.Dir))
	}
	if err := report.Err(); err != nil {
		t.Fatalf("seed %d: %v\n%s", cfg.Seed, err, report)
	}
	t.Logf("%s", report)
	if report.Kills != 10 || report.Harms[run.Rename] == 0 || report.Store.Calls != 200_000 || report.Log.Acknowledged == 0 {
		t.Errorf("that was not the run that was asked for:\n%s", report)
	}
	begins, acks := history(t, filepath.Join(cfg.Dir, "history.jsonl"))
	if begins != 20 || int64(acks) != report.Requests {
		t.Errorf("the history has %d harms and %d acknowledgements of %d", begins, acks, report.Requests)
	}
}

// tails are the ends of the logs of all parts.
func tails(dir string) (out string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "cluster", "*.log"))
	for _, log := range logs {
		if text, err := os.ReadFile(log); err == nil {
			out += fmt.Sprintf("%s:\n%s\n", filepath.Base(log), text[max(0, len(text)-2000):])
		}
	}
	return out
}

// history counts the harms that began and the requests that were acknowledged.
func history(t *testing.T, path string) (begins, acks int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e struct{ What string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		switch e.What {
		case "begin":
			begins++
		case "ack":
			acks++
		}
	}
	return begins, acks
}

func TestConfigIsChecked(t *testing.T) {
	good := run.Config{Calls: 1, Weir: "weir", Dir: t.TempDir()}
	for name, change := range map[string]func(*run.Config){
		"no calls":  func(c *run.Config) { c.Calls = 0 },
		"no binary": func(c *run.Config) { c.Weir = "" },
		"no folder": func(c *run.Config) { c.Dir = "" },
		"one node":  func(c *run.Config) { c.Apache = 1 },
		"negative":  func(c *run.Config) { c.Kills = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := run.Run(t.Context(), cfg); !errors.Is(err, run.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecording sends a recording in place of made traffic.
func TestRecording(t *testing.T) {
	bin, err := parts.Find()
	if err != nil || os.Getenv("WEIR_CHDB_LIBRARY") == "" {
		t.Skip("WEIR_BIN and WEIR_CHDB_LIBRARY are not set: nothing to run (`make test` sets them)")
	}
	of := recording.DefaultConfig()
	of.Calls = 10_000
	day, err := recording.Generate(of)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := day.WriteNezha(path); err != nil {
		t.Fatal(err)
	}
	cfg := run.Config{Seed: 3, Weir: bin, Dir: t.TempDir(), Recording: path, Format: "nezha", Short: true, Collectors: 1, Features: 1}
	report, err := run.Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, tails(cfg.Dir))
	}
	if err := report.Err(); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	equal, _ := report.Store.Windows()
	if want := day.Summary.NezhaCalls(); report.Store.Calls != uint64(want) || equal == 0 || len(report.Store.Tables) != 6 {
		t.Errorf("%d calls of %d and %d windows were compared:\n%s", report.Store.Calls, want, equal, report)
	}
}
