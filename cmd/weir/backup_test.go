package main_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/sim/recording"
)

// TestARestoredStoreCountsWhatItLacks: the store goes back to a time when only half was counted, while the log and its positions are at the end.
func TestARestoredStoreCountsWhatItLacks(t *testing.T) {
	t.Parallel()
	half, _ := generate(t, "nezha", func(c *recording.Config) { c.Calls = 3_000 })
	other, _ := generate(t, "nezha", func(c *recording.Config) { c.Calls, c.Seed = 4_000, 99 })
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "monday")
	replay(t, dir, "nezha", half)
	before := query(t, dir, fingerprints)
	runWeir(t, 0, "backup", "--data-dir", dir, "--to", backup)
	replay(t, dir, "nezha", other)
	want := query(t, dir, fingerprints)
	if reflect.DeepEqual(want, before) {
		t.Fatal("the second half changed nothing")
	}

	runWeir(t, 0, "restore", "--data-dir", dir, "--from", backup, "--store")
	if got := query(t, dir, fingerprints); !reflect.DeepEqual(got, before) {
		t.Fatalf("the restored store counts %v, it had counted %v", got, before)
	}
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	running(t, dir)
	await(t, "what came after the backup", func() bool { return reflect.DeepEqual(query(t, dir, fingerprints), want) })
	_, stderr := runWeir(t, 1, "backup", "--data-dir", dir, "--to", backup+"2")
	if !strings.Contains(stderr, "in use by") {
		t.Errorf("a backup of a directory that is used says %q", stderr)
	}
	p.stop(t)

	whole := filepath.Join(t.TempDir(), "new")
	runWeir(t, 0, "restore", "--data-dir", whole, "--from", backup)
	if got := query(t, whole, fingerprints); !reflect.DeepEqual(got, before) {
		t.Errorf("the restored directory counts %v, it had counted %v", got, before)
	}
	runWeir(t, 1, "restore", "--data-dir", whole, "--from", backup) // it holds data now
	if err := os.Remove(filepath.Join(backup, "backup.json")); err != nil {
		t.Fatal(err)
	}
	_, stderr = runWeir(t, 1, "restore", "--data-dir", whole+"2", "--from", backup)
	if !strings.Contains(stderr, "not finished") {
		t.Errorf("a backup without its manifest says %q", stderr)
	}
	replay(t, whole, "nezha", other) // and what comes is counted
	if got := query(t, whole, sum); !reflect.DeepEqual(got, query(t, dir, sum)) {
		t.Errorf("the restored directory has %s calls after the other half, want %s", got, query(t, dir, sum))
	}
}
