package clickhouse_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/store/clickhouse"
)

// TestAnInsertWithoutRoomNeverBegins: with too little free disk a flush fails before any of it is written, and can be repeated.
func TestAnInsertWithoutRoomNeverBegins(t *testing.T) {
	c, cfg := open(t)
	cfg.MinFree = 1 << 60
	full, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	f := flush(0, 9, day, day+15*second)
	if err := full.Write(t.Context(), f); err == nil || !strings.Contains(err.Error(), "min_free_disk_bytes_to_perform_insert") {
		t.Errorf("error %v", err)
	}
	if got := calls(t, cfg); got != "0" {
		t.Errorf("%s calls are there", got)
	}
	write(t, c, f)
	if got := calls(t, cfg); got != "4" {
		t.Errorf("%s calls once there is room, want 4", got)
	}
}
