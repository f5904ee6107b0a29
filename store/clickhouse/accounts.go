package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

var _ store.Accountant = (*Client)(nil)

// Heartbeats returns every collector that was heard since a time.
func (c *Client) Heartbeats(ctx context.Context, since time.Time) ([]schemas.Heartbeat, error) {
	sql := fmt.Sprintf("SELECT tenant, instance, max(time), toUInt8(max(metric = %s)) FROM weir.samples "+
		"WHERE workload = %s AND metric IN (%s, %s) AND time >= %s GROUP BY tenant, instance",
		quote(schemas.MetricStopped), quote(schemas.CollectorWorkload), quote(schemas.MetricReceived), quote(schemas.MetricStopped), instant(since))
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (h schemas.Heartbeat, err error) {
		var last time.Time
		var stopped uint8
		err = rows.Scan(&h.Tenant, &h.Collector, &last, &stopped)
		h.Last, h.Stopped = last.UnixNano(), stopped == 1
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("read heartbeats of collectors: %w", err)
	}
	return all, nil
}

// How far around the death of a collector rows are read: what is usual before it, the window that holds it, and the next.
const usualBefore, usualAfter = 90 * time.Second, 20 * time.Second

// Accounts returns what a query asks for.
func (c *Client) Accounts(ctx context.Context, q store.AccountsQuery) (a store.Accounts, err error) {
	ranges := [][2]time.Time{{q.From, q.To}}
	var heard []string
	for _, at := range q.Before {
		at = at.Truncate(time.Duration(schemas.Shortest()))
		ranges = append(ranges, [2]time.Time{at.Add(-usualBefore), at.Add(usualAfter)})
		heard = append(heard, "window_start >= "+instant(at.Add(usualAfter/2)))
	}
	step := func(what string, do func() error) {
		if err == nil {
			if err = do(); err != nil {
				err = fmt.Errorf("read %s: %w", what, err)
			}
		}
	}
	step("written rows", func() error { a.Written, err = c.written(ctx, ranges); return err })
	step("counted rows", func() error {
		a.Counted, err = c.countedRows(ctx, a.Counted, among("window_start", ranges), false)
		return err
	})
	for _, since := range heard {
		step("senders heard again", func() error { a.Counted, err = c.countedRows(ctx, a.Counted, since, true); return err })
	}
	step("running totals", func() error { a.Totals, err = c.totals(ctx, q); return err })
	step("calls without a word of the callee", func() error { a.Called, err = c.called(ctx, q.Called, q.To); return err })
	step("gaps", func() error { a.Gaps, err = c.gaps(ctx, q.Kinds, q.Judged, q.To); return err })
	return a, err
}

// among asks that a time is in one of some ranges.
func among(column string, ranges [][2]time.Time) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = fmt.Sprintf("(%s >= %s AND %s < %s)", column, instant(r[0]), column, instant(r[1]))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

const sender = "tenant, cluster, namespace, workload, instance"

func scanSender(o *schemas.Origin) []any {
	return []any{&o.Tenant, &o.Cluster, &o.Namespace, &o.Name, &o.Instance}
}

func (c *Client) written(ctx context.Context, ranges [][2]time.Time) ([]schemas.WrittenRows, error) {
	sql := fmt.Sprintf("SELECT %s, metric, time, max(value) FROM weir.samples WHERE startsWith(metric, %s) AND %s GROUP BY %s, metric, time",
		sender, quote(schemas.RowsMetric("")[:len(schemas.RowsMetric(""))-1]), among("time", ranges), sender)
	return read(ctx, c, nil, sql, func(rows driver.Rows) (w schemas.WrittenRows, err error) {
		var metric string
		var at time.Time
		var n float64
		err = rows.Scan(append(scanSender(&w.From), &metric, &at, &n)...)
		w.Window, w.Rows = at.UnixNano(), uint64(n)
		_, w.Collector, _ = strings.Cut(strings.TrimSuffix(metric, "}"), "=")
		return w, err
	})
}

// countedRows appends rows by sender and window, or only the first window of each sender.
func (c *Client) countedRows(ctx context.Context, to []schemas.CountedRows, where string, first bool) ([]schemas.CountedRows, error) {
	sql := fmt.Sprintf("SELECT %s, window_start, sum(spans) AS n FROM weir.instance_10s WHERE %s GROUP BY %s, window_start HAVING n > 0",
		sender, where, sender)
	if first {
		sql += fmt.Sprintf(" ORDER BY window_start LIMIT 1 BY %s", sender)
	}
	return read(ctx, c, to, sql, func(rows driver.Rows) (r schemas.CountedRows, err error) {
		var at time.Time
		err = rows.Scan(append(scanSender(&r.From), &at, &r.Rows)...)
		r.Window = at.UnixNano()
		return r, err
	})
}

func (c *Client) totals(ctx context.Context, q store.AccountsQuery) ([]schemas.RunningTotal, error) {
	sql := fmt.Sprintf("SELECT %s, metric, time, max(value) FROM weir.samples WHERE time >= %s AND time < %s "+
		"AND replaceAll(substringIndex(metric, '{', 1), '.', '_') IN (%s) GROUP BY %s, metric, time",
		sender, instant(q.From), instant(q.To), quoteAll(q.Metrics), sender)
	return read(ctx, c, nil, sql, func(rows driver.Rows) (t schemas.RunningTotal, err error) {
		var at time.Time
		err = rows.Scan(append(scanSender(&t.From), &t.Metric, &at, &t.Value)...)
		t.Time = at.UnixNano()
		return t, err
	})
}

func (c *Client) called(ctx context.Context, from, to time.Time) ([]schemas.CalledWindow, error) {
	const callee = "window_start, tenant, destination_cluster, destination_namespace, destination_workload"
	sql := fmt.Sprintf("SELECT %s, weirCalls(sum(n)), weirCalls(sumIf(n, bits = %d)) AS callers_only FROM ("+
		"SELECT %s, source_cluster, source_namespace, source_workload, sum(calls) AS n, groupBitOr(evidence) AS bits FROM weir.edge_10s "+
		"WHERE window_start >= %s AND window_start < %s GROUP BY %s, source_cluster, source_namespace, source_workload"+
		") GROUP BY %s HAVING callers_only > 0", callee, schemas.ClientSpan, callee, instant(from), instant(to), callee, callee)
	return read(ctx, c, nil, sql, func(rows driver.Rows) (w schemas.CalledWindow, err error) {
		var at time.Time
		err = rows.Scan(&at, &w.To.Tenant, &w.To.Cluster, &w.To.Namespace, &w.To.Name, &w.Calls, &w.CallersOnly)
		w.Window = at.UnixNano()
		return w, err
	})
}

// gaps returns the gaps of some kinds that begin in a range; no kinds are all kinds.
func (c *Client) gaps(ctx context.Context, kinds []schemas.GapKind, from, to time.Time) ([]schemas.Gap, error) {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	which := "1"
	if len(kinds) > 0 {
		which = fmt.Sprintf("kind IN (%s)", quoteAll(names))
	}
	sql := fmt.Sprintf("SELECT `from`, `to`, scope, hop, kind, source, share, records, detail FROM weir.gaps FINAL "+
		"WHERE (%s) AND `from` >= %s AND `from` < %s", which, instant(from), instant(to))
	return read(ctx, c, nil, sql, func(rows driver.Rows) (g schemas.Gap, err error) {
		var begin, end time.Time
		var kind string
		err = rows.Scan(&begin, &end, &g.Scope, &g.Hop, &kind, &g.Source, &g.Share, &g.Records, &g.Detail)
		g.From, g.To, g.Kind = begin.UnixNano(), end.UnixNano(), schemas.GapKind(kind)
		return g, err
	})
}

// Incomplete returns the windows with from <= start and end <= to about which telemetry is missing, over all regions. It is how a reader
// hears of what became known after it had read a window.
func (c *Client) Incomplete(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.Incomplete, error) {
	s, err := within(r, from, to)
	if err != nil {
		return nil, fmt.Errorf("read incomplete windows: %w", err)
	}
	view := "service_windows"
	if r != schemas.Shortest() {
		view += "_" + r.Suffix()
	}
	sql := fmt.Sprintf("SELECT window_start, tenant, cluster, namespace, workload, version, min(completeness) AS least FROM weir.%s "+
		"WHERE window_start >= %s AND window_start < %s GROUP BY ALL HAVING least < 1", view, instant(s.from), instant(s.to))
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (w schemas.Incomplete, err error) {
		err = rows.Scan(&w.Start, &w.Tenant, &w.Cluster, &w.Namespace, &w.Name, &w.Version, &w.Completeness)
		w.Start = w.Start.UTC()
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("read incomplete %s windows: %w", r.Suffix(), err)
	}
	return all, nil
}
