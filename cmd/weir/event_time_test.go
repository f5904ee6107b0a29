package main_test

import (
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/recording"
)

// TestLastWeekBesideLive sends what happened last week while what happens now comes in, with hosts whose clocks are wrong and rows that come
// late in both: each counts in its own windows, and the past holds nothing up.
func TestLastWeekBesideLive(t *testing.T) {
	t.Parallel()
	const minutes = 10
	now := time.Now().UTC().Add(-2 * minutes * time.Minute).Truncate(time.Minute)
	if now.Add(minutes*time.Minute).Day() != now.Day() { // a recording of this form ends with its day
		now = now.Add(-minutes * time.Minute)
	}
	day := func(seed uint64, start time.Time) (string, recording.Truth) {
		return generate(t, "nezha", func(c *recording.Config) {
			c.Seed, c.Calls, c.Minutes, c.Start, c.Skewed, c.Late = seed, 12_000, minutes, start, 0.2, 0.01
		})
	}
	live, truth := day(1, now)
	past, truthOfPast := day(2, now.AddDate(0, 0, -7))
	dir, address := t.TempDir(), freePort(t)
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", address, "--http", freePort(t))
	running(t, dir)
	sent := make(chan error, 2)
	for _, path := range []string{live, past} {
		go func() { sent <- sendAll(t, t.Context(), address, path, func(int) {}) }()
	}
	for range 2 {
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	if again := replay(t, dir, "nezha", past); again.Calls != 0 {
		t.Errorf("the past counts again: %+v", again)
	}
	settle(t, p, dir, live)
	truth.Windows = slices.Concat(truth.Windows, truthOfPast.Windows)
	truth.EdgeWindows = slices.Concat(truth.EdgeWindows, truthOfPast.EdgeWindows)
	checkCounts(t, dir, truth)
}
