package window_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
)

func TestACallIsInOneWindowOfEveryTable(t *testing.T) {
	s := newSet(nil, 0)
	c := call("a", "b", base+65*second)
	c.RequestBytes, c.ResponseBytes, c.Status.HTTP = 10, 20, 503
	s.Call(7, c)
	if s.Rows() != 3 {
		t.Errorf("%d rows are held, want one for each subject", s.Rows())
	}
	got := flush(s, 9)
	dimensions := map[schemas.Subject][]string{
		schemas.ServiceWindows:  {"t", "c", "r", "n", "b", "v"},
		schemas.EdgeWindows:     {"t", "c", "r", "n", "a", "v", "c", "r", "n", "b", "v"},
		schemas.InstanceWindows: {"t", "c", "r", "n", "b", "v", "b-0"},
	}
	for _, table := range schemas.Tables() {
		p := got.one(t, table)
		want := schemas.Partial{
			Start: table.Resolution.Start(c.End), Dimensions: dimensions[table.Subject], Source: "weir.calls@i/3", FirstOffset: 7, LastOffset: 9,
			Evidence: schemas.ServerSpan, Histogram: []schemas.BucketCount{{Bucket: schemas.BucketOf(c.Duration), Count: 65536}},
			Callers: []string{},
		}
		if table.Subject == schemas.ServiceWindows {
			want.Callers = []string{"c/n/a"}
		}
		for m, n := range map[schemas.MeasureID]uint64{
			schemas.Calls: 65536, schemas.Observed: 1, schemas.Errors: 65536, schemas.Errors5xx: 65536, schemas.StatusKnown: 65536,
			schemas.DurationNS: c.Duration, schemas.RequestBytes: 10, schemas.ResponseBytes: 20,
		} {
			want.Measures[m] = n
		}
		if !reflect.DeepEqual(p, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", table, p, want)
		}
	}
	if s.Rows() != 0 || len(flush(s, 10)) != 0 {
		t.Error("a flushed set is not empty")
	}
}

func TestMeasuresOfOneCall(t *testing.T) {
	type set = map[schemas.MeasureID]uint64
	const one, ms = uint64(schemas.One), uint64(time.Millisecond)
	for _, c := range []struct {
		name string
		of   schemas.Measure
		want set
	}{
		{"unsampled", schemas.Measure{Duration: ms, Weight: schemas.One}, set{schemas.Calls: one, schemas.DurationNS: ms}},
		{"one in ten", schemas.Measure{Duration: ms, Weight: 10 * schemas.One, RequestBytes: 3}, set{schemas.Calls: 10 * one, schemas.DurationNS: 10 * ms, schemas.RequestBytes: 30}},
		{"a fraction", schemas.Measure{Duration: ms, Weight: schemas.One + schemas.One/2}, set{schemas.Calls: one + one/2, schemas.DurationNS: ms * 3 / 2}},
		{"rejected by the mesh", schemas.Measure{Duration: ms, Weight: schemas.One, Flags: schemas.FlagRejectedMesh}, set{schemas.RejectedMesh: one}},
		{"rejected by Weir", schemas.Measure{Duration: ms, Weight: schemas.One, Flags: schemas.FlagRejectedWeir}, set{schemas.RejectedWeir: one}},
		{"a retry", schemas.Measure{Weight: schemas.One, Flags: schemas.FlagRetry}, set{schemas.Calls: one, schemas.Retries: one}},
		{"clock skew", schemas.Measure{Weight: 2 * schemas.One, Flags: schemas.FlagClockSkew}, set{schemas.Calls: 2 * one, schemas.ClockSkew: 1}},
		{
			"404",
			schemas.Measure{Weight: schemas.One, Status: schemas.Status{HTTP: 404, GRPC: schemas.NoGRPC}},
			set{schemas.Calls: one, schemas.Errors4xx: one, schemas.StatusKnown: one},
		},
		{
			"gRPC INTERNAL",
			schemas.Measure{Weight: schemas.One, Status: schemas.Status{GRPC: 13}},
			set{schemas.Calls: one, schemas.Errors: one, schemas.ErrorsGRPC: one, schemas.StatusKnown: one},
		},
		{
			"connection refused",
			schemas.Measure{Weight: schemas.One, Flags: schemas.FlagTransport},
			set{schemas.Calls: one, schemas.Errors: one, schemas.ErrorsTransport: one, schemas.StatusKnown: one},
		},
		{"an absurd duration is cut to a week", schemas.Measure{Duration: math.MaxUint64, Weight: schemas.One}, set{schemas.Calls: one, schemas.DurationNS: uint64(7 * day)}},
		{
			"an absurd duration of an absurd weight does not wrap",
			schemas.Measure{Duration: math.MaxUint64, Weight: math.MaxUint32},
			set{schemas.Calls: math.MaxUint32, schemas.DurationNS: 1 << 56},
		},
		{
			"absurd bytes do not wrap",
			schemas.Measure{Weight: math.MaxUint32, RequestBytes: math.MaxUint64, ResponseBytes: 1 << 48},
			set{schemas.Calls: math.MaxUint32, schemas.RequestBytes: 1 << 56, schemas.ResponseBytes: 1 << 56},
		},
		{
			"the largest sum is exact",
			schemas.Measure{Weight: math.MaxUint32, RequestBytes: 1 << 40},
			set{schemas.Calls: math.MaxUint32, schemas.RequestBytes: 1<<56 - 1<<24},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.of.Status == (schemas.Status{}) {
				c.of.Status.GRPC = schemas.NoGRPC
			}
			s := newSet(nil, 0)
			s.Call(0, &schemas.Call{From: origin("a", ""), To: origin("b", ""), Measure: c.of, Evidence: schemas.ClientSpan})
			got := flush(s, 0).one(t, service)
			want := [schemas.MeasureCount]uint64{schemas.Observed: 1}
			for m, n := range c.want {
				want[m] = n
			}
			for m := range schemas.MeasureCount {
				if got.Measures[m] != want[m] {
					t.Errorf("%s is %d, want %d", m, got.Measures[m], want[m])
				}
			}
			count := uint64(0)
			for _, bucket := range got.Histogram {
				count += bucket.Count
			}
			if count != want[schemas.Calls] {
				t.Errorf("the histogram holds %d, calls are %d", count, want[schemas.Calls])
			}
		})
	}
}

func TestCountReachesServiceAndInstanceWindowsOnly(t *testing.T) {
	s := newSet(nil, 0)
	for range 3 {
		s.Count(4, origin("a", "a-0"), base, schemas.Spans, schemas.Duplicates)
	}
	got := flush(s, 4)
	for _, table := range schemas.Tables() {
		if table.Subject == schemas.EdgeWindows {
			if len(got[table]) != 0 {
				t.Errorf("%s has rows", table)
			}
			continue
		}
		p := got.one(t, table)
		if p.Measures[schemas.Spans] != 3 || p.Measures[schemas.Duplicates] != 3 || p.Measures[schemas.Observed] != 0 || p.Evidence != 0 {
			t.Errorf("%s: %+v", table, p)
		}
	}
}

func TestOnlyMessagesAboveTheMarkCount(t *testing.T) {
	yesterday, today := base-day/2, base+day/2
	marks := schemas.Marks{
		{Table: service, Day: schemas.DayOf(today), Source: source.String()}:     20,
		{Table: service, Day: schemas.DayOf(yesterday), Source: source.String()}: 10,
		{Table: edge, Day: schemas.DayOf(today), Source: source.String()}:        15,
		{Table: service, Day: schemas.DayOf(today), Source: "somebody else's"}:   1000,
	}
	count := func(floor, offset, end int64, table schemas.Table) int {
		s := newSet(marks, floor)
		s.Call(offset, call("a", "b", end))
		return len(flush(s, offset)[table])
	}
	hour := schemas.Table{Subject: schemas.ServiceWindows, Resolution: schemas.Resolution(time.Hour)}
	for _, c := range []struct {
		name               string
		floor, offset, end int64
		table              schemas.Table
		want               int
	}{
		{"at the mark", 0, 20, today, service, 0},
		{"above the mark", 0, 21, today, service, 1},
		{"far above every mark", 0, 500, today, service, 1},
		{"below one day's mark, above another's", 0, 15, yesterday, service, 1},
		{"at the other day's mark", 0, 10, yesterday, service, 0},
		{"another table has its own mark", 0, 16, today, edge, 1},
		{"another table at its own mark", 0, 15, today, edge, 0},
		{"a table without a mark", 0, 0, today, hour, 1},
		{"below the floor", 30, 29, today, hour, 0},
		{"below the floor, above the mark", 30, 29, today, service, 0},
		{"at the floor", 30, 30, today, service, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := count(c.floor, c.offset, c.end, c.table); got != c.want {
				t.Errorf("%d rows, want %d", got, c.want)
			}
		})
	}
}

func TestFirstOffsetIsByTableAndDay(t *testing.T) {
	s := newSet(schemas.Marks{{Table: service, Day: schemas.DayOf(base), Source: source.String()}: 5}, 0)
	s.Call(3, call("a", "b", base))
	s.Call(4, call("a", "b", base-second)) // the day before
	s.Call(6, call("a", "b", base+second))
	s.Call(8, call("a", "b", base+20*second))
	got := flush(s, 9)
	first := map[schemas.Table]map[schemas.Day]int64{
		service: {schemas.DayOf(base): 6, schemas.DayOf(base - 1): 4},
		edge:    {schemas.DayOf(base): 3, schemas.DayOf(base - 1): 4},
	}
	for table, days := range first {
		if len(got[table]) != 3 {
			t.Errorf("%s has %d rows, want 3", table, len(got[table]))
		}
		for _, p := range got[table] {
			if want := days[schemas.DayOf(p.Start)]; p.FirstOffset != want || p.LastOffset != 9 {
				t.Errorf("%s at %d: offsets %d..%d, want %d..9", table, p.Start-base, p.FirstOffset, p.LastOffset, want)
			}
		}
	}
	s.Call(11, call("a", "b", base))
	if p := flush(s, 12).one(t, service); p.FirstOffset != 11 {
		t.Errorf("after a flush the first offset is %d, want 11", p.FirstOffset)
	}
}

func TestARowForAClosedWindowIsARevision(t *testing.T) {
	s := newSet(nil, 0)
	s.Close(base + 10*second)
	s.Close(base) // never goes back
	for i, end := range []int64{base, base + 5*second, base + 10*second} {
		s.Call(int64(i), call("a", "b", end))
	}
	for table, partials := range flush(s, 3) {
		for _, p := range partials {
			late := p.Start+int64(table.Resolution) <= base+10*second
			if got := p.Measures[schemas.Revision]; got != map[bool]uint64{true: 1}[late] {
				t.Errorf("%s at %d: revision %d, late %t", table, p.Start-base, got, late)
			}
		}
	}
}

func TestCallersAreNamedUpToALimit(t *testing.T) {
	for _, c := range []struct {
		callers, want int
		more          bool
	}{{1, 1, false}, {256, 256, false}, {257, 257, true}, {400, 257, true}} {
		s := newSet(nil, 0)
		for range 2 {
			for i := range c.callers {
				s.Call(0, call(fmt.Sprintf("caller-%d", i), "b", base))
			}
		}
		names := flush(s, 0).one(t, service).Callers
		if len(names) != c.want || slices.Contains(names, schemas.More) != c.more || !slices.IsSorted(names) {
			t.Errorf("%d callers: %d names, more %t", c.callers, len(names), slices.Contains(names, schemas.More))
		}
	}
}

// randomCall returns a call of a random log: over two days, with all kinds of outcome.
func randomCall(rng *rand.Rand) *schemas.Call {
	c := call(fmt.Sprintf("w%d", rng.IntN(4)), fmt.Sprintf("w%d", rng.IntN(4)), base-minute+rng.Int64N(2*minute))
	c.Duration = uint64(rng.ExpFloat64() * 1e7)
	c.Status.HTTP = []uint16{0, 200, 404, 500}[rng.IntN(4)]
	c.Flags = schemas.Flags(rng.IntN(64)) &^ schemas.FlagLost
	c.Weight = schemas.Weight(1+rng.IntN(3)) * schemas.One
	c.RequestBytes = uint64(rng.IntN(1000))
	c.Evidence = schemas.Evidence(1 << rng.IntN(4))
	return c
}

func TestAnyGroupingIntoFlushesAddsUpToTheSame(t *testing.T) {
	for seed := range 20 {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		var log []*schemas.Call
		for range 300 {
			log = append(log, randomCall(rng))
		}
		total := func(flushEvery int) map[string]schemas.Partial {
			s, out := newSet(nil, 0), map[string]schemas.Partial{}
			for i, c := range log {
				s.Call(int64(i), c)
				if flushEvery > 0 && rng.IntN(flushEvery) == 0 {
					flush(s, int64(i)).sum(out)
				}
			}
			flush(s, int64(len(log))).sum(out)
			return out
		}
		want := total(0)
		for _, every := range []int{1, 3, 50} {
			if got := total(every); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: flushing about every %d calls adds up to something else", seed, every)
			}
		}
	}
}

// TestReplayOverMarksAddsUpToTheSame reads the log again from its start after each of several crashes, with the marks of what was flushed.
func TestReplayOverMarksAddsUpToTheSame(t *testing.T) {
	for seed := range 20 {
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		var log []*schemas.Call
		for range 200 {
			log = append(log, randomCall(rng))
		}
		want := map[string]schemas.Partial{}
		s := newSet(nil, 0)
		for i, c := range log {
			s.Call(int64(i), c)
		}
		flush(s, int64(len(log))).sum(want)

		got, marks := map[string]schemas.Partial{}, schemas.Marks{}
		for !replay(log, got, marks, rng) {
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: it adds up to something else", seed)
		}
	}
}

// replay reads the log from its start, with marks, until its end or a crash in the middle of a flush, and reports whether it reached the end.
func replay(log []*schemas.Call, got map[string]schemas.Partial, marks schemas.Marks, rng *rand.Rand) bool {
	s := newSet(maps.Clone(marks), 0)
	for i, c := range log {
		s.Call(int64(i), c)
		if rng.IntN(20) != 0 && i < len(log)-1 {
			continue
		}
		flushed := flush(s, int64(i))
		for _, table := range schemas.Tables() {
			if rng.IntN(60) == 0 {
				return false
			}
			for _, p := range flushed[table] {
				marks[schemas.Mark{Table: table, Day: schemas.DayOf(p.Start), Source: p.Source}] = p.LastOffset
			}
			rows{table: flushed[table]}.sum(got)
		}
	}
	return true
}

func BenchmarkCall(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	calls := make([]*schemas.Call, 10_000)
	for i := range calls {
		calls[i] = randomCall(rng)
		calls[i].To.Name = fmt.Sprintf("w%d", rng.IntN(100))
		calls[i].End = base + int64(i)*second/1000
	}
	s := newSet(nil, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Call(int64(i), calls[i%len(calls)])
		if i%100_000 == 99_999 {
			flush(s, int64(i))
		}
	}
}
