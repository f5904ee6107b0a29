package clickhouse_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/ddl"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

// released is the schema's version before the decision services.
const released = 5

// run sends a statement without asking for a database, which may not be there yet.
func run(t *testing.T, cfg clickhouse.Config, sql string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+cfg.Address, strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", sql, resp.Status)
	}
}

// releasedSchema returns a client of an engine as a Weir before the decision services left it.
func releasedSchema(t *testing.T, all []ddl.Migration) (*clickhouse.Client, clickhouse.Config) {
	t.Helper()
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	run(t, cfg, "CREATE DATABASE weir")
	run(t, cfg, "CREATE TABLE weir.migrations (version UInt32, name String, applied DateTime('UTC') DEFAULT now()) "+
		"ENGINE = ReplacingMergeTree ORDER BY version")
	for _, m := range all[:released] {
		for _, sql := range m.Statements {
			run(t, cfg, sql)
		}
		run(t, cfg, fmt.Sprintf("INSERT INTO weir.migrations (version, name) SELECT %d, '%s'", m.Version, m.Name))
	}
	c, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return c, cfg
}

// contract is every column of every view of windows, with its type.
const contract = "SELECT table, name, type FROM system.columns WHERE database = 'weir' AND table LIKE '%\\_windows%' " +
	"ORDER BY table, position"

func TestMigrationFromTheReleasedSchema(t *testing.T) {
	all, err := ddl.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	c, cfg := releasedSchema(t, all)
	f := flush(0, 9, day, day+15*second)
	for table := range f.Partials {
		f.Partials[table][1].Measures[schemas.RejectedWeir] = 1 << 16 // refused by Weir, in a row that an older Weir wrote
	}
	write(t, c, f)
	columns, windows := ask(t, cfg, contract), ask(t, cfg, "SELECT * EXCEPT (acted_on) FROM service_windows ORDER BY window_start")
	if strings.Count(columns, "\n") < 9*30 {
		t.Fatalf("the views have only these columns:\n%s", columns)
	}
	migrate(t.Context(), t, c)
	for _, m := range all { // a crash may leave any of them half done
		for _, sql := range m.Statements {
			run(t, cfg, sql)
		}
	}
	migrate(t.Context(), t, c)
	if got := ask(t, cfg, contract); got != columns {
		t.Errorf("the views' columns were\n%s\nand are\n%s", columns, got)
	}
	if got := ask(t, cfg, "SELECT * EXCEPT (acted_on) FROM service_windows ORDER BY window_start"); got != windows {
		t.Errorf("windows were\n%s\nand are\n%s", windows, got)
	}
	if got := calls(t, cfg); got != "4" {
		t.Errorf("%s calls are left of 4", got)
	}
	for _, view := range []string{"service_windows", "edge_windows", "instance_windows"} {
		if got := ask(t, cfg, "SELECT acted_on FROM "+view+" ORDER BY window_start"); got != "0\n1" {
			t.Errorf("%s: acted_on is %q, want 0 and 1", view, got)
		}
	}
}

func migrate(ctx context.Context, t *testing.T, c *clickhouse.Client) {
	t.Helper()
	if err := c.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
}
