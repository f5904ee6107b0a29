package main_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sized is what the test reads of `weir size -o json`.
type sized struct {
	Sample struct {
		CallsPerSecond float64 `json:"calls_per_second"`
		Workloads      int     `json:"workloads"`
	} `json:"sample"`
	Tables, Topics []struct {
		Name        string
		RowsPerDay  float64                     `json:"rows_per_day"`
		BytesPerRow struct{ Low, High float64 } `json:"bytes_per_row"`
	}
	Store struct{ Low, High float64 } `json:"store_bytes"`
	Log   struct{ Low, High float64 } `json:"log_bytes"`
	Total struct{ Low, High float64 } `json:"total_bytes"`
	Month struct{ Low, High float64 }
}

func sizeOf(t *testing.T, dir string, args ...string) (s sized) {
	t.Helper()
	out, _ := runWeir(t, 0, append([]string{"size", "--data-dir", dir, "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

// TestSizeIsWhatAnHourTook estimates from ten minutes and compares with what the hour really took.
func TestSizeIsWhatAnHourTook(t *testing.T) {
	scenario, dir := filepath.Join(t.TempDir(), "hour.yaml"), filepath.Join(t.TempDir(), "data")
	text := "seed: 3\nstart: 2026-03-03T08:00:00Z\nlength: 1h\nload: {daily: 0, growth: 0}\nevents: []\nfaults: []\n"
	if err := os.WriteFile(scenario, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	runWeir(t, 0, "sim", "run", "--scenario", scenario, "--data-dir", dir)
	s := sizeOf(t, dir, "--to", "2026-03-03T08:40:00Z", "--replicas", "2", "--log-copies", "3", "--price-disk-gb-month", "0.1")
	if len(s.Tables) < 10 {
		t.Errorf("%d tables", len(s.Tables))
	}
	if s.Sample.Workloads != 7 || s.Sample.CallsPerSecond < 5 {
		t.Errorf("the sample has %+v", s.Sample)
	}
	seen, rows := map[string]bool{}, map[string]float64{}
	var counts []string
	for _, name := range []string{"service_10s", "service_1m", "edge_10s", "edge_1m", "instance_10s", "instance_1m", "samples"} {
		counts = append(counts, "SELECT '"+name+"', count() FROM "+name+" FINAL")
	}
	for _, row := range query(t, dir, strings.Join(counts, " UNION ALL ")) {
		rows[row[0]], _ = strconv.ParseFloat(row[1], 64)
	}
	for _, table := range s.Tables {
		seen[table.Name] = true
		hour := rows[table.Name]
		if day := 24 * hour; day > 0 && math.Abs(table.RowsPerDay/day-1) > 0.1 {
			t.Errorf("%s: %.0f rows a day are estimated, an hour took %.0f", table.Name, table.RowsPerDay, hour)
		}
		if table.BytesPerRow.Low <= 0 || table.BytesPerRow.High < table.BytesPerRow.Low {
			t.Errorf("%s: %+v bytes a row", table.Name, table.BytesPerRow)
		}
	}
	for _, name := range []string{"service_10s", "edge_1m", "instance_1h", "samples"} {
		if !seen[name] {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if want := 2*s.Store.High + 3*s.Log.High; s.Log.High <= 0 || math.Abs(s.Total.High/want-1) > 1e-9 || math.Abs(s.Month.High/(want/1e10)-1) > 1e-9 {
		t.Errorf("total %v and month %v of store %v and log %v", s.Total, s.Month, s.Store, s.Log)
	}
	more := sizeOf(t, dir, "--to", "2026-03-03T08:40:00Z", "--workloads", "700")
	if factor := more.Store.High / s.Store.High; factor < 90 || factor > 110 {
		t.Errorf("a hundred times the workloads take %.1f times the store", factor)
	}
	out, _ := runWeir(t, 0, "size", "--data-dir", dir, "--price-disk-gb-month", "0.1", "--currency", "EUR")
	for _, want := range []string{"7 workloads", "service_10s", "weir.calls", "EUR a month"} {
		if !strings.Contains(out, want) {
			t.Errorf("weir size does not say %q:\n%s", want, out)
		}
	}
	runWeir(t, 1, "size", "--data-dir", dir, "--to", "2020-01-01T00:00:00Z")
	for _, args := range [][]string{{"-o", "xml"}, {"--from", "yesterday"}, {"--replicas", "0"}, {"--workloads", "-1"}, {"extra"}} {
		runWeir(t, 4, append([]string{"size", "--data-dir", dir}, args...)...)
	}
	startWeir(t, "up", "--data-dir", dir, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ops", "127.0.0.1:0")
	running(t, dir)
	live := sizeOf(t, dir, "--to", "2026-03-03T08:40:00Z")
	if len(live.Topics) != 2 || live.Topics[0].BytesPerRow.Low <= 0 || live.Topics[0].BytesPerRow.High <= live.Topics[0].BytesPerRow.Low {
		t.Errorf("topics of a Weir that runs: %+v", live.Topics)
	}
}
