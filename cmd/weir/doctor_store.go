package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/doctor"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/ddl"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// column reads the first column of an answer.
func column(ctx context.Context, cfg clickhouse.Config, sql string) ([]string, error) {
	var text bytes.Buffer
	if err := clickhouse.Query(ctx, cfg, sql, "TabSeparated", &text); err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(text.String()) {
		first, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, first)
	}
	return all, nil
}

// store asks ClickHouse how it is, and what came in.
func (g *examiner) store(ctx context.Context) (*doctor.Store, *doctor.Telemetry) {
	if g.clickhouse == "" {
		return nil, nil
	}
	s := &doctor.Store{}
	cfg, err := g.clickhouseConfig(g.clickhouse)
	if err == nil {
		err = g.askStoreItself(ctx, cfg, s)
	}
	if err == nil && s.Schema > 0 {
		err = askTables(ctx, cfg, s)
	}
	var t *doctor.Telemetry
	if err == nil && s.Schema > 0 && len(s.MissingFunctions) == 0 {
		t, err = askTelemetry(ctx, cfg)
	}
	if err != nil {
		return &doctor.Store{Err: err.Error()}, nil
	}
	return s, t
}

// askStoreItself asks what needs no tables: version, clock, disk, functions, schema.
func (g *examiner) askStoreItself(ctx context.Context, cfg clickhouse.Config, s *doctor.Store) error {
	migrations, err := ddl.Migrations()
	if err != nil {
		return err
	}
	s.WantSchema = len(migrations)
	var clock int64
	asked := g.now()
	err = ask(ctx, cfg, "SELECT version(), toUnixTimestamp64Milli(now64(3))", &s.Version, &clock)
	if err != nil && strings.Contains(err.Error(), "UNKNOWN_DATABASE") {
		s.Version = "without a database weir" // the first migration makes it
		return nil
	}
	if err != nil {
		return err
	}
	s.Uncertainty = g.now().Sub(asked) / 2
	s.Ahead = time.UnixMilli(clock).Sub(asked.Add(s.Uncertainty))
	if err := ask(ctx, cfg, "SELECT count() FROM system.tables WHERE database = 'weir' AND name = 'migrations'", &s.Schema); err != nil || s.Schema == 0 {
		return err
	}
	if err := ask(ctx, cfg, "SELECT max(version) FROM weir.migrations", &s.Schema); err != nil {
		return err
	}
	if err := ask(ctx, cfg, "SELECT min(free_space), min(total_space) FROM system.disks", &s.DiskFree, &s.DiskAll); err != nil {
		return err
	}
	there, err := column(ctx, cfg, "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'")
	if err != nil {
		return err
	}
	for _, name := range functionsOf(migrations) {
		if !slices.Contains(there, name) {
			s.MissingFunctions = append(s.MissingFunctions, name)
		}
	}
	return nil
}

// functionsOf lists the functions that migrations make.
func functionsOf(migrations []ddl.Migration) (names []string) {
	made := regexp.MustCompile(`CREATE OR REPLACE FUNCTION (\w+)`)
	for _, m := range migrations {
		for _, sql := range m.Statements {
			for _, found := range made.FindAllStringSubmatch(sql, -1) {
				if !slices.Contains(names, found[1]) {
					names = append(names, found[1])
				}
			}
		}
	}
	return names
}

// askTables asks how the tables are kept.
func askTables(ctx context.Context, cfg clickhouse.Config, s *doctor.Store) error {
	c, err := clickhouse.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it was only asked
	if _, err := c.SourceMarks(ctx); err != nil {
		s.MarksErr = err.Error()
	}
	const parts = "SELECT max(n), argMax(name, n) FROM (SELECT concat(table, '/', partition) AS name, count() AS n FROM system.parts " +
		"WHERE active AND database = 'weir' GROUP BY table, partition)"
	var name string
	if err := ask(ctx, cfg, parts+" HAVING count() > 0", &s.MaxParts, &name); err == nil {
		s.MaxPartsIn = name // no row: no parts
	}
	if err := ask(ctx, cfg, "SELECT value FROM system.merge_tree_settings WHERE name = 'parts_to_throw_insert'", &s.LimitOf); err != nil {
		return fmt.Errorf("read the limit of parts: %w", err)
	}
	ttl, err := column(ctx, cfg, "SELECT extract(engine_full, 'TTL stored \\\\+ toIntervalSecond\\\\((\\\\d+)\\\\)') FROM system.tables "+
		"WHERE database = 'weir' AND name = 'service_10s'")
	if err != nil {
		return err
	}
	if len(ttl) == 1 {
		if seconds, err := strconv.ParseInt(ttl[0], 10, 64); err == nil {
			s.Retention = time.Duration(seconds) * time.Second
		}
	}
	s.StuckMutations, err = column(ctx, cfg, "SELECT concat(table, ': ', if(latest_fail_reason = '', 'running for more than 10 min', latest_fail_reason)) "+
		"FROM system.mutations WHERE database = 'weir' AND NOT is_done AND (create_time < now() - 600 OR latest_fail_reason != '')")
	return err
}

// askTelemetry adds up what was stored in the last hour.
func askTelemetry(ctx context.Context, cfg clickhouse.Config) (*doctor.Telemetry, error) {
	t := &doctor.Telemetry{}
	var weighted int
	const sums = "SELECT sum(spans), sum(duplicates), sum(orphans), sum(missing), weirCalls(sum(calls)), sum(observed), " +
		"sum(calls) + sum(rejected_mesh) + sum(rejected_weir) > 65536 * sum(observed), sum(clock_skew), " +
		"weirCalls(sumIf(calls, workload = '" + schemas.UnknownService + "')) FROM service_10s WHERE stored > now() - 3600"
	err := ask(ctx, cfg, sums, &t.Spans, &t.Duplicates, &t.Orphans, &t.Missing, &t.Calls, &t.Observed, &weighted, &t.Skewed, &t.Unnamed)
	if err != nil {
		return nil, fmt.Errorf("add up the last hour: %w", err)
	}
	t.Weighted = weighted == 1
	if err := ask(ctx, cfg, "SELECT count() FROM gaps FINAL WHERE stored > now() - 3600 AND share > 0 AND kind != 'quiet'", &t.Gaps); err != nil {
		return nil, fmt.Errorf("count gaps: %w", err)
	}
	t.Ahead, err = column(ctx, cfg, "SELECT DISTINCT concat(namespace, '/', workload) FROM service_10s "+
		"WHERE stored > now() - 3600 AND window_start > stored + 60 AND spans > 0 ORDER BY 1 LIMIT 100")
	return t, err
}

// kafka asks the cluster, and adds the dead letters of the last day to what is known of the telemetry.
func (g *examiner) kafka(ctx context.Context, t *doctor.Telemetry) *doctor.Kafka {
	if len(g.brokers) == 0 {
		return nil
	}
	k, err := kafka.New(g.kafkaConfig(g.brokers))
	if err != nil {
		return &doctor.Kafka{Err: err.Error()}
	}
	defer k.Close()
	out, err := g.askCluster(ctx, k)
	if err != nil {
		return &doctor.Kafka{Err: err.Error()}
	}
	if t != nil {
		if letters, err := deadLetters(ctx, k); err == nil { // without the topic there are none, and kafka.topics says so
			t.Letters = lettersOf(letters, g.now().Add(-24*time.Hour))
		}
	}
	return out
}

func (g *examiner) askCluster(ctx context.Context, k *kafka.Client) (*doctor.Kafka, error) {
	out := &doctor.Kafka{}
	var err error
	if out.ClusterID, err = k.ClusterID(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range g.topics() {
		names = append(names, t.Name)
	}
	states, err := k.DescribeTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	recorded := g.recorded(ctx, out.ClusterID)
	for i, want := range g.topics() {
		s := states[i]
		out.Topics = append(out.Topics, doctor.Topic{
			Name: s.Name, Missing: s.Partitions == 0, Partitions: s.Partitions, Want: want.Partitions, Recorded: recorded[s.Name],
			Replication: s.Replication, WantReplication: want.Replication, InSync: s.InSync, MinInSync: s.MinInSync(),
			Retention: s.Retention(), WantRetention: want.Retention, RetentionUnlimited: s.Retention() < 0, RetentionKnown: s.Retention() != 0,
			Cleanup: s.Config[kafka.CleanupPolicy], MaxBytes: s.MaxBytes(), LeastBytes: largestBatch,
		})
		if s.Partitions == 0 {
			return out, nil // the rest asks about all of them
		}
	}
	return out, g.askGroups(ctx, k, out)
}

func (g *examiner) askGroups(ctx context.Context, k *kafka.Client, out *doctor.Kafka) error {
	for _, group := range []struct {
		name, stage string
		topics      []string
	}{
		{g.cfg.Kafka.Group, "features", topicsRead()},
		{groupOf(stageActuator), stageActuator, []string{wire.TopicDecisions}},
	} {
		s, err := k.DescribeGroup(ctx, group.name, group.topics...)
		if err != nil {
			return err
		}
		out.Groups = append(out.Groups, doctor.Group{Name: group.name, Stage: group.stage, Committed: s.Committed, Members: s.Members, Lag: s.Lag})
	}
	_, last, err := lastProgress(ctx, k)
	if err == nil && !last.IsZero() {
		out.Ahead = max(0, last.Sub(g.now()))
	}
	return err
}

// recorded is with how many partitions the windows of each topic were counted; none where ClickHouse does not say.
func (g *examiner) recorded(ctx context.Context, incarnation string) map[string]int {
	out := map[string]int{}
	cfg, err := g.clickhouseConfig(g.clickhouse)
	if err != nil || g.clickhouse == "" {
		return out
	}
	for _, topic := range topicsRead() {
		var n int
		sql := fmt.Sprintf("SELECT argMax(partitions, epoch) FROM weir.topics WHERE topic = '%s' AND incarnation = '%s'", topic, strings.ReplaceAll(incarnation, "'", ""))
		if ask(ctx, cfg, sql, &n) == nil {
			out[topic] = n
		}
	}
	return out
}

// lettersOf groups the letters since a time by stage and reason, the most frequent first, at most five.
func lettersOf(letters []letter, since time.Time) []doctor.Letters {
	type key struct{ stage, reason string }
	groups := map[key]*doctor.Letters{}
	for _, l := range letters {
		if l.Time.Before(since) {
			continue
		}
		k := key{l.Stage, l.Reason}
		if groups[k] == nil {
			groups[k] = &doctor.Letters{Stage: l.Stage, Reason: l.Reason}
		}
		groups[k].Count++
		groups[k].Last = later(groups[k].Last, l.Time)
	}
	var out []doctor.Letters
	for _, g := range groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b doctor.Letters) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Stage+a.Reason, b.Stage+b.Reason))
	})
	return out[:min(len(out), 5)]
}
