package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/store/embedded"
)

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// slow runs until it is killed.
const slow = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"

func TestFormats(t *testing.T) {
	c := start(t, options(t))
	const rows = 200_000 // several blocks
	sql := fmt.Sprintf("SELECT number FROM numbers(%d)", rows)
	for format, lines := range map[string]int{"TabSeparated": rows, "CSVWithNames": rows + 1, "JSONEachRow": rows, "JSONCompactEachRowWithNamesAndTypes": rows + 2} {
		want(t, strconv.Itoa(strings.Count(ask(t, c, sql+" FORMAT "+format)+"\n", "\n")), strconv.Itoa(lines))
	}
	r := post(t, c, strings.NewReader(sql), "default_format", "JSON")
	var doc struct {
		Rows int
		Data []any
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || doc.Rows != rows || len(doc.Data) != rows {
		t.Error(err, doc.Rows, len(doc.Data))
	}
	want(t, r.header.Get("X-ClickHouse-Format"), "JSON")
	if r := post(t, c, strings.NewReader("SELECT 1 AS one FORMAT JSON SETTINGS output_format_json_quote_64bit_integers = 0;")); !strings.Contains(r.body, `"one": 1`) {
		t.Error(r.body)
	}
	want(t, ask(t, c, "SELECT 'FORMAT JSON' AS format -- FORMAT JSON\n", "default_format", "CSV"), `"FORMAT JSON"`)
	// As with ClickHouse, a parameter's value has the escapes of TabSeparated.
	want(t, ask(t, c, "SELECT {x:String} || {y:String}", "param_x", "it's\\t", "param_y", "!"), `it\'s\t!`)
	for _, sql := range []string{
		"SHOW TABLES", "DESCRIBE (SELECT 1)", "EXISTS TABLE t", "EXPLAIN SELECT 1", "EXPLAIN AST SELECT 1",
		"WITH 1 AS x SELECT x", "(SELECT 1) UNION ALL (SELECT 2)", "SELECT 1 WHERE 0", "FROM numbers(2) SELECT number", "SHOW PROCESSLIST FORMAT JSON",
	} {
		ask(t, c, sql)
	}
	want(t, ask(t, c, "SELECT 1", "wait_end_of_query", "1"), "1")
	if s := post(t, c, strings.NewReader("SELECT sum(number) FROM numbers(1000)")).header.Get("X-ClickHouse-Summary"); !strings.Contains(s, `"read_rows":"1000"`) {
		t.Error(s)
	}
}

func TestErrors(t *testing.T) {
	c := start(t, options(t))
	for _, test := range []struct {
		sql, code string
		status    int
		params    []string
	}{
		{"SELEC 1", "62", 400, nil},
		{"SELECT FROM WHERE", "62", 400, nil},
		{"SELECT 1; DROP TABLE x", "62", 400, nil},
		{"", "62", 400, nil},
		{"-- nothing", "62", 400, nil},
		{"SELECT * FROM nowhere", "60", 404, nil},
		{"SELECT 1", "81", 404, []string{"database", "nowhere"}},
		{"SELECT 1", "115", 400, []string{"nonsense", "1"}},
		{"SELECT 1", "115", 400, []string{"a' = 1, b", "1"}},
		{"SELECT 1 INTO OUTFILE '/tmp/x'", "48", 501, nil},
		{"INSERT INTO t FROM INFILE '/tmp/x' FORMAT CSV", "48", 501, nil},
		{"SELECT * FROM file('/etc/passwd', LineAsString)", "497", 403, nil},
		{"SELECT * FROM `file`('/etc/passwd', LineAsString)", "497", 403, nil},
		{"INSERT INTO FUNCTION file('/tmp/x', CSV) SELECT 1", "497", 403, nil},
		{"DROP TABLE x", "164", 403, []string{"readonly", "1"}},
		{"SELECT 1", "48", 501, []string{"session_id", "x"}},
	} {
		r := post(t, c, strings.NewReader(test.sql), test.params...)
		if r.status != test.status || r.header.Get("X-ClickHouse-Exception-Code") != test.code || !strings.HasPrefix(r.body, "Code: "+test.code+". DB::Exception: ") {
			t.Errorf("%s: %d %q", test.sql, r.status, r.body)
		}
		if strings.Contains(r.body, "/dev/fd") {
			t.Errorf("%s: error shows what was not asked: %s", test.sql, r.body)
		}
	}
}

// TestErrorInMidStream fails after a million rows have been sent.
func TestErrorInMidStream(t *testing.T) {
	c := start(t, options(t))
	sql := "SELECT number, throwIf(number = 3000000, 'too far') FROM numbers(4000000) SETTINGS max_threads = 1, max_block_size = 10000"
	r := post(t, c, strings.NewReader(sql))
	tag := r.header.Get("X-ClickHouse-Exception-Tag")
	if r.status != http.StatusOK || r.err == nil || tag == "" ||
		!strings.Contains(r.body, "\r\n__exception__\r\n"+tag+"\r\nCode: 395. DB::Exception: too far") || !strings.HasSuffix(r.body, tag+"\r\n__exception__\r\n") {
		t.Errorf("%d, %v, ends %q", r.status, r.err, r.body[max(0, len(r.body)-500):])
	}
	rows, err := connect(t, c).Query(t.Context(), sql)
	for err == nil && rows.Next() {
	}
	if err == nil {
		err = rows.Err()
	}
	if ex, ok := asException(err); !ok || ex.Code != 395 {
		t.Errorf("driver says %v", err)
	}
	if r := post(t, c, strings.NewReader(sql), "wait_end_of_query", "1"); r.status != http.StatusInternalServerError {
		t.Errorf("waiting for the end: %d", r.status)
	}
}

// TestStreamBounded reads an answer of 10 million rows while the child's memory stays where it was.
func TestStreamBounded(t *testing.T) {
	c := start(t, options(t))
	ask(t, c, "SELECT sum(number) FROM numbers(10000000)")
	before := resident(t, c.PID())
	for _, format := range []string{"JSON", "Native"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/",
			strings.NewReader("SELECT number, toString(number) AS s FROM numbers(10000000) FORMAT "+format))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || n < 100<<20 {
			t.Fatalf("%s: %d bytes, %v", format, n, err)
		}
		if grown := resident(t, c.PID()) - before; grown > 150<<20 {
			t.Errorf("%s: %d MB more after %d MB", format, grown>>20, n>>20)
		}
	}
}

func resident(t testing.TB, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// The high-water mark, so that nothing is missed between two looks.
		if kb, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			return atoi(t, strings.TrimSuffix(kb, "kB")) << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// running waits until so many statements that contain text run.
func running(t testing.TB, c *embedded.Child, text string, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for atoi(t, ask(t, c, "SELECT count() FROM system.processes WHERE query LIKE '%"+text+"%' AND query NOT LIKE '%system.processes%'")) != n {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("test ended")
		}
	}
}

// TestClientGoesAway holds all reader slots but one, shows that others still get answers, and goes away.
func TestClientGoesAway(t *testing.T) {
	o := options(t)
	c := start(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	for range o.Server.Readers - 1 {
		clients.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Addr()+"/", strings.NewReader(slow))
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req); err == nil {
				res.Body.Close()
				t.Error("slow query answered")
			}
		})
	}
	running(t, c, "sipHash64", o.Server.Readers-1)
	ask(t, c, "CREATE TABLE other (n UInt64) ENGINE = MergeTree ORDER BY n")
	for range 20 {
		want(t, ask(t, c, "SELECT 1"), "1")
	}
	cancel()
	clients.Wait()
	running(t, c, "sipHash64", 0)
}

func TestTimeLimit(t *testing.T) {
	o := options(t)
	o.Server.MaxReadTime = 300 * time.Millisecond
	c := start(t, o)
	for _, params := range [][]string{nil, {"max_execution_time", "1000"}, {"max_execution_time", "0"}} {
		if r := post(t, c, strings.NewReader(slow), params...); r.header.Get("X-ClickHouse-Exception-Code") != "159" {
			t.Errorf("%v: %d %s", params, r.status, r.body)
		}
	}
	// SETTINGS in the query win over the engine's limit, but not over ours.
	if r := post(t, c, strings.NewReader(slow+" SETTINGS max_execution_time = 0")); r.header.Get("X-ClickHouse-Exception-Code") != "394" {
		t.Errorf("%d %s", r.status, r.body)
	}
	want(t, ask(t, c, "SELECT getSetting('max_execution_time') < 0.2", "max_execution_time", "0.1"), "1")
}

// TestQueue fills the only slot and the only place to wait.
func TestQueue(t *testing.T) {
	o := options(t)
	o.Server.Readers, o.Server.MaxWaiting = 1, 0
	c := start(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	client := make(chan struct{})
	go func() {
		defer close(client)
		// Again and again: at first it may itself be the one that finds the slot taken.
		for ctx.Err() == nil {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Addr()+"/", strings.NewReader(slow))
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req); err == nil {
				res.Body.Close()
			}
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for refused := false; !refused; <-tick.C {
		refused = post(t, c, strings.NewReader("SELECT 1")).header.Get("X-ClickHouse-Exception-Code") == "202"
	}
	cancel()
	<-client
	for answered := false; !answered; <-tick.C {
		answered = post(t, c, strings.NewReader("SELECT 1")).status == http.StatusOK
	}
}

func TestReadOnlyServer(t *testing.T) {
	o := options(t)
	o.Server.ReadOnly = true
	c := start(t, o)
	want(t, ask(t, c, "SELECT 1"), "1")
	for _, sql := range []string{
		"CREATE TABLE x (n Int8) ENGINE = Memory", "INSERT INTO x FORMAT CSV\n1", "SET max_threads = 1",
		"WITH 1 AS x INSERT INTO y SELECT x", "EXPLAIN SELECT 1 SETTINGS max_threads = 1 PARALLEL WITH DROP TABLE x",
	} {
		if r := post(t, c, strings.NewReader(sql)); r.status == http.StatusOK {
			t.Errorf("%s: %d %s", sql, r.status, r.body)
		}
	}
}

func TestForeignRequests(t *testing.T) {
	c := start(t, options(t))
	port := c.Addr()[strings.LastIndex(c.Addr(), ":"):]
	for _, test := range []struct {
		host, header, value string
		status              int
	}{
		{c.Addr(), "", "", 200},
		{"localhost" + port, "", "", 200},
		{"[::1]" + port, "", "", 200},
		{"evil.example" + port, "", "", 403},
		{"127.0.0.1.evil.example", "", "", 403},
		{"10.0.0.1" + port, "", "", 403},
		{c.Addr(), "Origin", "http://evil.example", 403},
		{c.Addr(), "Origin", "null", 403},
		{c.Addr(), "Origin", "http://" + c.Addr(), 200},
		{c.Addr(), "Sec-Fetch-Site", "cross-site", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/", strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = test.host
		if test.header != "" {
			req.Header.Set(test.header, test.value)
		}
		if r := do(t, req); r.status != test.status {
			t.Errorf("%+v: %d %s", test, r.status, r.body)
		}
	}
	// An image in a web page sends no Origin, but it can only GET.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Addr()+"/?query=DROP+TABLE+x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := do(t, req); r.header.Get("X-ClickHouse-Exception-Code") != "164" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
