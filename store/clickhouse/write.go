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

// settings of every insert. An insert must become one part for each day, there or not there, and on disk when it is acknowledged.
const settings = "async_insert = 0, max_insert_threads = 1, max_threads = 1, input_format_parallel_parsing = 0, " +
	"min_insert_block_size_rows = 0, min_insert_block_size_bytes = 0, max_insert_block_size = 100000000, max_block_size = 100000000, " +
	"fsync_after_insert = 1, fsync_part_directory = 1"

// Write makes a flush durable. Every insert is guarded by the marks it would raise, so that writing again after any doubt counts
// nothing twice, and the marks are read back, so that what another worker wrote does not go unnoticed.
func (c *Client) Write(ctx context.Context, f store.Flush) error {
	want := schemas.Marks{}
	for _, table := range schemas.Tables() {
		for _, rows := range byDays(f.Partials[table]) {
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
	return c.insertGaps(ctx, f.Gaps)
}

// byDays cuts rows into pieces of at most daysPerInsert days.
func byDays(rows []schemas.Partial) [][]schemas.Partial {
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b schemas.Partial) int { return int(schemas.DayOf(a.Start) - schemas.DayOf(b.Start)) })
	var out [][]schemas.Partial
	begin, days, last := 0, 1, schemas.DayOf(rows[0].Start)
	for i, row := range rows {
		day := schemas.DayOf(row.Start)
		if day == last {
			continue
		}
		if days++; days > daysPerInsert {
			out = append(out, rows[begin:i])
			begin, days = i, 1
		}
		last = day
	}
	return append(out, rows[begin:])
}

func (c *Client) insertPartials(ctx context.Context, table schemas.Table, rows []schemas.Partial) error {
	value, err := columns.EncodePartials(table.Subject, rows)
	if err != nil {
		return err
	}
	if err := c.insert(ctx, insertSQL(table, sourcesOf(rows)), value); err != nil {
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

// insertSQL inserts what is above the table's marks. A mark is stored as the last offset counted; absent ones read as 0, so both sides
// are moved up by one.
func insertSQL(table schemas.Table, sources []string) string {
	var names, types []string
	for _, f := range columns.Windows(table.Subject).Fields() {
		types = append(types, f.Name+" "+columnType(f.Name))
		if f.Name != "first_offset" {
			names = append(names, f.Name)
		}
	}
	list := strings.Join(names, ", ")
	return fmt.Sprintf("INSERT INTO weir.%s (%s) SELECT %s FROM input(%s) "+
		"WHERE first_offset >= (SELECT mapFromArrays(groupArray(concat(toString(day), ' ', name)), groupArray(mark + 1)) FROM (SELECT %s))"+
		"[concat(toString(toYYYYMMDD(window_start)), ' ', source)] SETTINGS %s",
		table, list, list, quote(strings.Join(types, ", ")), marksOf(table, sources), settings)
}

// columnType is the ClickHouse type of a column of columns.Windows as it arrives.
func columnType(name string) string {
	switch name {
	case "window_start":
		return "DateTime64(3, 'UTC')"
	case "first_offset", "last_offset":
		return "Int64"
	case "evidence":
		return "UInt8"
	case "histogram":
		return "Map(Int16, UInt64)"
	case "callers":
		return "Array(String)"
	}
	for m := range schemas.MeasureCount {
		if m.String() == name {
			return "UInt64"
		}
	}
	return "String"
}

func sourcesOf(rows []schemas.Partial) []string {
	var out []string
	for _, row := range rows {
		if !slices.Contains(out, row.Source) {
			out = append(out, row.Source)
		}
	}
	return out
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
	if len(samples) == 0 {
		return nil
	}
	batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO weir.samples (time, tenant, cluster, namespace, workload, instance, metric, unit, value)")
	if err != nil {
		return fmt.Errorf("insert %d samples: %w", len(samples), err)
	}
	for _, s := range samples {
		o := s.Origin
		err := batch.Append(time.Unix(0, s.Time).UTC(), o.Tenant, o.Cluster, o.Namespace, o.Name, o.Instance, s.Metric, s.Unit, s.Value)
		if err != nil {
			return fmt.Errorf("insert sample %s: %w", s.Metric, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert %d samples: %w", len(samples), err)
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
