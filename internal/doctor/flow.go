package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shares of spans above which something upstream is likely wrong, and below which there are too few to say so.
const (
	orphanShare, duplicateShare, unnamedShare = 0.05, 0.05, 0.01
	enough                                    = 100
	listed                                    = 5 // names in one line
)

func checkFlow(f Facts) []Result {
	const check = "flow"
	if f.Flow == nil {
		return []Result{skipped(check, "how far data has come is not known", "it needs both Kafka and ClickHouse")}
	}
	all := checkSilence(f)
	for _, line := range f.Flow.Behind {
		all = append(all, warning(check, line, "look at its log and /readyz; `weir status` shows all stages"))
	}
	if f.Flow.Lag > 0 && !f.Flow.LagMoved && f.Now.Sub(f.Flow.LastData) > time.Minute {
		all = append(all, failed(check, fmt.Sprintf("%d messages wait to be counted, and none has been since", f.Flow.Lag),
			"is `weir features` up? Its /readyz says what it waits for"))
	}
	return orOK(all, check, "data passes every hop")
}

// checkSilence says once what many hops show: that nothing has come yet, that senders are silent, or which hop holds telemetry back.
func checkSilence(f Facts) []Result {
	const check = "flow"
	last := f.Flow.LastData
	switch {
	case last.IsZero():
		return []Result{skipped(check, "no telemetry has come yet", "point a sender at the collector, or try `weir doctor --probe`")}
	case slices.Contains(f.Flow.Silent, "ingest"):
		return []Result{warning(check, fmt.Sprintf("no telemetry has come for %s, since %s", short(f.Now.Sub(last)), last.UTC().Format(time.DateTime)),
			"if somebody should be sending: look at the senders' logs and at the collector's; else all is well")}
	}
	stuck := slices.DeleteFunc(slices.Clone(f.Flow.Silent), func(hop string) bool { return hop == "collector" }) // others, or one before a restart, took it
	if len(stuck) == 0 {
		return nil
	}
	return []Result{warning(check, "telemetry comes, and nothing passes "+list(stuck),
		"the first of them is where to look: its log and /readyz; `weir status` shows all")}
}

func checkTelemetry(f Facts) []Result {
	t := f.Telemetry
	if t == nil {
		return []Result{skipped("telemetry", "what came in is not known", "it needs ClickHouse")}
	}
	all := checkLetters(t)
	if t.Gaps > 0 {
		all = append(all, warning("telemetry.gaps", fmt.Sprintf("%d gaps were found in the last hour: windows in them are not complete", t.Gaps),
			"weir query 'SELECT * FROM gaps FINAL WHERE share > 0 ORDER BY stored DESC LIMIT 10' says when and why"))
	}
	if len(t.Ahead) > 0 {
		all = append(all, warning("telemetry.clocks", "clocks of senders are ahead: "+list(t.Ahead), "let those machines follow a time server: their calls are in windows of the future"))
	}
	if t.Skewed > 0 {
		all = append(all, warning("telemetry.clocks", fmt.Sprintf("%d records ended before they began; their duration counts as 0", t.Skewed),
			"find the workload: SELECT workload, sum(clock_skew) FROM service_10s GROUP BY workload ORDER BY 2 DESC"))
	}
	if t.Spans < enough {
		return append(all, ok("telemetry", "%d spans were stored in the last hour", t.Spans))
	}
	all = append(all, checkShares(t)...)
	return orOK(all, "telemetry", "%d spans were stored in the last hour, nothing is odd about them", t.Spans)
}

func checkShares(t *Telemetry) (all []Result) {
	if share(t.Orphans, t.Spans) > orphanShare {
		advice := "a sender is missing, or is sampled on its own: `weir query 'SELECT workload, sum(orphans) FROM service_10s GROUP BY workload'` says whose parents"
		if !t.Weighted {
			advice = "senders may sample without saying so, and then counts are too low: have them set tracestate ot=th, or sample at the head, or not at all"
		}
		all = append(all, warning("telemetry.orphans", percent(t.Orphans, t.Spans)+" of the spans name a parent that never came", advice))
	}
	if share(t.Duplicates, t.Spans) > duplicateShare {
		all = append(all, warning("telemetry.duplicates", percent(t.Duplicates, t.Spans)+" of the spans came more than once (they count once)",
			"a sender repeats: its timeout may be too short, or two exporters of it lead here"))
	}
	if share(t.Unnamed, t.Calls) > unnamedShare {
		all = append(all, warning("telemetry.names", percent(t.Unnamed, t.Calls)+" of the calls are of workloads without a name (unknown_service)",
			"set OTEL_SERVICE_NAME, or the resource attribute service.name, of these senders"))
	}
	return all
}

func checkLetters(t *Telemetry) (all []Result) {
	for _, l := range t.Letters {
		all = append(all, warning("telemetry.dead_letters", fmt.Sprintf("%d dead letters of stage %s, the last at %s: %s",
			l.Count, l.Stage, l.Last.UTC().Format(time.DateTime), l.Reason), letterAdvice(l)))
	}
	return all
}

// letterAdvice says what to do about dead letters of a stage and reason.
func letterAdvice(l Letters) string {
	switch {
	case l.Stage == "actuator" && strings.Contains(l.Reason, "trusted"):
		return "after a change of keys: docs/operations.md, \"Changing a signing key\"; else find who may write to weir.decisions"
	case l.Stage == "actuator":
		return "something that is no decision is written to weir.decisions: find who may write to it"
	case strings.Contains(l.Reason, "schema"):
		return "a collector of another version writes to this Kafka: bring all stages to one version"
	case l.Stage == "features":
		return "a message could not be read, its time is in gaps: `weir deadletter list` shows what it begins with"
	case l.Stage == "collector":
		return "a sender sends spans without usable ids or times: the key of the letter names it (`weir deadletter list -o json`)"
	}
	return "`weir deadletter list` shows what they begin with"
}

// list names the first few of many.
func list(names []string) string {
	if len(names) > listed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}
