package clickhouse

import (
	"context"
	"fmt"
	"time"
)

// Totals are sums over all service windows.
type Totals struct {
	Spans, Duplicates, Orphans, Missing, Calls, Windows, Gaps uint64
	LastStored                                                time.Time // when the last row was stored; zero if there is none
	LastWindow                                                time.Time // start of the latest window; zero if there is none
}

// Totals adds everything up.
func (c *Client) Totals(ctx context.Context) (Totals, error) {
	var t Totals
	const sql = "SELECT sum(spans), sum(duplicates), sum(orphans), sum(missing), weirCalls(sum(calls)), " +
		"uniqExactIf((window_start, tenant, cluster, region, namespace, workload, version), observed > 0), " +
		"(SELECT count() FROM weir.gaps FINAL WHERE share > 0), max(stored), max(window_start) FROM weir.service_10s"
	row := c.conn.QueryRow(ctx, sql)
	if err := row.Scan(&t.Spans, &t.Duplicates, &t.Orphans, &t.Missing, &t.Calls, &t.Windows, &t.Gaps, &t.LastStored, &t.LastWindow); err != nil {
		return t, fmt.Errorf("read totals: %w", err)
	}
	if t.LastStored.Unix() == 0 {
		t.LastStored, t.LastWindow = time.Time{}, time.Time{}
	}
	return t, nil
}
