package main_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTroubleIsSaidClearly(t *testing.T) {
	busy := listen(t, "127.0.0.1:0")
	defer busy.Close()
	address := busy.Addr().String()
	held := t.TempDir()
	startWeir(t, "up", "--data-dir", held, "--grpc", freePort(t), "--http", freePort(t))
	running(t, held)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		code int
		says string
		args []string
	}{
		{"busy gRPC port", 1, address, []string{"up", "--data-dir", t.TempDir(), "--grpc", address, "--http", freePort(t)}},
		{"busy HTTP port", 1, address, []string{"up", "--data-dir", t.TempDir(), "--grpc", freePort(t), "--http", address}},
		{"busy ops port", 1, "already listens on " + address, []string{"up", "--data-dir", t.TempDir(), "--ops", address}},
		{"second weir", 1, "in use by weir up", []string{"up", "--data-dir", held, "--grpc", freePort(t), "--http", freePort(t)}},
		{"missing library", 1, "no-such-library.so", []string{"up", "--data-dir", t.TempDir(), "--library", "no-such-library.so"}},
		{"data dir is a file", 1, file, []string{"up", "--data-dir", file}},
		{"open to the world", 4, "--insecure", []string{"up", "--data-dir", t.TempDir(), "--grpc", "0.0.0.0:14317"}},
		{"nothing to query", 1, "there is no data in", []string{"query", "--data-dir", filepath.Join(t.TempDir(), "none"), "SELECT 1"}},
		{"nothing runs", 1, "no Weir runs on", []string{"status", "--data-dir", t.TempDir()}},
		{"no recording", 1, "no such file", []string{"replay", "--data-dir", t.TempDir(), "--format", "nezha", "no-such-folder"}},
		{"unknown format", 4, "nezha or otlp-json", []string{"replay", "--data-dir", t.TempDir(), "--format", "zip", "x"}},
		{"no Kafka", 4, "--kafka", []string{"collector"}},
		{"Kafka away", 1, "no Kafka broker answers", []string{"collector", "--kafka", "127.0.0.1:1", "--wait", "1s"}},
		{"ClickHouse away", 1, "no ClickHouse answers", []string{"up", "--data-dir", t.TempDir(), "--clickhouse", "127.0.0.1:1", "--wait", "1s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := runWeir(t, tt.code, tt.args...)
			if !contains(stderr, tt.says) {
				t.Errorf("says %q, want %q in it", stderr, tt.says)
			}
		})
	}
}

// TestGarbageInARecording shows that rows which cannot be read go to the dead letter, and cost their neighbours nothing.
func TestGarbageInARecording(t *testing.T) {
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 1_000 })
	files, err := filepath.Glob(filepath.Join(path, "trace", "*.csv.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	garbage := "\x00\x01 not a row\na,b\n"
	if err := os.WriteFile(filepath.Join(path, "trace", "23_59_trace.csv"), []byte(garbage), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := replay(t, dir, "nezha", path)
	if s.DeadLetters != 2 || s.Calls != truth.Calls {
		t.Errorf("summary is %+v, want 2 dead letters and %d calls", s, truth.Calls)
	}
	out, _ := runWeir(t, 0, "deadletter", "list", "--data-dir", dir)
	if !contains(out, "23_59_trace.csv") || !contains(out, "replay") {
		t.Errorf("dead letters are\n%s", out)
	}
	checkCounts(t, dir, truth)
}
