package traffic_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/features/window"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/torture/traffic"
)

// partition is the product's way from a partition's messages to its windows, in one process.
type partition struct {
	joiner *join.Joiner
	open   *window.Set
	next   int64
	rows   map[schemas.Table][]schemas.Partial
}

func newPartition(n int) *partition {
	source := schemas.Source{Incarnation: "i", Topic: wire.TopicCalls, Partition: n}
	return &partition{
		joiner: join.New(join.DefaultGeneration), open: window.New(window.Config{Source: source, Marks: schemas.Marks{}}),
		rows: map[schemas.Table][]schemas.Partial{},
	}
}

func (p *partition) message(t *testing.T, value []byte) {
	t.Helper()
	batch, err := columns.DecodeSpans(value)
	if err != nil {
		t.Fatal(err)
	}
	p.joiner.Message(p.next, batch, p)
	p.next++
}

// end is the control message, and the last flush.
func (p *partition) end(at time.Time) {
	p.joiner.EndBefore(p.next, at.UnixNano(), p)
	p.open.Flush(p.next, p.rows)
	p.next++
}

func (p *partition) Call(c schemas.Call) { p.open.Call(p.next, &c) }

func (p *partition) Retried(c schemas.Call) { p.open.Retried(p.next, &c) }

func (p *partition) Seen(from schemas.Origin, end int64, fate join.Fate) {
	what := []schemas.MeasureID{schemas.Spans}
	if fate == join.Duplicate {
		what = append(what, schemas.Duplicates)
	}
	p.open.Count(p.next, from, end, what...)
}

func (p *partition) Orphan(from schemas.Origin, end int64, _ bool) {
	p.open.Count(p.next, from, end, schemas.Orphans)
}

// arrivals are a generator's requests as they may come: up to ahead of their turn, some more than once.
func arrivals(g *traffic.Generator, rng *rand.Rand) (out []traffic.Request) {
	var waiting []traffic.Request
	leave := func() {
		i := rng.IntN(len(waiting))
		out = append(out, waiting[i])
		if rng.IntN(10) > 0 { // else its answer was lost, and it comes again
			waiting = append(waiting[:i], waiting[i+1:]...)
		}
	}
	for r := range g.Requests() {
		for len(waiting) > 0 && r.Index-waiting[0].Index >= traffic.Ahead {
			leave()
		}
		waiting = append(waiting, r)
		if rng.IntN(20) > 0 {
			leave()
		}
	}
	for len(waiting) > 0 {
		leave()
	}
	return out
}

// counts are by table and by a window's start and dimensions.
type counts map[schemas.Table]map[string]traffic.Counts

// counted is what the product makes of the requests.
func counted(t *testing.T, g *traffic.Generator, tenant string, partitions int, rng *rand.Rand) counts {
	t.Helper()
	convert := rows.New(rows.Config{Tenant: tenant})
	var all []*partition
	for n := range partitions {
		all = append(all, newPartition(n))
	}
	for _, r := range arrivals(g, rng) {
		batch, err := convert.Spans(r.Traces, rows.Layout{Calls: partitions, Samples: 1, DeadLetters: 1}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Losses) > 0 {
			t.Fatalf("request %d lost %v", r.Index, batch.Losses)
		}
		for _, record := range batch.Records {
			all[record.Partition].message(t, record.Value)
		}
	}
	out := counts{}
	for _, p := range all {
		p.end(g.End())
		for table, partials := range p.rows {
			if out[table] == nil {
				out[table] = map[string]traffic.Counts{}
			}
			for _, row := range partials {
				key := fmt.Sprintf("%d\t%s", row.Start/int64(time.Second), strings.Join(row.Dimensions, "\t"))
				out[table][key] = sum(t, out[table][key], &row)
			}
		}
	}
	return out
}

func sum(t *testing.T, c traffic.Counts, row *schemas.Partial) traffic.Counts {
	m := &row.Measures
	weight := uint64(0)
	for _, b := range row.Histogram {
		weight += b.Count
	}
	if weight != m[schemas.Calls] {
		t.Fatalf("%v: histogram of %d, calls %d", row.Dimensions, weight, m[schemas.Calls])
	}
	return traffic.Counts{
		Calls: c.Calls + m[schemas.Calls]>>16, Errors: c.Errors + m[schemas.Errors]>>16, Retries: c.Retries + m[schemas.Retries]>>16,
		DurationNS: c.DurationNS + m[schemas.DurationNS], Spans: c.Spans + m[schemas.Spans] - m[schemas.Duplicates],
		Orphans: c.Orphans + m[schemas.Orphans],
	}
}

// TestTruthIsWhatTheProductCounts holds the truth to the product's own path, and the product to the truth: converter, columns, join and
// windows, over several partitions, with requests out of order and sent again.
func TestTruthIsWhatTheProductCounts(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := small(seed)
			cfg.Tenant = []string{"", "acme"}[seed%2]
			if seed == 5 {
				cfg.Services, cfg.Scattered = traffic.Services(30), 1
			}
			g := generator(t, cfg)
			truth := g.Truth()
			got := counted(t, g, cfg.Tenant, 1+int(seed), rand.New(rand.NewPCG(seed, 1)))
			for _, table := range schemas.Tables() {
				compare(t, table, got[table], truth.Table(table))
			}
		})
	}
}

func compare(t *testing.T, table schemas.Table, got map[string]traffic.Counts, want traffic.Table) {
	t.Helper()
	names := make([]string, len(want.Series))
	for name, n := range want.Series {
		names[n] = name
	}
	if len(got) != len(want.Windows) || len(got) == 0 {
		t.Errorf("%s: %d windows, want %d", table, len(got), len(want.Windows))
	}
	wrong := 0
	for w, c := range want.Windows {
		if key := fmt.Sprintf("%d\t%s", w.Start, names[w.Series]); got[key] != c {
			if wrong++; wrong <= 3 {
				t.Errorf("%s %q: %+v, want %+v", table, key, got[key], c)
			}
		}
	}
}
