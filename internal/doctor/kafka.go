package doctor

import (
	"fmt"
	"strings"
	"time"
)

func checkRuns(f Facts) []Result {
	return []Result{failed("runs", "no Weir runs on "+f.Host.DataDir+", the rest cannot be looked at", "start `weir up` on it, or name --kafka and --clickhouse")}
}

func checkKafka(f Facts) []Result {
	k := f.Kafka
	switch {
	case k == nil:
		return []Result{failed("kafka.answers", "no Kafka is known: nothing runs here", "start `weir up` on this data directory, or name --kafka")}
	case k.Err != "":
		return []Result{failed("kafka.answers", k.Err, "start the brokers, or correct kafka.addresses and kafka.tls")}
	}
	all := []Result{ok("kafka.answers", "cluster %s answers", k.ClusterID)}
	var wrong []Result
	for _, t := range k.Topics {
		wrong = append(wrong, checkTopic(t)...)
	}
	all = append(all, orOK(wrong, "kafka.topics", "all %d topics are as they should be", len(k.Topics))...)
	for _, g := range k.Groups {
		all = append(all, checkGroup(g))
	}
	return append(all, clock("kafka.clock", "whoever writes weir.progress", k.Ahead, 0))
}

func checkTopic(t Topic) (all []Result) {
	const check = "kafka.topics"
	if t.Missing {
		return []Result{failed(check, fmt.Sprintf("topic %s is not there", t.Name), "start a stage: each makes the topics that are missing, if it may create topics")}
	}
	switch {
	case t.Recorded > 0 && t.Partitions != t.Recorded:
		all = append(all, failed(check, fmt.Sprintf("topic %s has %d partitions, its windows were counted with %d", t.Name, t.Partitions, t.Recorded),
			"make the topic anew with the old number, or start with an empty ClickHouse: rows are placed by it"))
	case t.Partitions != t.Want:
		all = append(all, failed(check, fmt.Sprintf("topic %s has %d partitions, %d are configured", t.Name, t.Partitions, t.Want),
			fmt.Sprintf("set kafka.partitions to %d", t.Partitions)))
	}
	if t.Replication < t.WantReplication {
		all = append(all, warning(check, fmt.Sprintf("topic %s has %d copies, %d are configured", t.Name, t.Replication, t.WantReplication),
			"reassign its partitions (kafka-reassign-partitions), or set kafka.replication to what you mean"))
	}
	switch {
	case t.InSync < t.MinInSync:
		all = append(all, failed(check, fmt.Sprintf("a partition of %s has %d copies in sync and needs %d: nothing can be written to it", t.Name, t.InSync, t.MinInSync),
			"bring the missing brokers back"))
	case t.InSync < t.Replication:
		all = append(all, warning(check, fmt.Sprintf("a partition of %s has %d of %d copies in sync", t.Name, t.InSync, t.Replication), "bring the missing brokers back"))
	case t.Replication > 2 && t.MinInSync == 1:
		all = append(all, warning(check, fmt.Sprintf("topic %s acknowledges with one copy (min.insync.replicas 1)", t.Name), "set min.insync.replicas of the topic to 2"))
	}
	if t.RetentionKnown && !t.RetentionUnlimited && t.Retention < t.WantRetention {
		all = append(all, warning(check, fmt.Sprintf("topic %s keeps %s, %s are configured", t.Name, short(t.Retention), short(t.WantRetention)),
			fmt.Sprintf("kafka-configs --alter --entity-type topics --entity-name %s --add-config retention.ms=%d", t.Name, t.WantRetention.Milliseconds())))
	}
	return append(all, checkTopicForm(t)...)
}

// checkTopicForm finds settings with which a topic keeps or takes less than Weir writes.
func checkTopicForm(t Topic) (all []Result) {
	const check, advice = "kafka.topics", "`weir topics apply` sets it"
	if t.Cleanup != "" && t.Cleanup != "delete" {
		all = append(all, failed(check, fmt.Sprintf("topic %s is compacted (cleanup.policy %s): messages without a key are refused, and of those with the same key all but the last are lost",
			t.Name, t.Cleanup), advice))
	}
	if t.MaxBytes > 0 && t.MaxBytes < t.LeastBytes {
		all = append(all, warning(check, fmt.Sprintf("topic %s takes messages of %d bytes at most: larger ones are refused, and their senders told", t.Name, t.MaxBytes), advice))
	}
	return all
}

func checkGroup(g Group) Result {
	check := "kafka.group." + g.Stage
	switch {
	case !g.Committed && g.Lag > 0 && g.Members == 0:
		return warning(check, fmt.Sprintf("group %s has never committed, and %d messages wait", g.Name, g.Lag), fmt.Sprintf("start `weir %s`", g.Stage))
	case !g.Committed:
		return ok(check, "group %s has nothing to do yet", g.Name)
	case g.Lag > 0:
		return ok(check, "group %s has %d messages before it", g.Name, g.Lag)
	}
	return ok(check, "group %s has read all", g.Name)
}

func checkStore(f Facts) []Result {
	s := f.Store
	switch {
	case s == nil:
		return []Result{failed("clickhouse.answers", "no ClickHouse is known: nothing runs here", "start `weir up` on this data directory, or name --clickhouse")}
	case s.Err != "":
		return []Result{failed("clickhouse.answers", s.Err, "start it, or correct clickhouse.address, clickhouse.user and clickhouse.password_file; it has to be the HTTP port")}
	}
	all := []Result{ok("clickhouse.answers", "ClickHouse %s answers", s.Version), checkSchema(s)}
	if s.Schema == 0 {
		return all
	}
	if len(s.MissingFunctions) > 0 {
		all = append(all, failed("clickhouse.functions", "functions are missing: "+strings.Join(s.MissingFunctions, ", "),
			"functions are global in ClickHouse: make them on this server with the statements of schemas/ddl/0004_functions.sql"))
	} else {
		all = append(all, ok("clickhouse.functions", "all functions are there"))
	}
	if s.MarksErr != "" {
		all = append(all, failed("clickhouse.marks", s.MarksErr, "nothing can be counted without the marks: check the tables' parts (system.parts, system.detached_parts)"))
	} else {
		all = append(all, ok("clickhouse.marks", "the marks can be read"))
	}
	if want := f.Settings.StoreRetention; s.Retention != 0 && s.Retention != want {
		all = append(all, warning("clickhouse.retention", fmt.Sprintf("10 s windows are kept for %s, %s are configured here", short(s.Retention), short(want)),
			"`weir features` sets it when it starts: restart it with this configuration, or run `weir schema apply`"))
	}
	all = append(all, checkParts(s))
	all = append(all, disk("clickhouse.disk", "ClickHouse's disk", s.DiskFree, s.DiskAll)...)
	if len(s.StuckMutations) > 0 {
		all = append(all, warning("clickhouse.mutations", "mutations do not end: "+strings.Join(s.StuckMutations, "; "),
			"see system.mutations; KILL MUTATION stops one that cannot succeed"))
	} else {
		all = append(all, ok("clickhouse.mutations", "no mutation is stuck"))
	}
	return append(all, clock("clickhouse.clock", "ClickHouse", s.Ahead, s.Uncertainty))
}

func checkSchema(s *Store) Result {
	const check = "clickhouse.schema"
	switch {
	case s.Schema == 0:
		return failed(check, "database weir has no schema", "start `weir features` or `weir up`: it makes the tables")
	case s.Schema < s.WantSchema:
		return failed(check, fmt.Sprintf("the schema has version %d, this weir has %d", s.Schema, s.WantSchema), "restart the stages with this version: the first brings the schema up to date")
	case s.Schema > s.WantSchema:
		return failed(check, fmt.Sprintf("the schema has version %d, this weir knows %d", s.Schema, s.WantSchema), "use a weir at least as new as the one that wrote it")
	}
	return ok(check, "the schema has version %d", s.Schema)
}

func checkParts(s *Store) Result {
	const check, advice = "clickhouse.parts", "give merges more room: raise features.flush_interval, check ClickHouse's disk and CPU"
	fullest := fmt.Sprintf("the fullest partition (%s) has %d parts", s.MaxPartsIn, s.MaxParts)
	switch {
	case s.LimitOf > 0 && s.MaxParts >= s.LimitOf*9/10:
		return failed(check, fmt.Sprintf("%s, inserts fail at %d", fullest, s.LimitOf), advice)
	case s.LimitOf > 0 && s.MaxParts >= s.LimitOf/3:
		return warning(check, fmt.Sprintf("%s, inserts fail at %d", fullest, s.LimitOf), advice)
	case s.MaxParts == 0:
		return ok(check, "no table has parts yet")
	}
	return ok(check, "%s", fullest)
}

func checkProbe(f Facts) []Result {
	p := f.Probe
	if p == nil {
		return nil
	}
	stuck := map[string]string{
		"collector": "is the collector up at --otlp, and does it speak the same (TLS or plain text)? Its log says why it refuses",
		"log":       "the collector answered but nothing is in weir.calls: does it write to the same Kafka?",
		"counted":   "is `weir features` up and ready? Its log and /readyz say what it waits for",
		"visible":   "it was counted but does not show: do features and this command use the same ClickHouse?",
		"gathered":  "mend the failed checks above first",
		"not sent":  "windows, findings and proposals would move on to now, as with any live call: add --force if that is right",
	}
	if p.Stuck == "" {
		return []Result{ok("probe", "a trace of two spans came through to service_windows in %s", short(p.Took.Round(time.Millisecond)))}
	}
	if p.Stuck == "not sent" {
		return []Result{skipped("probe", "no trace was sent: "+p.Err, stuck[p.Stuck])}
	}
	return []Result{failed("probe", fmt.Sprintf("the trace was stuck at %q: %s", p.Stuck, p.Err), stuck[p.Stuck])}
}
