package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// position is how far one shard of a stage has come.
type position struct {
	shard uint32
	at    time.Time
}

// Positions reads how far a stage has come: every window of a shard that ends at or before its time is decided and published. A shard that
// is not there has not begun.
func (c *Client) Positions(ctx context.Context, stage string) (map[int]time.Time, error) {
	sql := "SELECT shard, max(at) FROM weir.positions WHERE stage = " + quote(stage) + " GROUP BY shard"
	rows, err := read(ctx, c, nil, sql, func(rows driver.Rows) (p position, err error) { return p, rows.Scan(&p.shard, &p.at) })
	if err != nil {
		return nil, fmt.Errorf("read positions of %s: %w", stage, err)
	}
	out := map[int]time.Time{}
	for _, p := range rows {
		out[int(p.shard)] = p.at.UTC()
	}
	return out, nil
}

// SavePositions records how far a stage has come. A position never goes back: an earlier time than the stored one changes nothing.
func (c *Client) SavePositions(ctx context.Context, stage string, at map[int]time.Time) error {
	var rows []position
	for _, shard := range slices.Sorted(maps.Keys(at)) {
		if shard < 0 || shard > math.MaxUint32 {
			return fmt.Errorf("save position of %s: there is no shard %d", stage, shard)
		}
		if !at[shard].IsZero() { // not begun is not a place
			rows = append(rows, position{uint32(shard), at[shard]})
		}
	}
	err := insertRows(ctx, c, "positions", "stage, shard, at", rows, func(p position) time.Time { return p.at },
		func(p position) []any { return []any{stage, p.shard, p.at} })
	return wrap("save positions of "+stage, err)
}
