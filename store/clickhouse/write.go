package clickhouse

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
)

var _ store.Writer = (*Client)(nil)

// daysPerInsert keeps an insert below ClickHouse's limit of 100 partitions. Marks are by day, so an insert may be cut between days.
const daysPerInsert = 50

// killWait bounds the wait for a doubtful insert to be gone.
const killWait = 5 * time.Second

// settings of every insert: it must become one part for each day, there or not there. The tables' own settings put it on disk before
// it is acknowledged.
const settings = "async_insert = 0, max_insert_threads = 1, max_threads = 1, input_format_parallel_parsing = 0, " +
	"min_insert_block_size_rows = 0, min_insert_block_size_bytes = 0, max_insert_block_size = 100000000, max_block_size = 100000000"

// Write makes a flush durable. The way into every table is guarded by its marks (migration 0002), so that writing again after any doubt
// counts nothing twice; and the marks are read back, so that what another worker wrote does not go unnoticed.
func (c *Client) Write(ctx context.Context, f store.Flush) error {
	want := schemas.Marks{}
	for _, table := range schemas.Tables() {
		for _, rows := range byDays(f.Partials[table], func(p schemas.Partial) int64 { return p.Start }) {
			if err := c.insertPartials(ctx, table, rows); err != nil {
				return err
			}
			for _, row := range rows {
				want[schemas.Mark{Table: table, Day: schemas.DayOf(row.Start), Source: row.Source}] = row.LastOffset
			}
		}
	}
	if err := c.verify(ctx, want); err != nil {
		return err
	}
	if err := c.insertSamples(ctx, f.Samples); err != nil {
		return err
	}
	if err := c.insertGaps(ctx, f.Gaps); err != nil {
		return err
	}
	return c.insertSpans(ctx, f.Spans)
}

// byDays sorts rows by their day and cuts them into pieces of at most daysPerInsert days.
func byDays[T any](rows []T, at func(T) int64) [][]T {
	if len(rows) == 0 {
		return nil
	}
	day := func(row T) schemas.Day { return schemas.DayOf(at(row)) }
	slices.SortStableFunc(rows, func(a, b T) int { return int(day(a) - day(b)) })
	var out [][]T
	begin, days, last := 0, 1, day(rows[0])
	for i, row := range rows {
		if day(row) == last {
			continue
		}
		last = day(row)
		if days++; days > daysPerInsert {
			out = append(out, rows[begin:i])
			begin, days = i, 1
		}
	}
	return append(out, rows[begin:])
}

func (c *Client) insertPartials(ctx context.Context, table schemas.Table, rows []schemas.Partial) error {
	value, err := columns.EncodePartials(table.Subject, rows)
	if err != nil {
		return err
	}
	if err := c.insert(ctx, insertSQL(table), value); err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", len(rows), table, err)
	}
	return nil
}

// insert sends one Arrow stream. If the outcome is in doubt, it makes sure that the server is not still at it: a repeated insert must
// not run beside the first.
func (c *Client) insert(ctx context.Context, sql string, value []byte) error {
	id := rand.Text()
	err := c.conn.InsertFormat(clickhouse.Context(ctx, clickhouse.WithQueryID(id)), "ArrowStream", sql, bytes.NewReader(value))
	if err == nil {
		return nil
	}
	if code(err) == 0 {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killWait)
		defer cancel()
		// If the server does not answer this either, it is gone, and so is its query.
		_ = c.conn.Exec(late, "KILL QUERY WHERE query_id = "+quote(id)+" SYNC")
	}
	return err
}

// insertSQL names the columns of the stream and the way into the table, where the guard is.
func insertSQL(table schemas.Table) string {
	var names []string
	for _, f := range columns.Windows(table.Subject).Fields() {
		names = append(names, f.Name)
	}
	return fmt.Sprintf("INSERT INTO weir.in_%s (%s) SETTINGS %s", table, strings.Join(names, ", "), settings)
}

// verify reads the marks back and compares them with what was written.
func (c *Client) verify(ctx context.Context, want schemas.Marks) error {
	var sources []string
	var tables []schemas.Table
	for mark := range want {
		if !slices.Contains(sources, mark.Source) {
			sources = append(sources, mark.Source)
		}
		if !slices.Contains(tables, mark.Table) {
			tables = append(tables, mark.Table)
		}
	}
	got, err := c.marks(ctx, tables, sources)
	if err != nil {
		return err
	}
	for mark, offset := range want {
		if got[mark] != offset {
			return fmt.Errorf("%s, day %d, %s: mark is %d, wrote %d: %w", mark.Table, mark.Day, mark.Source, got[mark], offset, store.ErrConflict)
		}
	}
	return nil
}

func (c *Client) insertSamples(ctx context.Context, samples []columns.Sample) error {
	for _, piece := range byDays(samples, func(s columns.Sample) int64 { return s.Time }) {
		batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO weir.in_samples (time, tenant, cluster, namespace, workload, instance, metric, unit, value)")
		if err != nil {
			return fmt.Errorf("insert %d samples: %w", len(piece), err)
		}
		for _, s := range piece {
			o := s.Origin
			err := batch.Append(time.Unix(0, s.Time).UTC(), o.Tenant, o.Cluster, o.Namespace, o.Name, o.Instance, s.Metric, s.Unit, s.Value)
			if err != nil {
				return fmt.Errorf("insert sample %s: %w", s.Metric, err)
			}
		}
		if err := batch.Send(); err != nil {
			return fmt.Errorf("insert %d samples: %w", len(piece), err)
		}
	}
	return nil
}

func (c *Client) insertGaps(ctx context.Context, gaps []schemas.Gap) error {
	if len(gaps) == 0 {
		return nil
	}
	batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO weir.gaps (`from`, `to`, scope, hop, kind, source, share, records, detail)")
	if err != nil {
		return fmt.Errorf("insert %d gaps: %w", len(gaps), err)
	}
	for _, g := range gaps {
		err := batch.Append(time.Unix(0, g.From).UTC(), time.Unix(0, g.To).UTC(), g.Scope, g.Hop, string(g.Kind), g.Source, g.Share, g.Records, g.Detail)
		if err != nil {
			return fmt.Errorf("insert gap: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert %d gaps: %w", len(gaps), err)
	}
	return nil
}
