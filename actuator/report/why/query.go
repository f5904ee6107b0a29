package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// Query is SQL that shows windows among the inputs of something.
type Query struct {
	Windows int    `json:"windows"` // inputs that it covers
	SQL     string `json:"sql"`
}

// The most windows that a query names one by one, and the most queries of an explanation.
const (
	maxNamed   = 12
	maxQueries = 8
)

// input is a window id taken apart: "service_10s/2025-03-04T06:30:00Z/c/shop/cart@v2#0".
type input struct {
	view  string
	start time.Time
	whose string // cluster/namespace/name@version
}

func parse(id string) (input, bool) {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) < 3 {
		return input{}, false
	}
	view, known := viewOf(parts[0])
	start, err := time.Parse(time.RFC3339, parts[1])
	end := strings.LastIndexByte(parts[2], '#')
	if !known || err != nil || end < 0 || strings.Count(parts[2][:end], "/") < 2 {
		return input{}, false
	}
	return input{view, start.UTC(), parts[2][:end]}, true
}

// viewOf is the public view of windows that are stored in a table.
func viewOf(table string) (string, bool) {
	for _, r := range schemas.Resolutions() {
		if table == (schemas.Table{Subject: schemas.ServiceWindows, Resolution: r}).String() {
			return strings.TrimSuffix("service_windows_"+r.Suffix(), "_10s"), true
		}
	}
	return "", false
}

// inputsOf are those of the ids that can be read, grouped by view and workload in the order of their first.
func inputsOf(ids []string) [][]input {
	type key struct{ view, whose string }
	at := map[key]int{}
	var groups [][]input
	for _, id := range ids {
		in, ok := parse(id)
		if !ok {
			continue
		}
		k := key{in.view, in.whose}
		i, known := at[k]
		if !known {
			i = len(groups)
			at[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], in)
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b input) int { return a.start.Compare(b.start) })
	}
	return groups
}

// queries shows the windows of all ids, up to the limit.
func queries(ids []string) []Query {
	out := []Query{}
	for _, g := range inputsOf(ids) {
		if len(out) < maxQueries {
			out = append(out, Query{len(g), statement(g)})
		}
	}
	return out
}

func statement(g []input) string {
	return "SELECT window_start, version, offered, calls, errors, status_known, retries, rejected_mesh, mean_ms, p99_ms,\n" +
		"  completeness, revision\nFROM " + g[0].view + "\nWHERE " + owner(g[0].whose) + "\n  AND " + when(g) + "\nORDER BY window_start"
}

// owner picks the workload's windows. A name with further slashes or at signs cannot be told apart, so the whole is compared then.
func owner(whose string) string {
	parts := strings.Split(whose, "/")
	name, version, versioned := strings.Cut(parts[len(parts)-1], "@")
	if len(parts) != 3 || strings.Contains(version, "@") {
		return "concat(cluster, '/', namespace, '/', workload, if(version = '', '', concat('@', version))) = " + say.SQL(whose)
	}
	text := fmt.Sprintf("cluster = %s AND namespace = %s AND workload = %s", say.SQL(parts[0]), say.SQL(parts[1]), say.SQL(name))
	if versioned {
		text += " AND version = " + say.SQL(version)
	}
	return text
}

// when names few windows one by one, and many by their first and last.
func when(g []input) string {
	if len(g) > maxNamed {
		return fmt.Sprintf("window_start BETWEEN %s AND %s", stamp(g[0].start), stamp(g[len(g)-1].start))
	}
	var starts []string
	for _, in := range g {
		starts = append(starts, stamp(in.start))
	}
	return "window_start IN (" + strings.Join(slices.Compact(starts), ", ") + ")"
}

func stamp(t time.Time) string { return say.SQL(t.UTC().Format("2006-01-02 15:04:05.999")) }

// span says which windows the ids are.
func span(ids []string) string {
	var first, last time.Time
	views := []string{}
	for _, g := range inputsOf(ids) {
		views = append(views, g[0].view)
		if first.IsZero() || g[0].start.Before(first) {
			first = g[0].start
		}
		if end := g[len(g)-1].start; end.After(last) {
			last = end
		}
	}
	text := say.Count(len(ids), "window")
	if len(views) == 0 {
		return text
	}
	slices.Sort(views)
	text += " of " + strings.Join(slices.Compact(views), " and ")
	if first.Equal(last) {
		return text + ", starting " + say.Moment(first)
	}
	return text + ", starting " + say.Range(first, last)
}
