package clickhouse

import (
	"context"
	"fmt"

	"github.com/weirmesh/weir/schemas/ddl"
)

// Migrate brings the schema up to this binary's version. It refuses a schema that a newer Weir has written: reading it wrongly would be
// worse than not at all. Every statement may run twice, so a crash in the middle is mended by the next start, and two processes may
// migrate at the same time.
func (c *Client) Migrate(ctx context.Context) error {
	pending, err := c.Pending(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	for _, sql := range ddl.Preparation() {
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("prepare migrations: %w", err)
		}
	}
	for _, m := range pending {
		if err := c.apply(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// Pending returns the migrations that the schema lacks, in order, and changes nothing. A schema that is newer than this binary is an error.
func (c *Client) Pending(ctx context.Context) ([]ddl.Migration, error) {
	migrations, err := ddl.Migrations()
	if err != nil {
		return nil, err
	}
	at, err := c.SchemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	if at > len(migrations) {
		return nil, fmt.Errorf("the schema in ClickHouse has version %d, this weir knows %d: use a weir at least as new as the one that wrote it",
			at, len(migrations))
	}
	return migrations[at:], nil
}

// CheckSchema is for processes that may not change the schema: it refuses one that is not of this binary's version.
func (c *Client) CheckSchema(ctx context.Context) error {
	pending, err := c.Pending(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	return fmt.Errorf("the schema in ClickHouse lacks migration %s: run `weir schema apply` as a user who may change it, or set clickhouse.migrate",
		pending[0].Name)
}

// SchemaVersion is the number of the last migration that was applied, 0 where there is no schema.
func (c *Client) SchemaVersion(ctx context.Context) (int, error) {
	var version uint32
	err := c.conn.QueryRow(ctx, "SELECT max(version) FROM weir.migrations").Scan(&version)
	if IsUnknownTable(err) || code(err) == unknownDatabase {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return int(version), nil
}

// unknownDatabase is ClickHouse's code for it.
const unknownDatabase = 81

func (c *Client) apply(ctx context.Context, m ddl.Migration) error {
	for i, sql := range m.Statements {
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.Name, i+1, err)
		}
	}
	if err := c.conn.Exec(ctx, m.Record()); err != nil {
		return fmt.Errorf("record migration %s: %w", m.Name, err)
	}
	return nil
}
