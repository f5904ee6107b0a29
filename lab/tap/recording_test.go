package tap_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/lab/tap"
)

func read(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatWasRecordedCanBeReplayed reads the folder as weir replay does.
func TestWhatWasRecordedCanBeReplayed(t *testing.T) {
	c := &collector{}
	address := c.start(t, "127.0.0.1:0")
	p, at := startTap(t, func(netip.Addr) string { return address })
	client := from(t, "127.0.0.1", at)
	export := func(spans int, fails bool) {
		if _, err := client.Export(t.Context(), request(spans)); (err != nil) != fails {
			t.Errorf("export: %v, want failure %t", err, fails)
		}
	}
	export(5, false) // before the recording
	dir := filepath.Join(t.TempDir(), "day")
	r, err := p.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Record(t.TempDir()); !errors.Is(err, tap.ErrRecording) {
		t.Errorf("a second recording: %v", err)
	}
	export(0, false)
	export(2, false)
	p.Refuse(func(tap.Sender) bool { return true })
	export(3, true)
	p.Refuse(nil)
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			for range 50 {
				export(1, false)
			}
		})
	}
	senders.Wait()
	if err := errors.Join(r.Stop(), r.Stop()); err != nil {
		t.Fatal(err)
	}
	export(7, false) // after it

	day, err := recording.Open(dir, recording.OTLPJSON)
	if err != nil {
		t.Fatal(err)
	}
	spans := 0
	for request, err := range day.Requests(t.Context(), recording.ReadConfig{Bad: func(b recording.BadRow) { t.Error(b.Reason) }}) {
		if err != nil {
			t.Fatal(err)
		}
		spans += request.Traces.SpanCount()
	}
	if spans != 2+3+1000 {
		t.Errorf("%d spans, want 1005", spans)
	}
	lines := strings.Split(read(t, filepath.Join(dir, "traces.jsonl.gz")), "\n")
	if len(lines) != 1003 || !strings.HasPrefix(lines[1], `{"failed":"Unavailable: refused by the lab","resourceSpans":[`) ||
		strings.Contains(lines[0], "failed") {
		t.Errorf("%d lines; %.100q, %.100q", len(lines), lines[0], lines[1])
	}
	if read(t, filepath.Join(dir, "logs.jsonl.gz")) != "" || read(t, filepath.Join(dir, "metrics.jsonl.gz")) != "" {
		t.Error("spans among logs or metrics")
	}
}

func TestARecordingIsNotOverwritten(t *testing.T) {
	p, _ := startTap(t, func(netip.Addr) string { return "" })
	dir := t.TempDir()
	r, err := p.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Record(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that files are there already", err)
	}
	other, err := p.Record(t.TempDir())
	if err != nil {
		t.Errorf("elsewhere: %v", err)
	}
	_ = other // Close of the tap ends it
}
