package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

// Edges reads who called or tried to call whom in the windows with from <= start and end <= to, over all versions and regions, ordered by
// tenant, destination and source. Calls are those that reached their destination, so an edge on which all were rejected has none.
func (c *Client) Edges(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.Edge, error) {
	s, err := within(r, from, to)
	if err != nil {
		return nil, fmt.Errorf("read edges: %w", err)
	}
	sql := fmt.Sprintf("SELECT tenant, source_cluster, source_namespace, source_workload, "+
		"destination_cluster, destination_namespace, destination_workload, weirCalls(sum(calls)) AS total FROM weir.%s "+
		"WHERE window_start >= %s AND window_start < %s GROUP BY ALL HAVING sum(calls) + sum(rejected_mesh) + sum(rejected_weir) > 0 "+
		"ORDER BY tenant, destination_cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload",
		schemas.Table{Subject: schemas.EdgeWindows, Resolution: r}, instant(s.from), instant(s.to))
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (e schemas.Edge, err error) {
		err = rows.Scan(&e.From.Tenant, &e.From.Cluster, &e.From.Namespace, &e.From.Name, &e.To.Cluster, &e.To.Namespace, &e.To.Name, &e.Calls)
		e.To.Tenant = e.From.Tenant
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s edges of %s: %w", r.Suffix(), from.Format(time.RFC3339), err)
	}
	return all, nil
}
