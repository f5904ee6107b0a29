package smoothing_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/backtest"
)

// load reads a recorded load a minute, NaN where it is missing: requests of the NASA and World Cup 98 web sites, and loads of Crane's test
// clusters. It looks in WEIR_SHARED, or in `shared` beside the repository, and skips the test where there is none.
func load(t testing.TB, name string) []float64 {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	folder := "http-nasa-wc98"
	if strings.HasPrefix(name, "input") {
		folder = "crane-metrics"
	}
	f, err := os.Open(filepath.Join(root, "data", folder, name+".csv.gz"))
	if err != nil {
		t.Skipf("no recorded series (set WEIR_SHARED): %v", err)
	}
	defer f.Close()
	values, err := read(f)
	if err != nil {
		t.Fatalf("read %s: %v", f.Name(), err)
	}
	return values
}

func read(f *os.File) ([]float64, error) {
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var times []time.Time
	var values []float64
	lines := bufio.NewScanner(unzipped)
	lines.Scan() // the header
	for lines.Scan() {
		at, value, err := row(lines.Text())
		if err != nil {
			return nil, err
		}
		times, values = append(times, at), append(values, value)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return backtest.Align(time.Minute, times, values)
}

// row is "time,value", the time in Unix seconds or written out.
func row(line string) (time.Time, float64, error) {
	stamp, number, ok := strings.Cut(strings.TrimSpace(line), ",")
	if !ok {
		return time.Time{}, 0, fmt.Errorf("row %q has no comma", line)
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return time.Time{}, 0, err
	}
	if seconds, err := strconv.ParseInt(stamp, 10, 64); err == nil {
		return time.Unix(seconds, 0), value, nil
	}
	at, err := time.Parse(time.DateTime, stamp)
	return at, value, err
}
