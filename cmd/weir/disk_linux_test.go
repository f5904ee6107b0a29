package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// TestFullDisk fills the disk while data flows: weir says so, waits, and goes on when there is room; nothing is lost or counted twice.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	config := settings(t, "broker: {min_free_mib: 0}\nclickhouse: {min_free_mib: 0}\n") // the disk shall be full, not nearly so
	path, truth := generate(t, "nezha", func(c *recording.Config) { c.Calls = 60_000 })
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=6m"); err != nil {
		t.Skip("no disk can be made small here (mounting needs root): ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir, address := filepath.Join(disk, "data"), freePort(t)
	p := startWeir(t, append([]string{"up", "--data-dir", dir, "--grpc", address, "--http", freePort(t)}, config...)...)
	at := running(t, dir)
	sent := make(chan error, 1)
	go func() { sent <- sendAll(t, t.Context(), address, path, func(int) {}) }()
	await(t, "the end of the disk", func() bool {
		resp, err := http.Get("http://" + at.Ops + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=400m"); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	settle(t, p, dir, path)
	// Whoever writes first finds out: the broker's log, or the engine.
	if said := p.stderr.String(); !contains(said, "no space left on device") && !contains(said, "not enough space") {
		t.Error("nobody said that the disk was full")
	}
	checkCounts(t, dir, truth)
	if entries, err := os.ReadDir(filepath.Join(dir, "clickhouse", "scratch")); err != nil || len(entries) > 0 {
		t.Errorf("scratch files are left: %v, %v", entries, err)
	}
}
