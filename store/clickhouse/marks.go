package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Marks reads the marks of the given sources in all tables. The projection of each table answers it without reading rows.
func (c *Client) Marks(ctx context.Context, sources []schemas.Source) (schemas.Marks, error) {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.String()
	}
	return c.marks(ctx, schemas.Tables(), names)
}

func (c *Client) marks(ctx context.Context, tables []schemas.Table, sources []string) (schemas.Marks, error) {
	out := schemas.Marks{}
	if len(sources) == 0 || len(tables) == 0 {
		return out, nil
	}
	var parts []string
	for i, t := range tables {
		parts = append(parts, fmt.Sprintf("SELECT toUInt8(%d) AS at, %s", i, marksOf(t, sources)))
	}
	rows, err := c.conn.Query(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var (
			at     uint8
			day    uint32
			source string
			offset int64
		)
		if err := rows.Scan(&at, &day, &source, &offset); err != nil {
			return nil, fmt.Errorf("read marks: %w", err)
		}
		out[schemas.Mark{Table: tables[at], Day: schemas.Day(day), Source: source}] = offset
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	return out, nil
}

// marksOf is the rest of a SELECT of one table's marks: day, source, mark. It matches the table's projection.
func marksOf(t schemas.Table, sources []string) string {
	quoted := make([]string, len(sources))
	for i, s := range sources {
		quoted[i] = quote(s)
	}
	return fmt.Sprintf("toYYYYMMDD(window_start) AS day, source AS name, max(last_offset) AS mark FROM weir.%s WHERE source IN (%s) GROUP BY day, name",
		t, strings.Join(quoted, ", "))
}

// SourceMarks is the largest offset that any stored 10 s service window includes, by source.
func (c *Client) SourceMarks(ctx context.Context) (map[string]int64, error) {
	rows, err := c.conn.Query(ctx, "SELECT source, max(last_offset) FROM weir.service_10s GROUP BY source")
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	out := map[string]int64{}
	for rows.Next() {
		var source string
		var offset int64
		if err := rows.Scan(&source, &offset); err != nil {
			return nil, fmt.Errorf("read marks: %w", err)
		}
		out[source] = offset
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	return out, nil
}
