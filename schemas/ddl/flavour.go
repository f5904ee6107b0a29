package ddl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Flavour is how the schema is laid out over the servers of a cluster. See ADR 019 for what holds where.
type Flavour string

// The flavours. Migrations speaks of Single; the others are for servers that people run themselves.
const (
	Single     Flavour = "single"     // one server
	Replicated Flavour = "replicated" // every server has everything
	Sharded    Flavour = "sharded"    // windows are spread over shards by their source, what is decided by its workload
)

// Flavours lists them all.
func Flavours() []Flavour { return []Flavour{Single, Replicated, Sharded} }

// Render returns a statement of a migration for a flavour: one statement, or in Sharded several. cluster is a name of system.clusters.
func (f Flavour) Render(statement, cluster string) []string {
	if f == Single || !defines.MatchString(statement) {
		return []string{statement}
	}
	on := fmt.Sprintf("$0 ON CLUSTER '%s'", cluster)
	if f == Sharded {
		return sharded(statement, cluster, on)
	}
	return []string{replicated(defines.ReplaceAllString(statement, on), "{shard}", "{replica}")}
}

var (
	defines = regexp.MustCompile(`^(CREATE (OR REPLACE )?(DATABASE|TABLE|VIEW|MATERIALIZED VIEW|FUNCTION)|ALTER TABLE)( IF NOT EXISTS)? [\w.]+`)
	engine  = regexp.MustCompile(`ENGINE = (Aggregating|Replacing)MergeTree(?:\((\w+)\))?`)
	table   = regexp.MustCompile(`weir\.((?:in_|guard_)?(?:(?:service|edge|instance)_1(?:0s|m|h)|spans)|samples|gaps|\w+_rows)\b`)
	made    = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS weir\.(\w+)`)
)

// replicated gives a table its place in Keeper. Blocks are never deduplicated: marks do that, and two equal samples are two.
func replicated(statement, shard, replica string) string {
	return engine.ReplaceAllStringFunc(statement, func(e string) string {
		m := engine.FindStringSubmatch(e)
		args := []string{fmt.Sprintf("'/clickhouse/tables/{uuid}/%s'", shard), "'" + replica + "'"}
		if m[2] != "" {
			args = append(args, m[2])
		}
		return fmt.Sprintf("ENGINE = Replicated%sMergeTree(%s)", m[1], strings.Join(args, ", "))
	})
}

// sharded gives each shard a table of its own under the name with _local, and what people and stages use the name itself.
func sharded(statement, cluster, on string) []string {
	name := made.FindStringSubmatch(statement)
	if strings.Contains(statement, " VIEW ") && !strings.Contains(statement, "MATERIALIZED VIEW") {
		return []string{defines.ReplaceAllString(statement, on)}
	}
	local := table.ReplaceAllString(statement, "weir.${1}_local")
	local = defines.ReplaceAllString(local, on)
	if name == nil || !table.MatchString("weir."+name[1]) { // the few rows of the rest are on every server
		return []string{replicated(local, "all", "{shard}-{replica}")}
	}
	key := "cityHash64(source)"
	if !slices.Contains([]string{"service", "edge", "instance", "gaps", "spans", "in"}, strings.Split(name[1], "_")[0]) {
		key = "cityHash64(workload)"
	}
	if name[1] == "outcome_rows" {
		key = "cityHash64(decision_id)"
	}
	return []string{
		replicated(local, "{shard}", "{replica}"),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS weir.%[1]s ON CLUSTER '%[2]s' AS weir.%[1]s_local ENGINE = Distributed('%[2]s', 'weir', '%[1]s_local', %[3]s)",
			name[1], cluster, key),
	}
}

// Profile returns the statement that makes the settings which the user of the stages needs in a flavour, "" for none.
func (f Flavour) Profile(cluster string) string {
	if f == Single {
		return ""
	}
	return fmt.Sprintf("CREATE SETTINGS PROFILE OR REPLACE weir_stages ON CLUSTER '%s' SETTINGS insert_quorum = 'auto', "+
		"insert_quorum_parallel = 0, select_sequential_consistency = 1, insert_deduplicate = 0, distributed_foreground_insert = 1, "+
		"prefer_localhost_replica = 1, load_balancing = 'in_order'", cluster)
}
