package main_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// fingerprints is what was counted of each table, day and partition.
const (
	fingerprints = "SELECT table, day, source, windows, calls, hash FROM fingerprints ORDER BY table, day, source"
	sum          = "SELECT sum(calls) FROM service_windows"
)

// TestTwoCountsOfOneLogAreIdentical counts a log a second time: by another group, with a flush for every message, killed in the middle.
func TestTwoCountsOfOneLogAreIdentical(t *testing.T) {
	t.Parallel()
	path, _ := generate(t, "nezha", func(c *recording.Config) { c.Calls = 4_000 })
	mutated := t.TempDir()
	if _, err := recording.Mutate(path, mutated, 5, everything()...); err != nil {
		t.Fatal(err)
	}
	first, second := t.TempDir(), t.TempDir()
	replay(t, first, "nezha", mutated)
	want, all := query(t, first, fingerprints), query(t, first, sum)[0][0]
	if len(want) < 9 {
		t.Fatalf("fingerprints are %v", want)
	}
	if err := os.CopyFS(filepath.Join(second, "broker"), os.DirFS(filepath.Join(first, "broker"))); err != nil {
		t.Fatal(err)
	}
	config := settings(t, "kafka: {group: second}\nfeatures: {max_rows: 1, flush_interval: 10ms}\n")
	up := func() *process {
		return startWeir(t, append([]string{"up", "--data-dir", second, "--grpc", freePort(t), "--http", freePort(t)}, config...)...)
	}
	middle := 0
	for seen := 0; middle < 2; {
		p := up()
		running(t, second)
		before := seen
		await(t, "more calls", func() bool {
			seen, _ = strconv.Atoi(query(t, second, sum)[0][0])
			return seen > before
		})
		p.kill(t, true)
		if middle++; strconv.Itoa(seen) == all {
			t.Fatalf("all calls were counted before kill %d: the recording is too short", middle)
		}
	}
	up()
	running(t, second)
	await(t, "the last call", func() bool { return query(t, second, sum)[0][0] == all })
	await(t, "the same fingerprints", func() bool { return reflect.DeepEqual(query(t, second, fingerprints), want) })
}
