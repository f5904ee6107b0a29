package recording_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirmesh/weir/ingest/recording"
)

const header = "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n"

// write makes a file in dir and returns its path.
func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zip(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func open(t testing.TB, path string, format recording.Format) *recording.Recording {
	t.Helper()
	rec, err := recording.Open(path, format)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// readAll returns every request and bad row from skip on.
func readAll(t testing.TB, rec *recording.Recording, skip int) ([]recording.Request, []recording.BadRow) {
	t.Helper()
	var reqs []recording.Request
	var bad []recording.BadRow
	cfg := recording.ReadConfig{Skip: skip, Bad: func(b recording.BadRow) { bad = append(bad, b) }}
	for req, err := range rec.Requests(t.Context(), cfg) {
		if err != nil {
			t.Fatal(err)
		}
		reqs = append(reqs, req)
	}
	return reqs, bad
}

// sharedDay is a real recording, or the test is skipped.
func sharedDay(t testing.TB, day string) string {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(root, "data", "nezha-rca", day)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real recording (set WEIR_SHARED): %v", err)
	}
	return path
}
