package recording_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/ingest/recording"
)

func TestOpenFindsFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"day/trace/10_01_trace.csv.gz", "day/trace/10_00_trace.csv", "day/trace/COVERAGE.json", "day/trace/10_00_trace.csv.bak",
		"day/normal_trace/09_00_trace.csv", "day/metric/a_metric.csv.gz",
		"otlp/b.jsonl", "otlp/a.json.gz", "otlp/c.jsonl.gz", "otlp/d.json", "otlp/e.txt",
		"lab/traces.jsonl.gz", "lab/metrics.jsonl.gz", "lab/truth.jsonl", "lab/ledger.json", "lab/lab.yaml",
	} {
		write(t, dir, name, "x")
	}
	tests := []struct {
		path   string
		format recording.Format
		want   []string
	}{
		{"day", recording.Nezha, []string{"10_00_trace.csv", "10_01_trace.csv.gz"}},
		{"day/trace", recording.Nezha, []string{"10_00_trace.csv", "10_01_trace.csv.gz"}},
		{"day/normal_trace", recording.Nezha, []string{"09_00_trace.csv"}},
		{"day/trace/10_01_trace.csv.gz", recording.Nezha, []string{"10_01_trace.csv.gz"}},
		{"otlp", recording.OTLPJSON, []string{"a.json.gz", "b.jsonl", "c.jsonl.gz", "d.json"}},
		{"lab", recording.OTLPJSON, []string{"metrics.jsonl.gz", "traces.jsonl.gz"}},
		{"lab/truth.jsonl", recording.OTLPJSON, []string{"truth.jsonl"}},
		{"otlp/e.txt", recording.OTLPJSON, []string{"e.txt"}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			rec := open(t, filepath.Join(dir, tt.path), tt.format)
			var got []string
			for _, f := range rec.Files() {
				got = append(got, filepath.Base(f))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("files %q, want %q", got, tt.want)
			}
			if rec.Size() != int64(len(tt.want)) {
				t.Errorf("size %d, want %d", rec.Size(), len(tt.want))
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "metric/a.csv", "x")
	tests := []struct {
		name, path string
		format     recording.Format
		is         error
		says       string
	}{
		{"missing", "nowhere", recording.Nezha, fs.ErrNotExist, "no such file or folder"},
		{"empty folder", "metric", recording.Nezha, recording.ErrEmpty, "no *_trace.csv or *_trace.csv.gz file in"},
		{"empty otlp folder", "metric", recording.OTLPJSON, recording.ErrEmpty, "*.jsonl"},
		{"format", "metric", "zipkin", recording.ErrFormat, `"zipkin"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := recording.Open(filepath.Join(dir, tt.path), tt.format)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	digest := func(files ...string) string {
		dir := t.TempDir()
		for i := 0; i < len(files); i += 2 {
			write(t, dir, files[i], files[i+1])
		}
		d, err := open(t, dir, recording.Nezha).Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := digest("a_trace.csv", "one", "b_trace.csv", "two")
	if len(base) != 64 || base != digest("a_trace.csv", "one", "b_trace.csv", "two", "other.txt", "x") {
		t.Errorf("digest %q differs for an equal recording elsewhere", base)
	}
	others := map[string]string{
		"content": digest("a_trace.csv", "one", "b_trace.csv", "twO"),
		"name":    digest("a_trace.csv", "one", "c_trace.csv", "two"),
		"moved":   digest("a_trace.csv", "onet", "b_trace.csv", "wo"),
	}
	for what, d := range others {
		if d == base {
			t.Errorf("digest does not see a changed %s", what)
		}
	}
}
