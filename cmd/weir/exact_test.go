package main_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// suffixes of the views by window length in seconds.
func suffixes() map[int64]string { return map[int64]string{10: "", 60: "_1m", 3600: "_1h"} }

// checkCounts compares every window and edge that the store has with the independent count: calls and errors exactly, percentiles within
// half a bucket of the exact nearest rank.
func checkCounts(t *testing.T, dir string, truth recording.Truth) {
	t.Helper()
	checkWindows(t, dir, truth)
	checkEdges(t, dir, truth)
}

func checkWindows(t *testing.T, dir string, truth recording.Truth) {
	t.Helper()
	want := map[string]recording.WindowCount{}
	for _, w := range truth.Windows {
		want[fmt.Sprintf("%d %d %s", w.Seconds, w.Start, w.Workload)] = w
	}
	seen := 0
	for seconds, suffix := range suffixes() {
		sql := "SELECT toUnixTimestamp(window_start), workload, sum(calls), sum(errors), " +
			"weirQuantile(0.5, sumMap(histogram)), weirQuantile(0.95, sumMap(histogram)), weirQuantile(0.99, sumMap(histogram)) " +
			"FROM service_windows" + suffix + " GROUP BY 1, 2"
		for _, row := range query(t, dir, sql) {
			key := fmt.Sprintf("%d %s %s", seconds, row[0], row[1])
			w, ok := want[key]
			if !ok {
				t.Errorf("window %s: has %s calls, should not be there", key, row[2])
				continue
			}
			seen++
			if row[2] != strconv.Itoa(w.Calls) || row[3] != strconv.Itoa(w.Errors) {
				t.Errorf("window %s: %s calls and %s errors, want %d and %d", key, row[2], row[3], w.Calls, w.Errors)
			}
			for i, exact := range []int64{int64(w.P50), int64(w.P95), int64(w.P99)} {
				checkQuantile(t, key, row[4+i], exact)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d windows are there", seen, len(want))
	}
}

// checkQuantile allows 2.5 %, and nothing at zero.
func checkQuantile(t *testing.T, key, text string, exact int64) {
	t.Helper()
	got, err := strconv.ParseFloat(text, 64)
	want := float64(exact) / 1e6
	if err != nil || math.Abs(got-want) > 0.025*want {
		t.Errorf("window %s: quantile %s ms, exact is %g ms", key, text, want)
	}
}

func checkEdges(t *testing.T, dir string, truth recording.Truth) {
	t.Helper()
	want := map[string]recording.EdgeCount{}
	for _, e := range truth.EdgeWindows {
		want[fmt.Sprintf("%d %d %s>%s", e.Seconds, e.Start, e.Source, e.Destination)] = e
	}
	seen := 0
	for seconds, suffix := range suffixes() {
		sql := "SELECT toUnixTimestamp(window_start), source_workload, destination_workload, sum(calls), sum(errors) FROM edge_windows" +
			suffix + " GROUP BY 1, 2, 3"
		for _, row := range query(t, dir, sql) {
			key := fmt.Sprintf("%d %s %s>%s", seconds, row[0], row[1], row[2])
			e, ok := want[key]
			if !ok {
				t.Errorf("edge %s: has %s calls, should not be there", key, row[3])
				continue
			}
			seen++
			if row[3] != strconv.Itoa(e.Calls) || row[4] != strconv.Itoa(e.Errors) {
				t.Errorf("edge %s: %s calls and %s errors, want %d and %d", key, row[3], row[4], e.Calls, e.Errors)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d edges are there", seen, len(want))
	}
}

func checkSummary(t *testing.T, got summary, truth recording.Truth) {
	t.Helper()
	want := summary{
		SpansRead: truth.Rows + truth.Bad, SpansSent: truth.Rows, SpansDuplicate: truth.Duplicates, Calls: truth.Calls,
		Orphans: truth.Orphans, DeadLetters: truth.Bad, Windows: got.Windows,
	}
	if got != want || got.Windows == 0 {
		t.Errorf("summary is %+v, want %+v", got, want)
	}
}

func TestReplayIsExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, format string
		mutations    []recording.Mutation
	}{
		{name: "Nezha", format: "nezha"},
		{name: "OTLP", format: "otlp-json"},
		{name: "mutated Nezha", format: "nezha", mutations: everything()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, truth := generate(t, tt.format, func(c *recording.Config) { c.Calls = 30_000 })
			if tt.mutations != nil {
				mutated := t.TempDir()
				if _, err := recording.Mutate(path, mutated, 7, tt.mutations...); err != nil {
					t.Fatal(err)
				}
				path, truth = mutated, count(t, mutated)
			}
			dir := t.TempDir()
			checkSummary(t, replay(t, dir, tt.format, path), truth)
			checkCounts(t, dir, truth)
		})
	}
}

// shared is the folder of real recordings, beside the repository unless WEIR_SHARED names another.
func shared() string {
	if dir := os.Getenv("WEIR_SHARED"); dir != "" {
		return dir
	}
	return "../../../shared"
}

// TestRealDaysAreExact replays the real recordings where they are.
func TestRealDaysAreExact(t *testing.T) {
	t.Parallel()
	days, err := filepath.Glob(filepath.Join(shared(), "data/nezha-rca/*/trace"))
	if err != nil || len(days) == 0 {
		t.Skip("no real recordings in " + shared() + " (set WEIR_SHARED)")
	}
	for _, day := range days {
		name := filepath.Base(filepath.Dir(day))
		t.Run(name, func(t *testing.T) { checkNezha(t, day) })
		t.Run(name+" mutated", func(t *testing.T) {
			mutated := t.TempDir()
			if _, err := recording.Mutate(day, mutated, 11, everything()...); err != nil {
				t.Fatal(err)
			}
			checkNezha(t, mutated)
		})
	}
}

// TestYourRecordingIsExact replays the Nezha recording that WEIR_TEST_RECORDING names, for whoever wants to see it on data of their own.
func TestYourRecordingIsExact(t *testing.T) {
	path := os.Getenv("WEIR_TEST_RECORDING")
	if path == "" {
		t.Skip("WEIR_TEST_RECORDING names no recording")
	}
	checkNezha(t, path)
}

func checkNezha(t *testing.T, path string) {
	t.Helper()
	truth := count(t, path)
	dir := t.TempDir()
	checkSummary(t, replay(t, dir, "nezha", path), truth)
	checkCounts(t, dir, truth)
}

// everything is all that can befall a recording.
func everything() []recording.Mutation {
	return []recording.Mutation{
		recording.DropParents(0.02), recording.Double(0.05), recording.SkewHosts(0.1), recording.Late(0.01), recording.Shuffle(),
	}
}

func TestReplayOnceOnly(t *testing.T) {
	t.Parallel()
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 2_000 })
	dir := t.TempDir()
	replay(t, dir, "nezha", path)
	_, stderr := runWeir(t, 1, "replay", "--data-dir", dir, "--format", "nezha", path)
	if want := "already replayed on"; !contains(stderr, want) {
		t.Errorf("second replay says %q, want %q in it", stderr, want)
	}
	again := replay(t, dir, "nezha", path, "--again")
	if again.Calls != 0 || again.SpansDuplicate != truth.Rows {
		t.Errorf("replayed again: %+v, want no new calls and %d duplicates", again, truth.Rows)
	}
	if resumed := replay(t, dir, "nezha", path, "--resume"); resumed.Calls != 0 {
		t.Errorf("resumed after the end: %+v, want no new calls", resumed)
	}
	checkCounts(t, dir, truth)
}
