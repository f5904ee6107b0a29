package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/internal/privacy"
	"github.com/weirmesh/weir/schemas/columns"
)

// TestPrivacyPage holds docs/privacy.md to the command, and the command to what messages hold.
func TestPrivacyPage(t *testing.T) {
	made, _ := runWeir(t, 0, "privacy", "-o", "markdown")
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "privacy.md"))
	if err != nil || string(page) != made {
		t.Errorf("docs/privacy.md is not what `weir privacy -o markdown` prints: write it anew (%v)", err)
	}
	for topic, schema := range map[string]*arrow.Schema{"weir.calls": columns.Spans(), "weir.samples": columns.Samples()} {
		listed := fieldsOf(privacy.Kafka, topic)
		for _, f := range schema.Fields() {
			if listed[f.Name] != 1 {
				t.Errorf("field %s of %s is listed %d times, want once", f.Name, topic, listed[f.Name])
			}
		}
	}
}

// fieldsOf counts how often each field of a place is listed.
func fieldsOf(where, name string) map[string]int {
	listed := map[string]int{}
	for _, p := range privacy.Inventory(nil) {
		if p.Where == where && slices.Contains(p.Names, name) {
			for _, f := range p.Fields {
				for _, n := range f.Names {
					listed[n]++
				}
			}
		}
	}
	return listed
}

// checkInventory compares the list with the tables and topics that are really there.
func checkInventory(t *testing.T, dir string) {
	out, _ := runWeir(t, 0, "privacy", "-o", "json")
	var all []privacy.Place
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	listed, topics := map[string]int{}, map[string]bool{}
	for _, p := range all {
		for _, name := range p.Names {
			topics[name] = p.Where == privacy.Kafka
			for _, f := range p.Fields {
				for _, column := range f.Names {
					if p.Where == privacy.ClickHouse {
						listed[name+"."+column]++
					}
				}
			}
		}
	}
	there := query(t, dir, "SELECT concat(table, '.', name) FROM system.columns WHERE database = 'weir' AND table IN "+
		"(SELECT name FROM system.tables WHERE database = 'weir' AND engine LIKE '%MergeTree')")
	for _, row := range there {
		if listed[row[0]] != 1 {
			t.Errorf("column %s is listed %d times in internal/privacy, want once", row[0], listed[row[0]])
		}
		delete(listed, row[0])
	}
	for column := range listed {
		t.Errorf("%s is listed and not there", column)
	}
	found := doctorOf(t, 0, "--data-dir", dir)["kafka.topics"].Finding // which names their number
	n := 0
	for _, is := range topics {
		if is {
			n++
		}
	}
	if want := fmt.Sprintf("all %d topics", n); !strings.Contains(found, want) {
		t.Errorf("doctor says %q, the list has %d topics", found, n)
	}
	for _, row := range query(t, dir, "SELECT name, extract(engine_full, 'TTL stored \\\\+ toInterval(Day|Second)'), extract(engine_full, 'TTL stored \\\\+ toInterval(?:Day|Second)\\\\((\\\\d+)\\\\)') "+
		"FROM system.tables WHERE database = 'weir' AND engine LIKE '%MergeTree'") {
		checkKept(t, all, row)
	}
}

// checkKept compares what is said about a table with its TTL: name, unit, number.
func checkKept(t *testing.T, all []privacy.Place, row []string) {
	t.Helper()
	n, _ := strconv.Atoi(row[2]) // none without a TTL
	if row[1] == "Second" {
		n /= 86400
	}
	want := fmt.Sprintf("%d d", n)
	if n == 0 {
		want = "until"
	}
	for _, p := range all {
		if p.Where == privacy.ClickHouse && slices.Contains(p.Names, row[0]) && !strings.HasPrefix(p.Kept, want) {
			t.Errorf("%s is said to be kept %s, its TTL is %v", row[0], p.Kept, row[1:])
		}
	}
}

// TestPrivacyErase erases a workload of a real run and then has the whole log read again: by the same group, and by one that begins anew.
func TestPrivacyErase(t *testing.T) {
	dir, grpc, http := t.TempDir(), freePort(t), freePort(t)
	up := func() *process { return startWeir(t, "up", "--data-dir", dir, "--grpc", grpc, "--http", http) }
	p := up()
	running(t, dir)
	runWeir(t, 0, "sim", "run", "--length", "4m", "--data-dir", dir)
	t.Run("inventory", func(t *testing.T) { checkInventory(t, dir) })

	others, marks := othersThan(t, dir), marksOf(t, dir)
	dry, _ := runWeir(t, 0, "privacy", "erase", "--workload", "shop/cart", "--data-dir", dir)
	if !strings.Contains(dry, "service_10s") || !strings.Contains(dry, "samples") || !strings.Contains(dry, "Nothing was erased") || cartRows(t, dir) == 0 {
		t.Errorf("without --yes it says\n%s", dry)
	}
	done, _ := runWeir(t, 0, "privacy", "erase", "--workload", "shop/cart", "--data-dir", dir, "--yes")
	if !strings.Contains(done, "weir.calls") || !strings.Contains(done, "erased") {
		t.Errorf("with --yes it says\n%s", done)
	}
	same := func(when string) {
		t.Helper()
		if n := cartRows(t, dir); n != 0 {
			t.Errorf("%s: %d rows of cart", when, n)
		}
		if got := othersThan(t, dir); got != others {
			t.Errorf("%s: other workloads are\n%s\nwere\n%s", when, got, others)
		}
		if got := marksOf(t, dir); got != marks {
			t.Errorf("%s: marks are\n%s\nwere\n%s", when, got, marks)
		}
	}
	same("after erasing")
	if code := p.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p = up()
	running(t, dir)
	same("after a restart")
	if code := p.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	t.Setenv("WEIR_KAFKA_GROUP", "anew")
	up()
	at := running(t, dir)
	want := messagesIn(t, dir)
	await(t, "the log read again", func() bool {
		return metric(t, at, "weir_features_messages_total") >= want && metric(t, at, "weir_features_lag_messages") == 0
	})
	same("after the log was read again")
}

// cartRows counts what names cart anywhere in windows and samples.
func cartRows(t *testing.T, dir string) int {
	t.Helper()
	rows := query(t, dir, "SELECT (SELECT countIf(workload = 'cart' OR arrayExists(c -> endsWith(c, 'shop/cart'), callers)) FROM service_10s) + "+
		"(SELECT countIf(source_workload = 'cart' OR destination_workload = 'cart') FROM edge_1m) + (SELECT countIf(workload = 'cart') FROM instance_1h) + "+
		"(SELECT countIf(workload = 'cart') FROM samples) + (SELECT countIf(workload = 'cart') FROM decisions)")
	n, err := strconv.Atoi(rows[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// othersThan is every number of all workloads but cart.
func othersThan(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, suffix := range suffixes() {
		for _, sql := range []string{
			"SELECT '" + suffix + "', count(), sum(cityHash64(* EXCEPT (histogram), toString(histogram))) FROM (SELECT * EXCEPT (mean_ms, p50_ms, p95_ms, p99_ms) " +
				"FROM service_windows" + suffix + " WHERE workload != 'cart')",
			"SELECT '" + suffix + "', count(), sum(calls), sum(errors), sum(observed) FROM edge_windows" + suffix + " WHERE source_workload != 'cart' AND destination_workload != 'cart'",
			"SELECT '" + suffix + "', count(), sum(calls), sum(errors), sum(observed) FROM instance_windows" + suffix + " WHERE workload != 'cart'",
		} {
			fmt.Fprintln(&all, query(t, dir, sql))
		}
	}
	fmt.Fprintln(&all, query(t, dir, "SELECT count(), sum(value) FROM samples FINAL WHERE workload != 'cart' AND NOT startsWith(metric, 'weir.collector.')"))
	lines := strings.Split(all.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func marksOf(t *testing.T, dir string) string {
	t.Helper()
	var parts []string
	for _, table := range []string{"service_10s", "service_1m", "edge_10s", "edge_1h", "instance_10s"} {
		parts = append(parts, "SELECT '"+table+"' AS t, toYYYYMMDD(window_start) AS day, source, max(last_offset) FROM "+table+" GROUP BY day, source")
	}
	return fmt.Sprint(query(t, dir, "SELECT * FROM ("+strings.Join(parts, " UNION ALL ")+") ORDER BY ALL"))
}

// messagesIn is how many messages the log holds, by status.
func messagesIn(t *testing.T, dir string) float64 {
	t.Helper()
	out, _ := runWeir(t, 0, "status", "--data-dir", dir, "-o", "json")
	var s struct{ Ingest struct{ Messages float64 } }
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	return s.Ingest.Messages
}

// metric adds up the series of a name.
func metric(t *testing.T, at lock.Addresses, name string) (sum float64) {
	t.Helper()
	resp, err := http.Get("http://" + at.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if series, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && (series == name || strings.HasPrefix(series, name+"{")) {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}
