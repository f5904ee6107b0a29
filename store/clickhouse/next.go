package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// NextWindow is the start of the first service window of a resolution that starts at or after a time; zero if there is none.
func (c *Client) NextWindow(ctx context.Context, r schemas.Resolution, from time.Time) (time.Time, error) {
	var n uint64
	var first time.Time
	table := schemas.Table{Subject: schemas.ServiceWindows, Resolution: r}
	sql := fmt.Sprintf("SELECT count(), min(window_start) FROM weir.%s WHERE observed > 0", table)
	if !from.IsZero() {
		sql += " AND window_start >= " + instant(from)
	}
	if err := c.conn.QueryRow(ctx, sql).Scan(&n, &first); err != nil {
		return time.Time{}, fmt.Errorf("find the first %s window: %w", r.Suffix(), err)
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return first.UTC(), nil
}

// OpenDecisions counts the decisions that have no outcome yet.
func (c *Client) OpenDecisions(ctx context.Context) (n uint64, err error) {
	const sql = "SELECT count() FROM (SELECT DISTINCT decision_id FROM weir.decisions) AS d LEFT ANTI JOIN weir.outcomes AS o ON o.decision_id = d.decision_id"
	if err := c.conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		return 0, fmt.Errorf("count decisions without an outcome: %w", err)
	}
	return n, nil
}
