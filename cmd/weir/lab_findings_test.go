package main_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// Findings need half an hour of history, which no recording that is kept here has. So half an hour is made of copies of one: the same
// requests of a real mesh, again and again, each time with other trace ids and later times.
const (
	everyCopy     = 30 * time.Second // longer than a recording
	healthyCopies = 80
	faultyCopies  = 6
)

// TestAFaultOfTheLabIsFound: forty minutes of a healthy mesh lead to no finding, and a bad release after them to one about that version.
func TestAFaultOfTheLabIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "traces.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(out)
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	recordings := filepath.Join("..", "..", "lab", "testdata", "recordings")
	copyRecording(t, packed, filepath.Join(recordings, "healthy"), start, 0, healthyCopies)
	fault := start.Add(healthyCopies * everyCopy)
	copyRecording(t, packed, filepath.Join(recordings, "bad-release"), fault, healthyCopies, faultyCopies)
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	s := replay(t, data, "otlp-json", dir)
	t.Logf("%+v", s)
	found := query(t, data, "SELECT workload, kind, toUnixTimestamp(started_at), explanation FROM findings ORDER BY started_at")
	about := 0
	for _, f := range found {
		t.Log(f)
		began, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if time.Unix(began, 0).Before(fault) {
			t.Errorf("a finding about the healthy mesh: %q", f)
		}
		if f[0] == "catalog" {
			about++
		}
	}
	if about == 0 {
		t.Error("half of the answers of catalog v2 were errors, and nothing was found")
	}
}

// Fields of OTLP/JSON that are moved.
func moved() *regexp.Regexp {
	return regexp.MustCompile(`"(startTimeUnixNano|endTimeUnixNano|timeUnixNano)":"(\d+)"|"traceId":"([0-9a-f]{8})`)
}

// copyRecording writes the spans of a recording n times, the first copy from start on. first numbers the copies.
func copyRecording(t *testing.T, out io.Writer, dir string, start time.Time, first, n int) {
	t.Helper()
	lines := linesOf(t, filepath.Join(dir, "traces.jsonl.gz"))
	fields, begins := moved(), int64(math.MaxInt64)
	for _, line := range lines {
		for _, m := range fields.FindAllStringSubmatch(line, -1) {
			if at, err := strconv.ParseInt(m[2], 10, 64); err == nil && at > 0 {
				begins = min(begins, at)
			}
		}
	}
	for i := range n {
		shift := start.Add(time.Duration(i)*everyCopy).UnixNano() - begins
		for _, line := range lines {
			text := fields.ReplaceAllStringFunc(line, func(field string) string { return move(fields, field, shift, uint32(first+i)) })
			if _, err := fmt.Fprintln(out, text); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// move shifts a time, or changes the beginning of a trace id.
func move(fields *regexp.Regexp, field string, shift int64, number uint32) string {
	m := fields.FindStringSubmatch(field)
	if m[1] == "" {
		id, _ := strconv.ParseUint(m[3], 16, 32) // it matched
		return fmt.Sprintf(`"traceId":"%08x`, uint32(id)^number)
	}
	at, _ := strconv.ParseInt(m[2], 10, 64) // it matched
	return fmt.Sprintf(`"%s":"%d"`, m[1], at+shift)
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	scan := bufio.NewScanner(unpacked)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		lines = append(lines, scan.Text())
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}
