package ddl_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/ddl"
)

func rendered(t *testing.T, f ddl.Flavour) (all []string) {
	t.Helper()
	for _, s := range append(ddl.Preparation(), statements(t)...) {
		all = append(all, f.Render(s, "mesh")...)
	}
	return all
}

func TestAFlavourSaysTheClusterEverywhere(t *testing.T) {
	if got := rendered(t, ddl.Single); !slices.Equal(got, append(ddl.Preparation(), statements(t)...)) {
		t.Error("a single server gets something else than its migrations")
	}
	plain := regexp.MustCompile(`ENGINE = (Aggregating|Replacing)MergeTree`)
	for _, f := range []ddl.Flavour{ddl.Replicated, ddl.Sharded} {
		for _, s := range rendered(t, f) {
			if strings.Count(s, "ON CLUSTER 'mesh'") != 1 {
				t.Errorf("%s: said on one server only:\n%s", f, s)
			}
			if plain.MatchString(s) {
				t.Errorf("%s: on one server only:\n%s", f, s)
			}
		}
	}
}

// TestAShardGuardsItsOwnMarks: rows of a source are on one shard, with their guard and their marks.
func TestAShardGuardsItsOwnMarks(t *testing.T) {
	all := rendered(t, ddl.Sharded)
	has := func(what string) bool {
		return slices.ContainsFunc(all, func(s string) bool { return strings.Contains(strings.Join(strings.Fields(s), " "), what) })
	}
	for _, table := range schemas.Tables() {
		name := table.String()
		for _, want := range []string{
			"weir." + name + " ON CLUSTER 'mesh' AS weir." + name + "_local ENGINE = Distributed('mesh', 'weir', '" + name + "_local', cityHash64(source))",
			"weir.in_" + name + " ON CLUSTER 'mesh' AS weir.in_" + name + "_local ENGINE = Distributed('mesh', 'weir', 'in_" + name + "_local', cityHash64(source))",
			"weir.guard_" + name + "_local ON CLUSTER 'mesh' TO weir." + name + "_local AS SELECT * EXCEPT (first_offset) FROM weir.in_" + name + "_local",
			"max(last_offset) AS mark FROM weir." + name + "_local GROUP BY day, name",
			"ALTER TABLE weir." + name + "_local ON CLUSTER 'mesh' MODIFY SETTING",
		} {
			if !has(want) {
				t.Errorf("nothing says %s", want)
			}
		}
	}
	for _, view := range []string{"service_windows_1m ON CLUSTER 'mesh' AS", "FROM weir.service_1m AS t", "FROM weir.decision_rows FINAL"} {
		if !has(view) {
			t.Errorf("views do not read all shards: nothing says %s", view)
		}
	}
}
