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
		"(SELECT count() FROM weir.gaps FINAL), max(stored), max(window_start) FROM weir.service_10s"
	row := c.conn.QueryRow(ctx, sql)
	if err := row.Scan(&t.Spans, &t.Duplicates, &t.Orphans, &t.Missing, &t.Calls, &t.Windows, &t.Gaps, &t.LastStored, &t.LastWindow); err != nil {
		return t, fmt.Errorf("read totals: %w", err)
	}
	if t.LastStored.Unix() == 0 {
		t.LastStored, t.LastWindow = time.Time{}, time.Time{}
	}
	return t, nil
}

// SetRetention makes the 10 s windows and samples stay for d after they were stored.
func (c *Client) SetRetention(ctx context.Context, d time.Duration) error {
	for _, table := range []string{"service_10s", "edge_10s", "instance_10s", "samples"} {
		sql := fmt.Sprintf("ALTER TABLE weir.%s MODIFY TTL stored + INTERVAL %d SECOND SETTINGS materialize_ttl_after_modify = 0",
			table, int64(d/time.Second))
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set retention of %s: %w", table, err)
		}
	}
	return nil
}
