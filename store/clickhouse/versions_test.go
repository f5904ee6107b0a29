package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/ddl"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

// bare is a client of an engine without a schema.
func bare(t *testing.T) (*clickhouse.Client, clickhouse.Config) {
	t.Helper()
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return client(t, cfg.Address), cfg
}

func client(t *testing.T, address string) *clickhouse.Client {
	t.Helper()
	c, err := clickhouse.New(clickhouse.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func allMigrations(t *testing.T) []ddl.Migration {
	t.Helper()
	all, err := ddl.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// asOf makes the schema of a version, as the Weir of that version left it.
func asOf(t *testing.T, cfg clickhouse.Config, all []ddl.Migration) {
	t.Helper()
	for _, sql := range ddl.Preparation() {
		run(t, cfg, sql)
	}
	for _, m := range all {
		for _, sql := range append(m.Statements, m.Record()) {
			run(t, cfg, sql)
		}
	}
}

// fillAsOf writes what a Weir of a version could: 2 calls of 40 ms in each table of windows, as the flush that ends at an offset, and a row
// in every other table that it had.
func fillAsOf(t *testing.T, cfg clickhouse.Config, version, offset int) {
	t.Helper()
	for _, table := range schemas.Tables() {
		run(t, cfg, fmt.Sprintf("INSERT INTO weir.%s (window_start, source, last_offset, calls, observed, duration_ns, histogram, %s) "+
			"SELECT fromUnixTimestamp64Milli(%d, 'UTC'), '%s', %d, 131072, 2, 80000000, map(%d, 131072), %s", table,
			strings.Join(table.Subject.Dimensions(), ", "), day/1e6, source, offset, schemas.BucketOf(40e6),
			"'"+strings.Join(table.Subject.Dimensions(), "', '")+"'"))
	}
	for since, rows := range map[int][]string{
		3: {
			"weir.samples (time, workload, metric, value) SELECT '2022-08-22', 'w', 'm%d', 7",
			"weir.gaps (`from`, `to`, kind, detail) SELECT '2022-08-22', '2022-08-23', 'quiet', '%d'",
			"weir.topics (incarnation, topic, partitions) SELECT 'i%d', 'weir.calls', 4",
		},
		6: {
			"weir.forecast_rows (made_at, workload, value, signal) SELECT '2022-08-22', 'w', 7, '%d'",
			"weir.finding_rows (finding_id, started_at, workload) SELECT 'f-%d', '2022-08-22', 'w'",
			"weir.decision_rows (decision_id, made_at, workload) SELECT 'd-%d', '2022-08-22', 'w'",
			"weir.outcome_rows (decision_id, stage) SELECT 'd-%d', 'reported'",
			"weir.positions (stage, shard, at) SELECT 'forecast', %d, '2022-08-22'",
		},
	} {
		for _, row := range rows {
			if version >= since {
				run(t, cfg, "INSERT INTO "+fmt.Sprintf(row, version))
			}
		}
	}
}

// wholeAfter checks that all that fillAsOf wrote is there, once for each of the versions, that the views say it, and that the marks hold.
func wholeAfter(t *testing.T, c *clickhouse.Client, cfg clickhouse.Config, last int64, versions ...int) {
	t.Helper()
	n := 2 * len(versions)
	for _, suffix := range []string{"", "_1m", "_1h"} {
		for _, subject := range schemas.Subjects() {
			sql := fmt.Sprintf("SELECT calls, observed, mean_ms, round(p99_ms), completeness, acted_on FROM weir.%s_windows%s", subject, suffix)
			if got, want := ask(t, cfg, sql), fmt.Sprintf("%d\t%d\t40\t40\t1\t0", n, n); got != want {
				t.Errorf("%s_windows%s is %q, want %q", subject, suffix, got, want)
			}
		}
	}
	write(t, c, flush(last, last, day)) // what is stored already, in other words: not above the marks
	if got := calls(t, cfg); got != fmt.Sprint(n) {
		t.Errorf("%s calls after a repeated flush, want %d: the marks do not hold", got, n)
	}
	write(t, c, flush(last+1, last+9, day))
	if got := calls(t, cfg); got != fmt.Sprint(n+2) {
		t.Errorf("%s calls after a new flush, want %d", got, n+2)
	}
	for since, tables := range map[int][]string{
		3: {"samples", "gaps FINAL", "topics"}, 6: {"forecasts", "findings", "finding_revisions", "decisions", "outcomes", "positions"},
	} {
		for _, table := range tables {
			want := len(slices.DeleteFunc(slices.Clone(versions), func(v int) bool { return v < since }))
			if table == "gaps FINAL" { // found again by each
				want = min(want, 1)
			}
			if got := ask(t, cfg, "SELECT count() FROM weir."+table); got != fmt.Sprint(want) {
				t.Errorf("%s rows in %s, want %d", got, table, want)
			}
		}
	}
}

// frontier lets so many statements that change something through to an engine, and breaks the connection of the next.
type frontier struct {
	proxy http.Handler
	left  atomic.Int64
}

func (f *frontier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("SELECT")) && f.left.Add(-1) < 0 {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.proxy.ServeHTTP(w, r)
}

// breakable returns a client whose connection to an engine can be broken.
func breakable(t *testing.T, cfg clickhouse.Config) (*frontier, *clickhouse.Client) {
	t.Helper()
	transport := &http.Transport{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: cfg.Address})
	proxy.Transport = transport
	f := &frontier{proxy: proxy}
	server := httptest.NewServer(f)
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	return f, client(t, strings.TrimPrefix(server.URL, "http://"))
}

// TestMigrationFromEveryVersion writes with the schema of each version what a Weir of that version could, and then stops the migration to the
// next one behind every statement that it has.
func TestMigrationFromEveryVersion(t *testing.T) {
	all := allMigrations(t)
	_, cfg := bare(t)
	f, c := breakable(t, cfg)
	asOf(t, cfg, all[:1])
	prepared, versions := len(ddl.Preparation()), []int{}
	for _, m := range all {
		fillAsOf(t, cfg, m.Version, m.Version)
		versions = append(versions, m.Version)
		if m.Version == len(all) {
			break
		}
		next := all[m.Version]
		for through := range len(next.Statements) + 1 { // the last of these has run all and not recorded it
			f.left.Store(int64(prepared + through))
			if err := c.Migrate(t.Context()); err == nil {
				t.Fatalf("%s went through with %d of %d statements", next.Name, through, len(next.Statements))
			}
			if at, err := c.SchemaVersion(t.Context()); at != m.Version || err != nil {
				t.Fatalf("after %d statements of %s the version is %d, %v", through, next.Name, at, err)
			}
			if err := c.CheckSchema(t.Context()); err == nil || !strings.Contains(err.Error(), next.Name) {
				t.Fatalf("a stage accepts half of %s: %v", next.Name, err)
			}
		}
		f.left.Store(int64(prepared + len(next.Statements) + 1))
		_ = c.Migrate(t.Context()) // the one after it fails at once, if there is one
		if at, err := c.SchemaVersion(t.Context()); at != next.Version || err != nil {
			t.Fatalf("after %s the version is %d, %v", next.Name, at, err)
		}
	}
	wholeAfter(t, client(t, cfg.Address), cfg, int64(len(all)), versions...)
}

func TestTwoMigrateAtOnce(t *testing.T) {
	c, cfg := bare(t)
	const from = 3
	asOf(t, cfg, allMigrations(t)[:from])
	fillAsOf(t, cfg, from, 9)
	var both sync.WaitGroup
	for _, one := range []*clickhouse.Client{c, client(t, cfg.Address)} {
		both.Go(func() {
			if err := one.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if pending, err := c.Pending(t.Context()); len(pending) != 0 || err != nil {
		t.Errorf("%d migrations are left, %v", len(pending), err)
	}
	wholeAfter(t, c, cfg, 9, from)
}

func TestANewerSchemaIsRefusedWithWords(t *testing.T) {
	c, cfg := bare(t)
	if err := c.CheckSchema(t.Context()); err == nil || !strings.Contains(err.Error(), "weir schema apply") {
		t.Errorf("no schema at all: %v", err)
	}
	migrate(t.Context(), t, c)
	run(t, cfg, "INSERT INTO weir.migrations (version, name) SELECT 999, 'x'")
	for what, err := range map[string]error{"migrate": c.Migrate(t.Context()), "check": c.CheckSchema(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "999") || !strings.Contains(err.Error(), "at least as new") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
