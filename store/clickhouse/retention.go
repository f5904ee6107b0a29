package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

// Retention says how long rows stay, by kind of table, counted from when they were stored.
type Retention struct {
	Short     time.Duration // windows of 10 s, and samples
	Minutes   time.Duration // windows of 1 min
	Hours     time.Duration // windows of 1 h
	Forecasts time.Duration
	Spans     time.Duration // as they came
	Decisions time.Duration // decisions, and what goes with them: findings and outcomes
}

// tables says how long each table's rows stay. Gaps stay as long as any window whose completeness they lower.
func (r Retention) tables() map[string]time.Duration {
	all := map[string]time.Duration{
		"samples": r.Short, "spans": r.Spans, "gaps": max(r.Short, r.Minutes, r.Hours), "forecast_rows": r.Forecasts,
		"finding_rows": r.Decisions, "decision_rows": r.Decisions, "outcome_rows": r.Decisions,
	}
	for _, t := range schemas.Tables() {
		switch time.Duration(t.Resolution) {
		case time.Minute:
			all[t.String()] = r.Minutes
		case time.Hour:
			all[t.String()] = r.Hours
		default:
			all[t.String()] = r.Short
		}
	}
	return all
}

// SetRetention changes the tables that keep rows for another time. Parts that are there learn of it when they merge; nothing is rewritten.
func (c *Client) SetRetention(ctx context.Context, r Retention) error {
	now, err := c.retention(ctx)
	if err != nil {
		return err
	}
	for table, want := range r.tables() {
		if now[table] == want {
			continue
		}
		sql := fmt.Sprintf("ALTER TABLE weir.%s MODIFY TTL stored + toIntervalSecond(%d) SETTINGS materialize_ttl_after_modify = 0",
			table, int64(want/time.Second))
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set retention of %s: %w", table, err)
		}
	}
	return nil
}

// tableTTL is one table's definition.
type tableTTL struct{ name, engine string }

// retention reads how long each table keeps its rows; those without a limit on stored are missing.
func (c *Client) retention(ctx context.Context) (map[string]time.Duration, error) {
	const sql = "SELECT name, engine_full FROM system.tables WHERE database = 'weir'"
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (t tableTTL, err error) { return t, rows.Scan(&t.name, &t.engine) })
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	out := map[string]time.Duration{}
	ttl := regexp.MustCompile(`TTL stored \+ toInterval(Second|Day)\((\d+)\)`)
	for _, t := range all {
		if m := ttl.FindStringSubmatch(t.engine); m != nil {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				return nil, fmt.Errorf("read retention of %s: %w", t.name, err)
			}
			out[t.name] = time.Duration(n) * map[string]time.Duration{"Second": time.Second, "Day": 24 * time.Hour}[m[1]]
		}
	}
	return out, nil
}
