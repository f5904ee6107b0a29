package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestCommands makes, damages and counts one small day in both formats.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	day, rough, otlp := filepath.Join(dir, "day"), filepath.Join(dir, "rough"), filepath.Join(dir, "day.jsonl.gz")
	steps := [][]string{
		{"generate", "--out", day, "--calls", "500", "--minutes", "3", "--seed", "9"},
		{"generate", "--out", otlp, "--calls", "500", "--minutes", "3", "--format", "otlp-json"},
		{"mutate", "--in", day, "--out", rough, "--double", "0.5", "--shuffle"},
	}
	for _, args := range steps {
		if code, _, stderr := call(args...); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, stderr)
		}
	}
	calls := map[string]int{}
	for _, path := range []string{day, rough, otlp} {
		code, stdout, stderr := call("count", path, "-o", "json")
		var truth struct{ Calls, Duplicates int }
		if err := json.Unmarshal([]byte(stdout), &truth); code != 0 || err != nil {
			t.Fatalf("count %s: exit %d, %v: %s", path, code, err, stderr)
		}
		calls[path] = truth.Calls
	}
	if calls[day] != calls[rough] || calls[day] < 300 || calls[otlp] < 500 {
		t.Errorf("calls %v", calls)
	}
	if _, stdout, _ := call("count", day); !strings.Contains(stdout, "edge \"\" -> \"front\"") {
		t.Errorf("text %s", stdout)
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		args string
		code int
		says string
	}{
		{"", 4, "no command"},
		{"replay", 4, "unknown command"},
		{"--help", 0, ""},
		{"generate --help", 0, ""},
		{"generate", 4, "--out"},
		{"generate --out x --calls 0", 4, "bad configuration"},
		{"generate --out x --sed 1", 4, "-sed"},
		{"mutate --in x --out x", 4, "different folders"},
		{"mutate --in missing --out y", 1, "missing"},
		{"count", 4, "PATH"},
		{"count missing", 1, "missing"},
		{"count missing -o xml", 4, "json"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, stderr := call(strings.Fields(tt.args)...)
			if code != tt.code || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit %d, stderr %q, want %d with %q", code, stderr, tt.code, tt.says)
			}
			if code == 0 && !strings.Contains(stdout, "weir-recording generate --out day") {
				t.Errorf("help without an example: %s", stdout)
			}
		})
	}
}
