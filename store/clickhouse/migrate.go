package clickhouse

import (
	"context"
	"fmt"

	"github.com/weirmesh/weir/schemas/ddl"
)

// Migrate brings the schema up to this binary's version. It refuses a schema that a newer Weir has written: reading it wrongly would be
// worse than not at all. Every statement may run twice, so a crash in the middle is mended by the next start.
func (c *Client) Migrate(ctx context.Context) error {
	migrations, err := ddl.Migrations()
	if err != nil {
		return err
	}
	for _, sql := range []string{
		"CREATE DATABASE IF NOT EXISTS weir",
		"CREATE TABLE IF NOT EXISTS weir.migrations (version UInt32, name String, applied DateTime('UTC') DEFAULT now()) " +
			"ENGINE = ReplacingMergeTree ORDER BY version",
	} {
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("prepare migrations: %w", err)
		}
	}
	at, err := c.schemaVersion(ctx)
	if err != nil {
		return err
	}
	if at > len(migrations) {
		return fmt.Errorf("the schema in ClickHouse has version %d, this weir knows %d: use a weir at least as new as the one that wrote it",
			at, len(migrations))
	}
	for _, m := range migrations[at:] {
		if err := c.apply(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) schemaVersion(ctx context.Context) (int, error) {
	var version uint32
	if err := c.conn.QueryRow(ctx, "SELECT max(version) FROM weir.migrations").Scan(&version); err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return int(version), nil
}

func (c *Client) apply(ctx context.Context, m ddl.Migration) error {
	for i, sql := range m.Statements {
		if err := c.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.Name, i+1, err)
		}
	}
	sql := fmt.Sprintf("INSERT INTO weir.migrations (version, name) SELECT %d, %s", m.Version, quote(m.Name))
	if err := c.conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("record migration %s: %w", m.Name, err)
	}
	return nil
}
