// Package verify compares what ClickHouse holds with the truth: every table of partial windows, added up, and every public view, window by
// window, and the marks. Rows are read as a stream; the truth of one table at a time is held in memory.
package verify

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/torture/traffic"
)

// Config says what to compare.
type Config struct {
	ClickHouse clickhouse.Config
	Truth      *traffic.Truth
	// Ends is the end of the log of each source by its name: the offset that its next message will have. nil = not known.
	Ends map[string]int64
}

// Run compares everything. An error means that it could not be read; what is wrong is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	var r Report
	for _, t := range schemas.Tables() {
		truth := cfg.Truth.Table(t)
		for _, v := range []view{base(t), public(t)} {
			compared, err := compare(ctx, cfg.ClickHouse, v, truth)
			if err != nil {
				return r, fmt.Errorf("verify %s: %w", v.name, err)
			}
			r.Tables = append(r.Tables, compared)
		}
	}
	var err error
	if r.Marks, err = marks(ctx, cfg); err != nil {
		return r, fmt.Errorf("verify marks: %w", err)
	}
	return r, nil
}

// compare reads one table or view and holds each row to the truth.
func compare(ctx context.Context, cfg clickhouse.Config, v view, truth traffic.Table) (Table, error) {
	c := newComparison(v, truth)
	err := read(ctx, cfg, v.sql, c.row)
	return c.result(), err
}

// read calls fn with each line of an answer in the format TSV. The line is valid until fn returns.
func read(ctx context.Context, cfg clickhouse.Config, sql string, fn func(line []byte) error) error {
	out, in := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := clickhouse.Query(ctx, cfg, sql, "TSV", in)
		in.CloseWithError(err)
		return err
	})
	group.Go(func() error {
		err := lines(out, fn)
		out.CloseWithError(err)
		return err
	})
	return group.Wait()
}
