package clickhouse_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	if code, child := embeddedtest.Child(); child {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// open returns a client of a fresh engine with Weir's schema.
func open(t testing.TB) (*clickhouse.Client, clickhouse.Config) {
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

func ask(t testing.TB, cfg clickhouse.Config, sql string) string {
	t.Helper()
	var out strings.Builder
	if err := clickhouse.Query(t.Context(), cfg, sql, "TSV", &out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.TrimSpace(out.String())
}

const second = int64(time.Second)

// day is 2022-08-22 00:00 UTC.
const day = int64(1661126400) * second

var source = schemas.Source{Incarnation: "i", Topic: "weir.calls", Partition: 3}

// partial is one row of any table: 2 calls of 40 ms.
func partial(table schemas.Table, start, first, last int64) schemas.Partial {
	p := schemas.Partial{
		Start: table.Resolution.Start(start), Source: source.String(), FirstOffset: first, LastOffset: last,
		Dimensions: make([]string, len(table.Subject.Dimensions())), Evidence: schemas.ServerSpan,
		Histogram: []schemas.BucketCount{{Bucket: schemas.BucketOf(40e6), Count: 2 << 16}},
	}
	for i, name := range table.Subject.Dimensions() {
		p.Dimensions[i] = name
	}
	p.Measures[schemas.Calls], p.Measures[schemas.Observed], p.Measures[schemas.DurationNS] = 2<<16, 2, 80e6
	if table.Subject == schemas.ServiceWindows {
		p.Callers = []string{"a", "b"}
	}
	return p
}

// flush has one row in every table for each start.
func flush(first, last int64, starts ...int64) store.Flush {
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for _, table := range schemas.Tables() {
		for _, start := range starts {
			f.Partials[table] = append(f.Partials[table], partial(table, start, first, last))
		}
	}
	return f
}

func calls(t *testing.T, cfg clickhouse.Config) string {
	t.Helper()
	var all []string
	for _, table := range schemas.Tables() {
		all = append(all, ask(t, cfg, "SELECT weirCalls(sum(calls)) FROM weir."+table.String()))
	}
	for _, n := range all[1:] {
		if n != all[0] {
			t.Errorf("tables disagree: %v", all)
		}
	}
	return all[0]
}

func TestWriteCountsOnce(t *testing.T) {
	c, cfg := open(t)
	first := flush(0, 9, day, day+15*second, day+86400*second)
	for i := range 3 { // as after answers that were lost
		if err := c.Write(t.Context(), first); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		if got := calls(t, cfg); got != "6" {
			t.Fatalf("after write %d: %s calls, want 6", i, got)
		}
	}
	if err := c.Write(t.Context(), flush(10, 19, day)); err != nil {
		t.Fatal(err)
	}
	if got := calls(t, cfg); got != "8" {
		t.Fatalf("%s calls, want 8", got)
	}
	marks, err := c.Marks(t.Context(), []schemas.Source{source})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range schemas.Tables() {
		for d, want := range map[schemas.Day]int64{20220822: 19, 20220823: 9} {
			if got := marks[schemas.Mark{Table: table, Day: d, Source: source.String()}]; got != want {
				t.Errorf("mark of %s on %d is %d, want %d", table, d, got, want)
			}
		}
	}
}

func TestAnotherWorkerIsAConflict(t *testing.T) {
	c, cfg := open(t)
	if err := c.Write(t.Context(), flush(0, 9, day)); err != nil {
		t.Fatal(err)
	}
	err := c.Write(t.Context(), flush(5, 7, day))
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("overlapping write: %v, want ErrConflict", err)
	}
	if got := calls(t, cfg); got != "2" {
		t.Fatalf("%s calls, want 2", got)
	}
}

// TestWhatIsMissingLowersCompleteness holds the views to what they say of lost records and of sources gone quiet.
func TestWhatIsMissingLowersCompleteness(t *testing.T) {
	c, cfg := open(t)
	table := schemas.Table{Subject: schemas.ServiceWindows, Resolution: schemas.Shortest()}
	var f store.Flush
	for _, at := range []int64{0, 300, 600} {
		f.Partials = map[schemas.Table][]schemas.Partial{table: append(f.Partials[table], partial(table, day+at*second, 0, 9))}
	}
	f.Partials[table][1].Measures[schemas.Missing] = 6 // beside 2 that were observed
	f.Gaps = []schemas.Gap{{From: day + 400*second, To: day + 900*second, Scope: "*", Hop: "ingest", Kind: schemas.GapQuiet, Source: "s", Share: 0.25}}
	if err := c.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got := ask(t, cfg, "SELECT completeness FROM weir.service_windows ORDER BY window_start")
	if want := "1\n0.25\n0.75"; got != want {
		t.Errorf("completeness is %q, want %q: whole, 6 of 8 records missing, one of four sources quiet", got, want)
	}
}

func TestManyDaysInOneFlush(t *testing.T) {
	c, cfg := open(t)
	var starts []int64
	for i := range int64(150) {
		starts = append(starts, day+i*86400*second)
	}
	f := flush(0, 9, starts...)
	for i := range starts {
		f.Samples = append(f.Samples, columns.Sample{Time: starts[i], Metric: "m", Value: float64(i)})
	}
	if err := c.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if got := calls(t, cfg); got != "300" {
		t.Fatalf("%s calls, want 300", got)
	}
	if got := ask(t, cfg, "SELECT count() FROM weir.samples"); got != "150" {
		t.Fatalf("%s samples, want 150", got)
	}
}

func TestOneFlushIsOnePartOfADay(t *testing.T) {
	c, cfg := open(t)
	f := flush(0, 9)
	table := schemas.Table{Subject: schemas.ServiceWindows, Resolution: schemas.Resolutions()[0]}
	for i := range int64(20_000) {
		f.Partials[table] = append(f.Partials[table], partial(table, day+i%8000*10*second, 0, 9))
	}
	if err := c.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, cfg, "SELECT count() FROM system.parts WHERE table = 'service_10s'"); got != "1" {
		t.Fatalf("%s parts, want 1: the flush is not atomic", got)
	}
}

func TestMigrateTwiceAndRefusesNewer(t *testing.T) {
	c, cfg := open(t)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatalf("second migration: %v", err)
	}
	if got := ask(t, cfg, "SELECT count() FROM weir.migrations FINAL"); got == "0" {
		t.Fatal("no migration is recorded")
	}
	if err := clickhouse.Query(t.Context(), cfg, "INSERT INTO weir.migrations (version, name) SELECT 999, 'x'", "TSV", &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "999") {
		t.Fatalf("a newer schema was accepted: %v", err)
	}
}

func TestPartitionsMayNotChange(t *testing.T) {
	c, _ := open(t)
	for i, want := range []bool{true, true, false} {
		n := 4 + i/2
		if epoch, err := c.CheckTopic(t.Context(), "i", "weir.calls", n); (err == nil) != want || epoch != 0 {
			t.Errorf("check %d with %d partitions: epoch %d, %v", i, n, epoch, err)
		}
	}
	for i, r := range []clickhouse.TopicRecord{{Partitions: 8}, {Partitions: 3, Epoch: 1}, {Partitions: 6, Epoch: 1}} {
		if err := c.RecordTopic(t.Context(), "i", "weir.calls", r); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Topic(t.Context(), "i", "weir.calls"); got != r || err != nil {
			t.Errorf("record %d is %+v, error %v, want %+v", i, got, err, r)
		}
		if epoch, err := c.CheckTopic(t.Context(), "i", "weir.calls", r.Partitions); epoch != r.Epoch || err != nil {
			t.Errorf("epoch %d, error %v, want %d", epoch, err, r.Epoch)
		}
	}
	if got, err := c.Topic(t.Context(), "other", "weir.calls"); got != (clickhouse.TopicRecord{}) || err != nil {
		t.Errorf("another cluster's record is %+v, %v", got, err)
	}
}

func TestQueryShowsClickHousesOwnError(t *testing.T) {
	_, cfg := open(t)
	err := clickhouse.Query(t.Context(), cfg, "SELECT nonsense FROM weir.service_windows", "TSV", &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "Code: 47") {
		t.Fatalf("error is %v, want ClickHouse's text with code 47", err)
	}
}

func TestQueryErrorInMidAnswer(t *testing.T) {
	_, cfg := open(t)
	var out strings.Builder
	err := clickhouse.Query(t.Context(), cfg, "SELECT number, throwIf(number = 3000000) FROM numbers(5000000)", "TSV", &out)
	if err == nil || !strings.Contains(err.Error(), "395") {
		t.Fatalf("error is %v after %d bytes, want code 395", err, out.Len())
	}
}
