package clickhouse_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
)

const hours24 = 24 * time.Hour

// unlimited are the tables that keep their rows for good: a handful of rows each, which everything else depends on.
var unlimited = map[string]string{
	"migrations": "one row for each version of the schema",
	"topics":     "one row for each topic of a log, and the number that its rows were placed by",
	"positions":  "one row for each shard; a position that goes is a history decided again",
}

func retention() clickhouse.Retention {
	return clickhouse.Retention{
		Short: 30 * hours24, Minutes: 90 * hours24, Hours: 400 * hours24, Forecasts: 30 * hours24, Decisions: 400 * hours24, Spans: 3 * hours24,
	}
}

// ttls is the definition of every table that keeps rows.
const ttls = "SELECT name, engine_full FROM system.tables WHERE database = 'weir' AND engine LIKE '%MergeTree' ORDER BY name"

func TestEveryTableKeepsItsRowsForAStatedTime(t *testing.T) {
	c, cfg := open(t)
	before := ask(t, cfg, ttls)
	for line := range strings.Lines(before) {
		name, engine, _ := strings.Cut(line, "\t")
		if _, ok := unlimited[name]; ok {
			continue
		}
		if !strings.Contains(engine, "TTL stored + toInterval") {
			t.Errorf("%s keeps its rows for good, and nobody says why: %s", name, engine)
		}
		if strings.Contains(engine, "PARTITION BY") && !strings.Contains(engine, "ttl_only_drop_parts = 1") {
			t.Errorf("%s rewrites parts to take rows out of them: %s", name, engine)
		}
	}
	if err := c.SetRetention(t.Context(), retention()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, cfg, ttls); got != before {
		t.Errorf("the defaults are not those of the migrations: before\n%s\nand after\n%s", before, got)
	}
	r := retention()
	r.Short, r.Minutes, r.Hours, r.Forecasts, r.Decisions, r.Spans = 11*hours24, 12*hours24, 13*hours24, 14*hours24, 15*hours24, 4*hours24
	for range 2 {
		if err := c.SetRetention(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	days := map[string]int{}
	for line := range strings.Lines(ask(t, cfg, ttls)) {
		name, engine, _ := strings.Cut(line, "\t")
		if m := regexp.MustCompile(`TTL stored \+ toIntervalSecond\((\d+)\)`).FindStringSubmatch(engine); m != nil {
			seconds, _ := strconv.Atoi(m[1])
			days[name] = seconds / 86400
		}
	}
	for name, want := range map[string]int{
		"service_10s": 11, "edge_10s": 11, "instance_10s": 11, "samples": 11, "service_1m": 12, "edge_1m": 12, "instance_1m": 12,
		"service_1h": 13, "edge_1h": 13, "instance_1h": 13, "gaps": 13, "forecast_rows": 14, "finding_rows": 15, "decision_rows": 15, "outcome_rows": 15,
	} {
		if days[name] != want {
			t.Errorf("%s keeps its rows for %d days, want %d", name, days[name], want)
		}
	}
}

// TestOldWindowsGoWithTheirMarks: a day goes as a whole part once all of it was stored long ago. What came late keeps what it merged with.
func TestOldWindowsGoWithTheirMarks(t *testing.T) {
	c, cfg := open(t)
	for _, row := range []struct {
		day         string
		offset, age int // days since it was stored
	}{
		{"2022-08-22", 9, 29},
		{"2022-08-22", 19, 28},
		{"2022-08-23", 29, 29},
		{"2022-08-23", 39, 0}, // a late flush for the same windows
	} {
		run(t, cfg, fmt.Sprintf("INSERT INTO weir.service_10s (window_start, workload, source, last_offset, calls, observed, stored) "+
			"SELECT toDateTime64('%s', 3, 'UTC') + toIntervalSecond(10 * number), 'w', '%s', %d, 65536, 1, now() - toIntervalDay(%d) "+
			"FROM numbers(1000)", row.day, source, row.offset, row.age))
	}
	const forced = "SELECT count() FROM system.tables WHERE database = 'weir' AND engine = 'AggregatingMergeTree' " +
		"AND engine_full LIKE '%min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1%'"
	if got := ask(t, cfg, forced); got != fmt.Sprint(len(schemas.Tables())) {
		t.Fatalf("days of only %s tables become one part", got)
	}
	run(t, cfg, "OPTIMIZE TABLE weir.service_10s FINAL") // what that comes to after six hours
	r := retention()
	r.Short = 10 * hours24
	if err := c.SetRetention(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	run(t, cfg, "ALTER TABLE weir.service_10s MATERIALIZE TTL SETTINGS mutations_sync = 2") // what merges come to with time
	run(t, cfg, "OPTIMIZE TABLE weir.service_10s FINAL")
	const days = "SELECT toDate(window_start) AS day, count(), weirCalls(sum(calls)), uniqExact(_part) FROM weir.service_10s GROUP BY day"
	if got := ask(t, cfg, days); got != "2022-08-23\t1000\t2000\t1" {
		t.Errorf("windows by day are %q, want only those of the second, whole", got)
	}
	marks, err := c.Marks(t.Context(), []schemas.Source{source})
	if err != nil {
		t.Fatal(err)
	}
	table := schemas.Table{Subject: schemas.ServiceWindows, Resolution: schemas.Shortest()}
	if len(marks) != 1 || marks[schemas.Mark{Table: table, Day: 20220823, Source: source.String()}] != 39 {
		t.Errorf("marks are %v", marks)
	}
}

// granules reads from EXPLAIN how many granules a statement reads, and how many its table has.
func granules(t *testing.T, cfg clickhouse.Config, sql string) (read, all int) {
	t.Helper()
	gaps := false // what is being read is the gaps that windows are held against
	for line := range strings.Lines(ask(t, cfg, "EXPLAIN indexes = 1 "+sql)) {
		line = strings.TrimSpace(strings.TrimLeft(line, " │├└─"))
		if strings.HasPrefix(line, "ReadFromMergeTree") {
			gaps = strings.Contains(line, "weir.gaps")
		}
		if n, total, ok := strings.Cut(strings.TrimPrefix(line, "Granules: "), "/"); ok && strings.HasPrefix(line, "Granules: ") && !gaps {
			read, _ = strconv.Atoi(n)
			if all == 0 {
				all, _ = strconv.Atoi(total)
			}
		}
	}
	return read, all
}

// mesh is what 300 workloads leave in a day of minutes, as INSERT statements: each runs an instance and is called by two others. %s is for
// columns that all partial windows have.
var mesh = []string{
	"weir.service_1m (%s, workload) SELECT %s, concat('w', toString(n)) FROM (%s)",
	"weir.instance_1m (%s, workload, instance) SELECT %s, concat('w', toString(n)), 'a' FROM (%s)",
	"weir.edge_1m (%s, destination_workload, source_workload) SELECT %s, " +
		"concat('w', toString(n)), concat('w', toString((n + i) % 300)) FROM (%s) ARRAY JOIN [1, 5] AS i",
}

// TestAQuestionAboutOneWorkloadReadsLittle: the order of the tables, and an index for callers, leave out 95 % of what is stored.
func TestAQuestionAboutOneWorkloadReadsLittle(t *testing.T) {
	_, cfg := open(t)
	minutes := fmt.Sprintf("SELECT fromUnixTimestamp64Milli(%d, 'UTC') + toIntervalMinute(intDiv(number, 300)) AS at, number %% 300 AS n "+
		"FROM numbers(1440 * 300)", day/1e6)
	for _, sql := range mesh {
		sql = strings.Replace(sql, "%s", "window_start, source, last_offset, calls, observed", 1)
		sql = strings.Replace(sql, ") SELECT %s", ") SETTINGS optimize_on_insert = 0 SELECT at, 's', 9, 65536, 1", 1)
		run(t, cfg, "INSERT INTO "+strings.Replace(sql, "%s", minutes, 1))
	}
	run(t, cfg, "INSERT INTO weir.samples (time, workload, metric, value) SELECT at, concat('w', toString(n)), 'cpu', 0.5 FROM ("+minutes+")")
	run(t, cfg, "INSERT INTO weir.forecast_rows (made_at, workload, signal, value) SELECT at, concat('w', toString(n)), 'offered', 7 FROM ("+minutes+")")
	for _, sql := range []string{
		"SELECT * FROM weir.service_windows_1m WHERE workload = 'w17'",
		"SELECT workload, sum(calls), weirQuantile(0.99, sumMap(histogram)) FROM weir.service_windows_1m WHERE workload = 'w17' GROUP BY workload",
		"SELECT * FROM weir.instance_windows_1m WHERE workload = 'w17' AND namespace = ''",
		"SELECT * FROM weir.edge_windows_1m WHERE destination_workload = 'w17'",
		"SELECT * FROM weir.edge_windows_1m WHERE source_workload = 'w17'",
		"SELECT * FROM weir.samples WHERE workload = 'w17' AND metric = 'cpu'",
		"SELECT * FROM weir.forecasts WHERE workload = 'w17'",
	} {
		read, all := granules(t, cfg, sql)
		t.Logf("%d of %d granules: %s", read, all, sql)
		if read == 0 || all < 40 || read*20 > all {
			t.Errorf("%d of %d granules are read, want at most 5 %%: %s", read, all, sql)
		}
	}
	// Windows of other lengths are stored in the same order, with the same index.
	order := "SELECT uniqExact(sorting_key), uniqExact(extract(create_table_query, 'INDEX .*bloom_filter.0.01. GRANULARITY 1')) " +
		"FROM system.tables WHERE database = 'weir' AND match(name, '^%s_1(0s|m|h)$')"
	for _, subject := range schemas.Subjects() {
		if got := ask(t, cfg, fmt.Sprintf(order, subject)); got != "1\t1" {
			t.Errorf("the tables of %s windows have %s orders and indexes", subject, got)
		}
	}
}

// printed writes a flush under a name of its own, cut in as many pieces as it has last offsets.
func printed(t *testing.T, c *clickhouse.Client, name string, change func(*schemas.Partial), last ...int64) {
	t.Helper()
	first := int64(0)
	for _, end := range last {
		f := flush(first, end, day, day+15*second)
		for table := range f.Partials {
			if table.Resolution != schemas.Shortest() { // the view says the same of the others
				delete(f.Partials, table)
				continue
			}
			for i := range f.Partials[table] {
				f.Partials[table][i].Source = name
				change(&f.Partials[table][i])
			}
		}
		write(t, c, f)
		first = end + 1
	}
}

// doubled is what two flushes add up to.
func doubled(p *schemas.Partial) {
	for m := range p.Measures {
		p.Measures[m] *= 2
	}
	p.Histogram[0].Count *= 2
}

// TestFingerprintsDependOnCountsAlone writes the same counts cut in other ways, and counts that differ in one thing.
func TestFingerprintsDependOnCountsAlone(t *testing.T) {
	c, cfg := open(t)
	printed(t, c, "whole", doubled, 19)
	printed(t, c, "cut", func(*schemas.Partial) {}, 4, 19)
	printed(t, c, "late", func(p *schemas.Partial) { p.Measures[schemas.Revision]++ }, 9, 30)
	run(t, cfg, "OPTIMIZE TABLE weir.service_10s FINAL")
	different := map[string]func(*schemas.Partial){
		"measure":  func(p *schemas.Partial) { p.Measures[schemas.RequestBytes]++ },
		"bucket":   func(p *schemas.Partial) { p.Histogram[0].Bucket++ },
		"window":   func(p *schemas.Partial) { p.Start += int64(time.Hour) },
		"version":  func(p *schemas.Partial) { p.Dimensions[len(p.Dimensions)-1] += "2" },
		"evidence": func(p *schemas.Partial) { p.Evidence = schemas.ClientSpan },
		"callers":  func(p *schemas.Partial) { p.Callers = nil },
	}
	for name, change := range different {
		printed(t, c, name, func(p *schemas.Partial) { doubled(p); change(p) }, 19)
	}
	for _, subject := range schemas.Subjects() {
		table := schemas.Table{Subject: subject, Resolution: schemas.Shortest()}
		of := map[string]string{}
		sql := fmt.Sprintf("SELECT source, concat(toString(day), ' ', windows, ' ', calls, ' ', hash) FROM weir.fingerprints WHERE table = '%s'", table)
		for line := range strings.Lines(ask(t, cfg, sql)) {
			name, print, _ := strings.Cut(strings.TrimSpace(line), "\t")
			of[name] = print
		}
		for name, print := range of {
			_, changed := different[name]
			if name == "callers" && table.Subject != schemas.ServiceWindows {
				changed = false // others name none
			}
			if (print == of["whole"]) == changed {
				t.Errorf("%s: %s has %s, the whole %s", table, name, print, of["whole"])
			}
		}
		if len(of) != 3+len(different) || !strings.HasPrefix(of["whole"], "2022-08-22 ") {
			t.Errorf("fingerprints of %s are %v", table, of)
		}
	}
}
