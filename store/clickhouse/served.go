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

// Served returns what a query asks for.
func (c *Client) Served(ctx context.Context, q store.ServedQuery) (s store.Served, err error) {
	if s.Totals, err = c.served(ctx, q); err != nil {
		return store.Served{}, fmt.Errorf("read what proxies served: %w", err)
	}
	if len(s.Totals) == 0 {
		return s, nil
	}
	if s.Calls, err = c.instanceCalls(ctx, q); err != nil {
		return store.Served{}, fmt.Errorf("read calls of instances: %w", err)
	}
	if s.Gaps, err = c.gaps(ctx, nil, q.From, q.To); err != nil {
		return store.Served{}, fmt.Errorf("read gaps: %w", err)
	}
	return s, nil
}

// servedSamples is the condition for samples of proxies' totals.
func servedSamples(q store.ServedQuery) string {
	attributes := make([]string, len(q.Attributes))
	for i, a := range q.Attributes {
		attributes[i] = fmt.Sprintf("position(metric, %s) > 0", quote(a))
	}
	return fmt.Sprintf("time >= %s AND time < %s AND replaceAll(substringIndex(metric, '{', 1), '.', '_') IN (%s) AND (%s)",
		instant(q.From), instant(q.To), quoteAll(q.Metrics), strings.Join(attributes, " OR "))
}

// served reads three samples a minute and total: between them, only a total that fell could tell more.
func (c *Client) served(ctx context.Context, q store.ServedQuery) (out []schemas.RunningTotal, err error) {
	sql := fmt.Sprintf("SELECT %s, metric, min(time), argMin(value, time), argMax(time, value), max(value), max(time), argMax(value, time) "+
		"FROM weir.samples WHERE %s GROUP BY %s, metric, toStartOfMinute(time)", sender, servedSamples(q), sender)
	_, err = read(ctx, c, nil, sql, func(rows driver.Rows) (one struct{}, err error) {
		var t schemas.RunningTotal
		var at [3]time.Time
		var value [3]float64
		if err := rows.Scan(append(scanSender(&t.From), &t.Metric, &at[0], &value[0], &at[1], &value[1], &at[2], &value[2])...); err != nil {
			return one, err
		}
		for i := range at {
			if t.Time, t.Value = at[i].UnixNano(), value[i]; i == 0 || value[i] != value[i-1] || !at[i].Equal(at[i-1]) {
				out = append(out, t)
			}
		}
		return one, nil
	})
	return out, err
}

func (c *Client) instanceCalls(ctx context.Context, q store.ServedQuery) ([]schemas.InstanceCalls, error) {
	sql := fmt.Sprintf("SELECT %s, window_start, sum(calls + rejected_mesh + rejected_weir) / 65536, sum(observed) AS n, sum(duration_ns) / %d "+
		"FROM weir.instance_10s WHERE window_start >= %s AND window_start < %s AND (tenant, cluster, namespace, workload) IN ("+
		"SELECT tenant, cluster, namespace, workload FROM weir.samples WHERE %s) GROUP BY %s, window_start HAVING n > 0",
		sender, int64(schemas.Shortest()), instant(q.From), instant(q.To), servedSamples(q), sender)
	return read(ctx, c, nil, sql, func(rows driver.Rows) (r schemas.InstanceCalls, err error) {
		var at time.Time
		err = rows.Scan(append(scanSender(&r.From), &at, &r.Calls, &r.Observed, &r.InFlight)...)
		r.Window = at.UnixNano()
		return r, err
	})
}
