package embedded_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/klauspost/compress/zstd"
)

func asException(err error) (*clickhouse.Exception, bool) {
	var ex *clickhouse.Exception
	ok := errors.As(err, &ex)
	return ex, ok
}

const parts = "SELECT count(), sum(rows) FROM system.parts WHERE table = 'p' AND active"

// TestOnePart proves that one insert becomes one part, whatever its size and way.
func TestOnePart(t *testing.T) {
	c := start(t, options(t))
	ask(t, c, "CREATE TABLE p (service LowCardinality(String), n UInt64, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY n")
	ask(t, c, "SYSTEM STOP MERGES p")
	for _, size := range []struct{ rows, batches int }{{1, 1}, {300_000, 1}, {1_500_000, 1}, {100_000, 30}} {
		data := arrowStream(t, size.rows, size.batches)
		for _, sql := range []string{
			"INSERT INTO p (service, n) FORMAT ArrowStream",
			"INSERT INTO p (service, n) SETTINGS max_block_size = 1000 FORMAT ArrowStream",
			"INSERT INTO p (service, n) SELECT service, n FROM input('n UInt64, service String') FORMAT ArrowStream",
			"INSERT INTO p (service, n) SELECT service, n FROM input('n UInt64, service String') WHERE n >= (SELECT 0) SETTINGS max_block_size = 1000 FORMAT ArrowStream",
		} {
			ask(t, c, "TRUNCATE TABLE p")
			if r := post(t, c, bytes.NewReader(data), "query", sql); r.status != http.StatusOK {
				t.Fatalf("%s: %d %s", sql, r.status, r.body)
			}
			if got, wanted := ask(t, c, parts), fmt.Sprintf("1\t%d", size.rows*size.batches); got != wanted {
				t.Errorf("%s, %v: parts and rows %s, want %s", sql, size, got, wanted)
			}
		}
	}
}

func TestInsertFormats(t *testing.T) {
	o := options(t)
	c := start(t, o)
	ask(t, c, "CREATE TABLE f (s String, n UInt64) ENGINE = MergeTree ORDER BY n")
	for _, test := range []struct{ query, body string }{
		{"INSERT INTO f FORMAT CSV", "a,1\nb,2\n"},
		{"INSERT INTO f FORMAT CSVWithNames", "n,s\n1,a\n2,b\n"},
		{"INSERT INTO f (n, s) FORMAT TabSeparated\n", "1\ta\n2\tb\n"},
		{"INSERT INTO f FORMAT JSONEachRow;", `{"s":"a","n":1}` + "\n" + `{"n":2,"s":"b"}`},
		{"", "INSERT INTO f FORMAT JSONEachRow {\"s\":\"a\",\"n\":1}\n{\"n\":2,\"s\":\"b\"}"},
		{"", "/* FORMAT CSV */ INSERT INTO f -- FORMAT CSV\n(n, s) FORMAT CSV\n1,a\n2,b\n"},
		{"", "INSERT INTO f VALUES ('a', 1), ('b', 2)"},
		{"INSERT INTO f VALUES", "('a', 1), ('b', 2)"},
		{"INSERT INTO f FORMAT Values", "('a', 1), ('b', 2)"},
		{"INSERT INTO f SELECT upper(x), y FROM input('x String, y UInt64') FORMAT CSV", "a,1\nb,2\n"},
		{"INSERT INTO f SELECT ['a', 'b'][number + 1], number + 1 FROM numbers(2)", ""},
	} {
		r := post(t, c, strings.NewReader(test.body), "query", test.query)
		if r.status != http.StatusOK {
			t.Errorf("%q %q: %d %s", test.query, test.body, r.status, r.body)
		}
		want(t, strings.ToLower(ask(t, c, "SELECT s, n FROM f ORDER BY n")), "a\t1\nb\t2")
		ask(t, c, "TRUNCATE TABLE f")
	}
	noScratch(t, o)
}

func noScratch(t *testing.T, o childOptions) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(o.Dir, "scratch", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in scratch: %v %v", left, err)
	}
}

func TestInsertEncodings(t *testing.T) {
	c := start(t, options(t))
	ask(t, c, "CREATE TABLE e (n UInt64) ENGINE = MergeTree ORDER BY n")
	var zipped, packed bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	zw, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{gz, zw} {
		if _, err := io.WriteString(w, "INSERT INTO e FORMAT CSV\n1\n2\n"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for encoding, body := range map[string]*bytes.Buffer{"gzip": &zipped, "zstd": &packed} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Encoding", encoding)
		if r := do(t, req); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", encoding, r.status, r.body)
		}
	}
	want(t, ask(t, c, "SELECT count(), sum(n) FROM e"), "4\t6")
}

// TestInsertCutOff sends half a body: nothing may be inserted, nothing may stay.
func TestInsertCutOff(t *testing.T) {
	o := options(t)
	o.Server.MaxBody = 1 << 20
	c := start(t, o)
	ask(t, c, "CREATE TABLE h (n UInt64) ENGINE = MergeTree ORDER BY n")
	broken := io.MultiReader(strings.NewReader(strings.Repeat("1\n", 100_000)), failingReader{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/?"+
		query([]string{"query", "INSERT INTO h FORMAT CSV"}), broken)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if res, err := transport.RoundTrip(req); err == nil {
		res.Body.Close()
		t.Error("half a body was accepted")
	}
	r := post(t, c, strings.NewReader(strings.Repeat("1\n", 1<<20)), "query", "INSERT INTO h FORMAT CSV")
	if r.status != http.StatusRequestEntityTooLarge || r.header.Get("X-ClickHouse-Exception-Code") != "307" {
		t.Errorf("too long: %d %s", r.status, r.body)
	}
	r = post(t, c, strings.NewReader("1\nx\n"), "query", "INSERT INTO h FORMAT CSV")
	if r.status != http.StatusBadRequest || !strings.Contains(r.body, "Code: 27") && !strings.Contains(r.body, "Code: 117") {
		t.Errorf("garbage: %d %s", r.status, r.body)
	}
	want(t, ask(t, c, "SELECT count() FROM h"), "0")
	// The cut-off request ends by itself; its file is the last thing to go.
	stop(t, c)
	noScratch(t, o)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, os.ErrClosed }

func TestScratchEmptiedAtStart(t *testing.T) {
	o := options(t)
	dir := filepath.Join(o.Dir, "scratch")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "insert-old"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	start(t, o)
	noScratch(t, o)
}
