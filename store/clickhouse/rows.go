package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// read appends what a statement answers to rows.
func read[T any](ctx context.Context, c *Client, rows []T, sql string, scan func(driver.Rows) (T, error)) ([]T, error) {
	answer, err := c.conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Close() }() // Err tells what went wrong
	for answer.Next() {
		row, err := scan(answer)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, answer.Err()
}

// rowsPerInsert bounds what an insert holds in memory, and monthsPerInsert keeps it below ClickHouse's limit of 100 partitions.
const (
	rowsPerInsert   = 50_000
	monthsPerInsert = 50
)

// insertRows writes rows into a table, in pieces. A table of the decision services replaces rows of the same key, so that all of it may be
// repeated. When it returns nil, the rows are durable.
func insertRows[T any](ctx context.Context, c *Client, table, columns string, rows []T, at func(T) time.Time, values func(T) []any) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0}))
	for _, piece := range pieces(rows, at) {
		if err := insertPiece(ctx, c, fmt.Sprintf("INSERT INTO weir.%s (%s)", table, columns), piece, values); err != nil {
			return fmt.Errorf("insert %d rows into %s: %w", len(piece), table, err)
		}
	}
	return nil
}

func insertPiece[T any](ctx context.Context, c *Client, sql string, rows []T, values func(T) []any) error {
	batch, err := c.conn.PrepareBatch(ctx, sql)
	if err != nil {
		return err
	}
	defer func() { _ = batch.Close() }() // of no consequence once it is sent
	for _, row := range rows {
		if err := batch.Append(values(row)...); err != nil {
			return err
		}
	}
	return batch.Send()
}

// pieces cuts rows, in their order, where an insert would hold too many of them or of their months.
func pieces[T any](rows []T, at func(T) time.Time) (out [][]T) {
	begin, months := 0, map[int]bool{}
	for i, row := range rows {
		y, m, _ := at(row).UTC().Date()
		month := 12*y + int(m)
		if i-begin >= rowsPerInsert || len(months) >= monthsPerInsert && !months[month] {
			out = append(out, rows[begin:i])
			begin = i
			clear(months)
		}
		months[month] = true
	}
	if begin < len(rows) {
		out = append(out, rows[begin:])
	}
	return out
}
