package verify_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
	"github.com/weirmesh/weir/torture/traffic"
	"github.com/weirmesh/weir/torture/verify"
)

func TestMain(m *testing.M) {
	if code, child := embeddedtest.Child(); child {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// open returns a client of a fresh engine with Weir's schema.
func open(t *testing.T) (*clickhouse.Client, clickhouse.Config) {
	t.Helper()
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	c, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, cfg
}

func source(incarnation string) schemas.Source {
	return schemas.Source{Incarnation: incarnation, Topic: "weir.calls", Partition: 1}
}

// write stores what a truth says as one flush of a source, up to an offset, with a change to each row.
func write(t *testing.T, c *clickhouse.Client, truth *traffic.Truth, from schemas.Source, last int64, change func(*schemas.Partial)) {
	t.Helper()
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for _, table := range schemas.Tables() {
		of := truth.Table(table)
		names := make([]string, len(of.Series))
		for name, n := range of.Series {
			names[n] = name
		}
		for w, counts := range of.Windows {
			p := partial(names[w.Series], w.Start, counts, from, last)
			change(&p)
			f.Partials[table] = append(f.Partials[table], p)
		}
	}
	if err := c.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func partial(series string, start int64, c traffic.Counts, from schemas.Source, last int64) schemas.Partial {
	p := schemas.Partial{
		Start: start * int64(time.Second), Dimensions: strings.Split(series, "\t"), Source: from.String(), FirstOffset: last, LastOffset: last,
	}
	if c.Calls > 0 {
		p.Histogram = []schemas.BucketCount{{Bucket: 1, Count: c.Calls << 16}}
	}
	m := &p.Measures
	m[schemas.Calls], m[schemas.Observed], m[schemas.Errors], m[schemas.Retries] = c.Calls<<16, c.Calls, c.Errors<<16, c.Retries<<16
	m[schemas.DurationNS], m[schemas.Spans], m[schemas.Duplicates], m[schemas.Orphans] = c.DurationNS, c.Spans+3, 3, c.Orphans
	return p
}

func run(t *testing.T, cfg verify.Config) verify.Report {
	t.Helper()
	r, err := verify.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wrong is how many differences of a kind a table has.
func wrong(t *testing.T, r verify.Report, table string, kind verify.Kind) int {
	t.Helper()
	for _, of := range r.Tables {
		if of.Name == table {
			return of.Wrong[kind]
		}
	}
	t.Fatalf("no table %s in the report", table)
	return 0
}

func keep(*schemas.Partial) {}

func blocks(t *testing.T) (g *traffic.Generator, first, second *traffic.Truth) {
	t.Helper()
	cfg := traffic.DefaultConfig()
	cfg.Calls, cfg.CallsPerRequest, cfg.Tenant, cfg.Span = 1280, 10, "acme", 6*time.Hour
	g, err := traffic.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g, g.Block(0).Truth, g.Block(1).Truth
}

// TestEveryTableAndView stores the truth block by block, and then what is not true.
func TestEveryTableAndView(t *testing.T) {
	c, at := open(t)
	g, first, second := blocks(t)
	ends := map[string]int64{source("i").String(): 30}
	cfg := verify.Config{ClickHouse: at, Truth: g.Truth(), Ends: ends}

	if r := run(t, cfg); r.Err() == nil || len(r.Tables) != 18 || wrong(t, r, "edge_windows_1h", verify.Missing) == 0 {
		t.Fatalf("an empty store is right:\n%s", r)
	}
	write(t, c, first, source("i"), 10, keep)
	r := run(t, cfg)
	for _, table := range r.Tables {
		if table.Equal == 0 || table.Wrong[verify.Missing]+table.Wrong[verify.Short] == 0 ||
			table.Wrong[verify.Extra]+table.Wrong[verify.Over] > 0 {
			t.Errorf("half of the truth: %s has %d equal, wrong %v", table.Name, table.Equal, table.Wrong)
		}
		if table.Got.Calls != 640 || table.Want.Calls != 1280 || len(table.First) > verify.Differences {
			t.Errorf("half of the truth: %s has %d of %d calls, %d differences", table.Name, table.Got.Calls, table.Want.Calls, len(table.First))
		}
	}
	write(t, c, second, source("i"), 20, keep)
	if r := run(t, cfg); r.Err() != nil || r.Marks.Read == 0 {
		t.Fatalf("the whole truth is wrong:\n%s", r)
	}

	write(t, c, second, source("again"), 20, keep)
	r = run(t, cfg)
	for _, table := range r.Tables {
		if table.Wrong[verify.Over] == 0 || table.Wrong[verify.Extra]+table.Wrong[verify.Missing]+table.Wrong[verify.Short] > 0 {
			t.Errorf("counted twice: %s has wrong %v", table.Name, table.Wrong)
		}
	}
	if want := "weir.calls/1 was counted under several names: weir.calls@again/1, weir.calls@i/1"; !strings.Contains(r.String(), want) {
		t.Errorf("counted twice: marks %+v", r.Marks)
	}
	// Only the first block is true now.
	cfg.Truth, cfg.Ends = first, map[string]int64{source("i").String(): 20}
	r = run(t, cfg)
	if wrong(t, r, "instance_windows_1m", verify.Extra) == 0 || wrong(t, r, "service_10s", verify.Extra) == 0 {
		t.Errorf("what nobody sent is not seen:\n%s", r)
	}
	if !strings.Contains(r.String(), "mark 20 of weir.calls@i/1, whose log ends at 20") {
		t.Errorf("a mark behind the log's end is not seen:\n%s", r)
	}
}

// TestEveryMeasure changes one measure of each service and looks where that is seen.
func TestEveryMeasure(t *testing.T) {
	c, at := open(t)
	_, first, _ := blocks(t)
	write(t, c, first, source("i"), 10, func(p *schemas.Partial) {
		m := &p.Measures
		if len(p.Dimensions) != len(schemas.ServiceWindows.Dimensions()) || m[schemas.Calls] == 0 {
			return
		}
		switch workload := p.Dimensions[4]; workload {
		case "svc-00":
			m[schemas.Errors] += 1 << 16
		case "svc-01":
			m[schemas.DurationNS] += 1000
		case "svc-02":
			m[schemas.Retries] += 1 << 16
		case "svc-03":
			p.Histogram = nil
		case "svc-04":
			m[schemas.Calls]++ // a 65,536th
		case "svc-05":
			m[schemas.Duplicates]++
		case "svc-06":
			m[schemas.Orphans]++
		}
	})
	r := run(t, verify.Config{ClickHouse: at, Truth: first})
	for table, want := range map[string]string{
		"service_1h":         "svc-00 errors, svc-01 duration_ns, svc-02 retries, svc-03 its, svc-04 its, svc-05 spans, svc-06 orphans",
		"service_windows_1h": "svc-00 errors, svc-01 duration_ns, svc-02 retries, svc-03 its",
		"edge_1h":            "",
	} {
		if got := seen(r, table); got != want {
			t.Errorf("%s: seen is %q, want %q", table, got, want)
		}
	}
}

// seen is which workload differs in what, by a table's report.
func seen(r verify.Report, table string) string {
	var out []string
	for line := range strings.Lines(r.String()) {
		if found, rest, _ := strings.Cut(line, " unequal "); found == table {
			_, what, _ := strings.Cut(rest, `": `)
			out = append(out, strings.Split(rest, `\t`)[4]+" "+strings.Fields(what)[0])
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}
