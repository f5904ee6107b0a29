package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/internal/size"
	"github.com/weirmesh/weir/schemas"
)

// Measure reads what the traffic of some minutes took: how often each key had a row, and what all tables take now. It reads base tables and
// the server's list of parts, and changes nothing. Topics are left to the caller.
func (c *Client) Measure(ctx context.Context, from, to time.Time) (size.Measured, error) {
	m := size.Measured{From: from, To: to, Windows: map[string]map[int]int{}, Rows: map[string]uint64{}}
	var workloads, edges, instances uint64
	sql := fmt.Sprintf("SELECT (SELECT uniqExact(tenant, cluster, namespace, workload) FROM weir.service_10s WHERE %[1]s AND observed > 0), "+
		"(SELECT uniqExact(tenant, source_cluster, source_namespace, source_workload, destination_cluster, destination_namespace, destination_workload) "+
		"FROM weir.edge_10s WHERE %[1]s), (SELECT uniqExact(tenant, cluster, namespace, workload, instance) FROM weir.instance_10s WHERE %[1]s), "+
		"sum(calls) / 65536, toFloat64(sum(spans)) FROM weir.service_10s WHERE %[1]s", between("window_start", from, to))
	if err := c.conn.QueryRow(ctx, sql).Scan(&workloads, &edges, &instances, &m.Calls, &m.Spans); err != nil {
		return m, fmt.Errorf("measure traffic: %w", err)
	}
	m.Workloads, m.Edges, m.Instances = int(workloads), int(edges), int(instances)
	for _, subject := range schemas.Subjects() {
		keys, err := c.occupancy(ctx, subject, from, to)
		if err != nil {
			return m, fmt.Errorf("measure %s windows: %w", subject, err)
		}
		m.Windows[string(subject)] = keys
	}
	var err error
	if m.Tables, err = c.tables(ctx); err != nil {
		return m, err
	}
	if err := c.buckets(ctx, m.Tables, from, to); err != nil {
		return m, err
	}
	times := map[string]string{
		"samples": "time", "forecast_rows": "made_at", "finding_rows": "updated_at", "decision_rows": "made_at", "outcome_rows": "at", "spans": "started",
	}
	for _, t := range m.Tables {
		at, ok := times[t.Name]
		if !ok {
			continue
		}
		var n uint64
		if err := c.conn.QueryRow(ctx, "SELECT count() FROM weir."+t.Name+" WHERE "+between(at, from, to)).Scan(&n); err != nil {
			return m, fmt.Errorf("measure %s: %w", t.Name, err)
		}
		m.Rows[t.Name] = n
	}
	return m, nil
}

func between(column string, from, to time.Time) string {
	at := func(t time.Time) string { return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli()) }
	return fmt.Sprintf("%s >= %s AND %s < %s", column, at(from), column, at(to))
}

// occupancy counts keys by the number of 10 s windows that they have a row in.
func (c *Client) occupancy(ctx context.Context, subject schemas.Subject, from, to time.Time) (map[int]int, error) {
	sql := fmt.Sprintf("SELECT n, count() FROM (SELECT uniqExact(window_start) AS n FROM weir.%s WHERE %s GROUP BY %s, source) GROUP BY n",
		schemas.Table{Subject: subject, Resolution: schemas.Shortest()}, between("window_start", from, to), strings.Join(subject.Dimensions(), ", "))
	type count struct{ windows, keys uint64 }
	rows, err := read(ctx, c, nil, sql, func(r driver.Rows) (n count, err error) {
		return n, r.Scan(&n.windows, &n.keys)
	})
	out := map[int]int{}
	for _, n := range rows {
		out[int(n.windows)] = int(n.keys)
	}
	return out, err
}

// buckets fills in how many buckets and calls rows of windows have. Of hours it looks at all that hold the sample.
func (c *Client) buckets(ctx context.Context, tables []size.Table, from, to time.Time) error {
	for i := range tables {
		t := &tables[i]
		at := slices.IndexFunc(schemas.Tables(), func(w schemas.Table) bool { return w.String() == t.Name })
		if at < 0 {
			continue
		}
		length := time.Duration(schemas.Tables()[at].Resolution)
		sql := fmt.Sprintf("SELECT ifNotFinite(avg(length(mapKeys(histogram))), 0), ifNotFinite(avg(calls) / 65536, 0) "+
			"FROM weir.%s FINAL WHERE %s", t.Name, between("window_start", from.Truncate(length), to))
		if err := c.conn.QueryRow(ctx, sql).Scan(&t.Buckets, &t.RowCalls); err != nil {
			return fmt.Errorf("measure buckets of %s: %w", t.Name, err)
		}
	}
	return nil
}

// tables lists what every table takes on disk.
func (c *Client) tables(ctx context.Context) ([]size.Table, error) {
	const sql = "SELECT p.table, sum(p.rows), sum(p.bytes_on_disk), max(p.rows), argMax(p.bytes_on_disk, p.rows), countIf(p.level = 0), any(t.engine_full) " +
		"FROM system.parts AS p INNER JOIN system.tables AS t ON t.database = p.database AND t.name = p.table " +
		"WHERE p.database = 'weir' AND p.active GROUP BY p.table ORDER BY p.table"
	all, err := read(ctx, c, nil, sql, func(r driver.Rows) (t size.Table, err error) {
		var unmerged uint64
		var engine string
		err = r.Scan(&t.Name, &t.Rows, &t.Bytes, &t.LargestRows, &t.LargestBytes, &unmerged, &engine)
		t.UnmergedParts, t.Kept = int(unmerged), kept(engine)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list parts: %w", err)
	}
	return all, nil
}

// kept reads a table's TTL from how the server describes its engine; 0 = none.
func kept(engine string) time.Duration {
	unit := map[string]time.Duration{"Day": 24 * time.Hour, "Second": time.Second}
	m := regexp.MustCompile(`TTL stored \+ toInterval(Day|Second)\((\d+)\)`).FindStringSubmatch(engine)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return 0
	}
	return time.Duration(n) * unit[m[1]]
}
