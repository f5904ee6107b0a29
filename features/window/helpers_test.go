package window_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/features/window"
	"github.com/weirmesh/weir/schemas"
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	day    = 24 * int64(time.Hour)
	// base is a midnight: 2022-08-22 UTC.
	base = int64(1_661_126_400) * second
)

var (
	source  = schemas.Source{Incarnation: "i", Topic: "weir.calls", Partition: 3}
	tenS    = schemas.Resolution(10 * time.Second)
	service = schemas.Table{Subject: schemas.ServiceWindows, Resolution: tenS}
	edge    = schemas.Table{Subject: schemas.EdgeWindows, Resolution: tenS}
)

func origin(name, instance string) schemas.Origin {
	return schemas.Origin{Workload: schemas.Workload{Tenant: "t", Cluster: "c", Region: "r", Namespace: "n", Name: name, Version: "v"}, Instance: instance}
}

func call(from, to string, end int64) *schemas.Call {
	return &schemas.Call{
		From: origin(from, from+"-0"), To: origin(to, to+"-0"), Evidence: schemas.ServerSpan,
		Measure: schemas.Measure{End: end, Duration: uint64(5 * time.Millisecond), Weight: schemas.One, Status: schemas.Status{GRPC: schemas.NoGRPC}},
	}
}

func newSet(marks schemas.Marks, floor int64) *window.Set {
	return window.New(window.Config{Source: source, Floor: floor, Marks: marks})
}

type rows map[schemas.Table][]schemas.Partial

func flush(s *window.Set, last int64) rows {
	out := rows{}
	s.Flush(last, out)
	return out
}

// one returns the only row of a table.
func (r rows) one(t *testing.T, table schemas.Table) schemas.Partial {
	t.Helper()
	if len(r[table]) != 1 {
		t.Fatalf("%s has %d rows, want 1", table, len(r[table]))
	}
	return r[table][0]
}

// sum adds up partials of the same window, as the store does: by table, start and dimensions. Offsets, and how many partials came
// late, depend on the grouping and are left out.
func (r rows) sum(into map[string]schemas.Partial) {
	for table, partials := range r {
		for _, p := range partials {
			key := fmt.Sprint(table, p.Start, strings.Join(p.Dimensions, "|"))
			t := into[key]
			for i := range p.Measures {
				t.Measures[i] += p.Measures[i]
			}
			t.Evidence |= p.Evidence
			t.Histogram = merge(t.Histogram, p.Histogram)
			t.Callers = slices.Compact(slices.Sorted(slices.Values(append(t.Callers, p.Callers...))))
			into[key] = t
		}
	}
}

func merge(a, b []schemas.BucketCount) []schemas.BucketCount {
	by := map[schemas.Bucket]uint64{}
	for _, c := range slices.Concat(a, b) {
		by[c.Bucket] += c.Count
	}
	var out []schemas.BucketCount
	for _, bucket := range slices.SortedFunc(maps.Keys(by), cmp.Compare[schemas.Bucket]) {
		out = append(out, schemas.BucketCount{Bucket: bucket, Count: by[bucket]})
	}
	return out
}
