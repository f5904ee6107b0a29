package clickhouse_test

import (
	"testing"

	"github.com/weirmesh/weir/schemas/ddl"
)

// TestFlavoursAreSQL lets ClickHouse parse what it cannot run here, without a cluster and Keeper.
func TestFlavoursAreSQL(t *testing.T) {
	_, cfg := bare(t)
	for _, f := range ddl.Flavours() {
		statements := ddl.Preparation()
		for _, m := range allMigrations(t) {
			statements = append(statements, m.Statements...)
		}
		if profile := f.Profile("mesh"); profile != "" {
			run(t, cfg, "EXPLAIN AST "+profile)
		}
		for _, one := range statements {
			for _, sql := range f.Render(one, "mesh") {
				run(t, cfg, "EXPLAIN AST "+sql)
			}
		}
	}
}
