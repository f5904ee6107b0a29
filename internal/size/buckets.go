package size

import (
	"math"
	"strings"
)

// What one more bucket of a histogram takes on disk: between 0.75 bytes (minutes of a recording) and 1.29 (10 s windows of the demo's
// instances) were measured.
const (
	bucketLow  = 0.7
	bucketHigh = 1.2
)

// perRow is what a row of the table takes in the mesh that is estimated for: as now, and the buckets that come with more calls in a row.
func (s scale) perRow(t Table, perDay float64) Range {
	now := t.perRow()
	if t.RowCalls <= 0 || perDay <= 0 {
		return now
	}
	same, _ := scale{Measured: s.Measured, length: s.length, calls: 1, keys: 1}.rowsPerDay(t.Name)
	more := s.buckets(t, s.calls*same/perDay) - t.Buckets
	return Range{max(1, now.Low+min(more*bucketLow, more*bucketHigh)), max(1, now.High+max(more*bucketLow, more*bucketHigh))}
}

// buckets is how many buckets a row of the table has with times as many calls. The windows of 10 s, 1 min and 1 h of its subject hold the
// same calls in rows of different length: between and beyond them, buckets grow with the logarithm of the calls.
func (s scale) buckets(t Table, times float64) float64 {
	subject, _, _ := strings.Cut(t.Name, "_")
	var known []Table
	for _, suffix := range []string{"_10s", "_1m", "_1h"} {
		for _, other := range s.Tables {
			if other.Name == subject+suffix && (len(known) == 0 || other.RowCalls > known[len(known)-1].RowCalls) {
				known = append(known, other)
			}
		}
	}
	buckets, calls := t.Buckets, t.RowCalls*times
	for i := 1; i < len(known); i++ {
		a, b := known[i-1], known[i]
		if a.RowCalls > 0 && (calls > a.RowCalls || i == 1) {
			buckets = a.Buckets + (b.Buckets-a.Buckets)*math.Log(calls/a.RowCalls)/math.Log(b.RowCalls/a.RowCalls)
		}
	}
	return max(1, buckets)
}
