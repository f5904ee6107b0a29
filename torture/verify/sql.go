package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// view is one thing to compare: a base table, added up, or a public view. Its statement answers lines of a window's start, six counts in
// the order of traffic.Counts, 1 if the row agrees with itself, and the dimensions.
type view struct {
	name   string
	sql    string
	public bool
}

const start = "intDiv(toUnixTimestamp64Milli(window_start), 1000) AS at"

// base is a table of partial windows. Each call weighs 65,536 and is in one bucket of the histogram.
func base(t schemas.Table) view {
	records := "sum(spans) - sum(duplicates), sum(orphans)"
	if t.Subject == schemas.EdgeWindows {
		records = "0, 0"
	}
	by := strings.Join(t.Subject.Dimensions(), ", ")
	sql := fmt.Sprintf("SELECT %s, intDiv(sum(calls), 65536), intDiv(sum(errors), 65536), intDiv(sum(retries), 65536), sum(duration_ns), %s, "+
		"bitOr(bitOr(sum(calls), sum(errors)), sum(retries)) %% 65536 = 0 AND arraySum(mapValues(sumMap(histogram))) = sum(calls) "+
		"AND sum(observed) = intDiv(sum(calls), 65536), %s FROM weir.%s GROUP BY window_start, %s", start, records, by, t, by)
	return view{name: t.String(), sql: sql}
}

// public is the view over a table. It shows windows with calls, whole ones, and durations only as a mean or as calls in flight.
func public(t schemas.Table) view {
	name := string(t.Subject) + "_windows"
	if t.Resolution != schemas.Shortest() {
		name += "_" + t.Resolution.Suffix()
	}
	sql := fmt.Sprintf("SELECT %s, calls, errors, retries, toUInt64(round(in_flight * window_seconds * 1e9)), 0, 0, "+
		"arraySum(mapValues(histogram)) = calls AND observed = calls AND window_seconds = %d, %s FROM weir.%s",
		start, int(time.Duration(t.Resolution).Seconds()), strings.Join(t.Subject.Dimensions(), ", "), name)
	return view{name: name, sql: sql, public: true}
}
