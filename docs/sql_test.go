// Package docs holds no code: this test asks every question of sql.md.
package docs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

var update = flag.Bool("update", false, "write the answers on the page anew")

func TestMain(m *testing.M) {
	if code, child := embeddedtest.Child(); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// question is a heading of the page with its statement and the answer printed below it.
type question struct{ title, sql, answer string }

var block = regexp.MustCompile("(?s)\n### ([^\n]+)\n\n```sql\n(.*?)\n```\n\n```text\n(.*?)```\n")

func questions(page string) (all []question) {
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		all = append(all, question{m[1], m[2], m[3]})
	}
	return all
}

// expected is what the first row of some answers must hold on this data: the fault that the scenario makes, or what the gateway does.
var expected = map[string]string{
	"Who fails most?":              "catalog v2",
	"Do only some instances fail?": "catalog catalog-v2",
	"Which services became slower than they were an hour before?": "cart-store v1",
	"Which instances stand out?":                                  "cart-store cart-store-v1",
	"Who depends on a service, also through others?":              "cart 1",
	"Which edges are new?":                                        "gateway ledger",
	"How fast does the error budget burn?":                        "front page",
	"How much of the month's budget is left?":                     "front",
	"What is wrong now?":                                          "cart-store v1 latency",
	"Who is called again and again?":                              "gateway ledger 70800 7080 0.1",
	"Who is refused?":                                             "ledger 70800 63720 7080 0 0.1",
	"How much is sampled?":                                        "ledger 70800 7080 10",
	"Which calls cross regions?":                                  "eu us gateway ledger 63720",
	"What is missing, and why?":                                   "dead_letter",
	"What was proposed, and what became of it?":                   "demo/shop/catalog percent finding reported replay",
	"Which findings led to a decision?":                           "catalog errors",
}

func TestEveryQuestionHasAnAnswer(t *testing.T) {
	text, err := os.ReadFile("sql.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	all := questions(page)
	if n := strings.Count(page, "```sql\n"); n != len(all) || n < 50 {
		t.Fatalf("%d statements, %d of them in the form of a question", n, len(all))
	}
	cfg := filled(t)
	for _, q := range all {
		t.Run(q.title, func(t *testing.T) {
			names, rows := ask(t, cfg, q.sql)
			if len(rows) == 0 {
				t.Fatalf("there is no answer to\n%s", q.sql)
			}
			for _, row := range rows {
				sensible(t, names, row)
			}
			if want := expected[q.title]; !holds(rows[0], want) {
				t.Errorf("the answer begins with %v, want %s in it", rows[0], want)
			}
			answer := table(names, rows)
			if *update {
				page = strings.Replace(page, q.sql+"\n```\n\n```text\n"+q.answer+"```", q.sql+"\n```\n\n```text\n"+answer+"```", 1)
				return
			}
			got, _, _ := strings.Cut(q.answer, "\n")
			if !slices.Equal(strings.Fields(got), names) {
				t.Errorf("the page shows columns %s, the answer has %v", got, names)
			}
		})
	}
	for title := range expected {
		if !slices.ContainsFunc(all, func(q question) bool { return q.title == title }) {
			t.Errorf("nobody asks %q any more", title)
		}
	}
	if *update {
		if err := os.WriteFile("sql.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// holds reports whether a row has all of these words, in this order, among its values.
func holds(row []any, words string) bool {
	values := fmt.Sprint(row...)
	for _, word := range strings.Fields(words) {
		i := strings.Index(values, word)
		if i < 0 {
			return false
		}
		values = values[i+len(word):]
	}
	return true
}

// sensible checks what can be said of a value by its column's name: shares, quantiles, numbers of calls.
func sensible(t *testing.T, names []string, row []any) {
	t.Helper()
	quantile := 0.
	for i, name := range names {
		v, number := row[i].(float64)
		if !number {
			continue
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s is %v in %v", name, v, row)
		}
		if (strings.HasSuffix(name, "_share") || strings.HasSuffix(name, "_rate") || name == "share") && (v < 0 || v > 1) {
			t.Errorf("%s is %v in %v", name, v, row)
		}
		if (name == "total" || name == "asked") && v <= 0 {
			t.Errorf("%s is %v in %v", name, v, row)
		}
		if name == "p50" || name == "p95" || name == "p99" {
			if v < quantile {
				t.Errorf("%s is %v, below a lower quantile in %v", name, v, row)
			}
			quantile = v
		}
	}
}

const (
	answerRows = 4  // shown on the page
	cellRunes  = 46 // of a value shown on the page
)

// table writes the first rows below their names, in columns.
func table(names []string, rows [][]any) string {
	lines := [][]string{names}
	for _, row := range rows[:min(len(rows), answerRows)] {
		var cells []string
		for _, v := range row {
			cells = append(cells, cell(v))
		}
		lines = append(lines, cells)
	}
	var out strings.Builder
	for _, cells := range lines {
		var line strings.Builder
		for i, c := range cells {
			width := 0
			for _, other := range lines {
				width = max(width, len([]rune(other[i])))
			}
			fmt.Fprintf(&line, "%-*s  ", width, c)
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

func cell(v any) string {
	var text string
	switch v := v.(type) {
	case nil:
		return "NULL"
	case float64:
		if text = fmt.Sprintf("%.4g", v); math.Abs(v) >= 1000 {
			text = fmt.Sprintf("%.0f", v)
		}
	default:
		text = strings.TrimSuffix(fmt.Sprint(v), ".000")
	}
	if text == "" {
		return "''"
	}
	if r := []rune(text); len(r) > cellRunes {
		return string(r[:cellRunes-3]) + "..."
	}
	return text
}

// ask runs a statement as the page tells people to run it on a recording, and returns its columns and rows.
func ask(t *testing.T, cfg clickhouse.Config, sql string) (names []string, rows [][]any) {
	t.Helper()
	until := "(SELECT max(window_start) + 10 FROM service_windows)"
	sql = regexp.MustCompile(`\$__timeFilter\(([^)]*)\)`).ReplaceAllString(sql, "($1 >= $$__fromTime AND $1 <= $$__toTime)")
	sql = regexp.MustCompile(`\$__timeInterval\(([^)]*)\)`).ReplaceAllString(sql, "toStartOfInterval(toDateTime($1), INTERVAL 60 second)")
	sql = strings.NewReplacer("$__fromTime", "(now() - INTERVAL 1 HOUR)", "$__toTime", "now()").Replace(sql)
	sql = strings.ReplaceAll(sql, "now()", until)
	var out bytes.Buffer
	if err := clickhouse.Query(t.Context(), cfg, sql+" SETTINGS output_format_json_quote_64bit_integers = 0", "JSONCompactEachRowWithNames", &out); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	d := json.NewDecoder(&out)
	if err := d.Decode(&names); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		var row []any
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return names, rows
}

// filled runs the scenario through the whole of Weir, and adds what the simulator does not make.
func filled(t *testing.T) clickhouse.Config {
	t.Helper()
	bin := os.Getenv("WEIR_BIN")
	if bin == "" || os.Getenv("WEIR_CHDB_LIBRARY") == "" {
		t.Skip("WEIR_BIN and WEIR_CHDB_LIBRARY are not set: nothing to run (`make test` sets them)")
	}
	dir := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(t.Context(), bin, "demo", "--scenario", filepath.Join("testdata", "shop.yaml"), "--data-dir", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("weir demo: %v\n%s", err, out)
	}
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, filepath.Join(dir, "clickhouse")).Addr()}
	c, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Write(t.Context(), gateway()); err != nil {
		t.Fatal(err)
	}
	return cfg
}
