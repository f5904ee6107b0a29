package privacy

import "slices"

const readsStore = "who may read database weir; everybody who reaches the port of the embedded engine"

func workload(prefix string) Field {
	f := Field{Kind: Name, Why: "whose calls these are: windows, forecasts and decisions are by workload"}
	for _, n := range []string{"cluster", "region", "namespace", "workload", "version"} {
		f.Names = append(f.Names, prefix+n)
	}
	return f
}

func tenant() Field {
	return Field{[]string{"tenant"}, Name, "keeps tenants apart; from the collector's configuration"}
}

func stored() Field {
	return Field{[]string{"stored"}, Time, "when it was written; retention counts from it"}
}

func window() Field {
	return Field{[]string{"window_start"}, Time, "which 10 s, minute or hour: no call has a time of its own here"}
}

func source() Field {
	return Field{[]string{"source", "last_offset"}, ID, "partition and last message counted: the marks that keep messages from counting twice"}
}

func measures(more ...string) Field {
	return Field{append([]string{
		"calls", "observed", "errors", "errors_4xx", "errors_5xx", "errors_grpc", "errors_transport", "status_known", "retries", "rejected_mesh",
		"rejected_weir", "duration_ns", "request_bytes", "response_bytes", "revision", "clock_skew", "acted_on", "evidence", "histogram",
	}, more...), Measure, "what is counted"}
}

// records are measures that edges do not have.
func records() []string { return []string{"spans", "duplicates", "orphans", "missing"} }

// byLength are the tables of a subject, with how long each is kept.
func byLength(subject, what string, fields ...Field) (all []Place) {
	for _, r := range []struct {
		suffix string
		keep   Keep
	}{{"_10s", Keep{Setting: StoreRetention}}, {"_1m", Keep{Setting: MinutesRetention}}, {"_1h", Keep{Setting: HoursRetention}}} {
		all = append(all, Place{Where: ClickHouse, Names: []string{subject + r.suffix}, What: what, Keep: r.keep, Readers: readsStore, Fields: fields})
	}
	return all
}

func tables() []Place {
	all := byLength("service", "windows of called workloads", window(), tenant(), workload(""), source(), stored(), measures(records()...),
		Field{[]string{"callers"}, Name, "who called: how many different callers there were"})
	all = append(all, byLength("edge", "windows of calls from one workload to another",
		window(), tenant(), workload("source_"), workload("destination_"), source(), stored(), measures())...)
	all = append(all, byLength("instance", "windows of called instances", window(), tenant(), workload(""),
		Field{[]string{"instance"}, Name, "which pod, process or machine answered: load per replica"}, source(), stored(), measures(records()...))...)
	return slices.Concat(all, []Place{spans()}, decided())
}

// spans are kept only where features.keep_spans says so.
func spans() Place {
	return table("spans", "spans as they came, where features.keep_spans is true", Keep{Setting: SpansRetention},
		Field{[]string{"trace_id", "span_id", "parent_span_id"}, ID, "what belongs to one request: traces for people who look for a cause"},
		Field{[]string{"started"}, Time, "when it began"}, tenant(), workload(""),
		Field{[]string{"instance", "peer_namespace", "peer_workload"}, Name, "who sent it, and whom it says it called"},
		Field{[]string{"route"}, Name, "template of the path or method; never the path itself"},
		Field{[]string{
			"duration", "kind", "flags", "http_status", "grpc_status", "span_status", "weight", "request_bytes", "response_bytes", "protocol",
		}, Measure, "what was counted of it"}, source(), stored())
}

// table is one table of its own.
func table(name, what string, keep Keep, fields ...Field) Place {
	return Place{Where: ClickHouse, Names: []string{name}, What: what, Keep: keep, Readers: readsStore, Fields: fields}
}

func decided() []Place {
	model := Field{[]string{"model", "model_version"}, Measure, "what computed it"}
	samples := table("samples", "gauges of instances", Keep{Setting: StoreRetention}, tenant(),
		Field{[]string{"cluster", "namespace", "workload", "instance"}, Name, "whose: CPU use per replica"}, Field{[]string{"time"}, Time, "when it was measured"},
		Field{[]string{"metric", "unit"}, Measure, "what was measured, with the attributes that the collector lets through"}, Field{[]string{"value"}, Measure, "the value"}, stored())
	return []Place{
		samples,
		table("gaps", "stretches of time about which telemetry is missing", Keep{Setting: GapsRetention}, Field{[]string{"from", "to"}, Time, "which stretch"},
			Field{[]string{"source"}, ID, "the partition"}, Field{[]string{"scope", "hop", "kind", "share", "records"}, Measure, "how much is missing, and where"},
			Field{[]string{"detail"}, Text, "for people; names an offset"}, stored()),
		table("forecast_rows", "forecasts of load", Keep{Setting: ForecastsRetention}, Field{[]string{"made_at", "target_time"}, Time, "when, and of when"}, tenant(),
			Field{[]string{"cluster", "namespace", "workload"}, Name, "whose load"},
			Field{[]string{"horizon_seconds", "signal", "quantile", "value"}, Measure, "the forecast"}, model,
			Field{[]string{"inputs"}, Text, "the window it rests on, with the workload's name"}, stored()),
		table("finding_rows", "what was found to be wrong", Keep{Setting: DecisionsRetention}, Field{[]string{"finding_id", "incident_id"}, ID, "hashes of the content"},
			Field{[]string{"started_at", "updated_at", "resolved_at"}, Time, "its life"}, tenant(), workload(""),
			Field{[]string{"revision", "kind", "state", "signal", "observed", "expected", "low", "high", "score", "threshold", "severity"}, Measure, "what it is"},
			Field{[]string{"explanation", "evidence", "inputs"}, Text, "for people, and the windows it rests on, with names"}, model, stored()),
		table("decision_rows", "what was proposed, and why not", Keep{Setting: DecisionsRetention}, Field{[]string{"decision_id", "cause", "signature", "key_id"}, ID, "hashes of the content, and who signed it"},
			Field{[]string{"made_at", "valid_until"}, Time, "when it counts"}, tenant(), workload(""),
			Field{[]string{"kind", "verdict", "unit", "current", "proposed", "signal", "expected", "low", "high", "code", "replay"}, Measure, "what is proposed"},
			Field{[]string{"reason", "counterfactual", "evidence", "inputs"}, Text, "for people, and the windows it rests on, with names"}, model, stored()),
		table("outcome_rows", "what became of decisions", Keep{Setting: DecisionsRetention}, Field{[]string{"decision_id"}, ID, "whose"}, Field{[]string{"at"}, Time, "when"},
			Field{[]string{"stage", "by", "rule", "validation", "realised"}, Measure, "what became of it"},
			Field{
				[]string{"reason", "object", "before", "after", "patch", "inverse", "diff"},
				Text,
				"the object as it is and as it would be: whatever stands in a Deployment or route, with its environment and annotations",
			},
			Field{[]string{"read_from"}, Name, "server or folder that was read"}, stored()),
		table("erasures", "what was erased on request", Keep{Limit: 400 * day}, Field{[]string{"hash"}, ID, "SHA-256 of the name: keeps samples out that are read again"},
			Field{[]string{"kind"}, Measure, "workload, instance or tenant"}, Field{[]string{"before"}, Time, "up to when samples stay out"}, stored()),
		table("positions", "how far each decision service has come", Keep{}, Field{[]string{"at"}, Time, "event time decided up to"},
			Field{[]string{"stage", "shard"}, Measure, "whose"}, stored()),
		table("topics", "how many partitions each topic had", Keep{}, Field{[]string{"incarnation"}, ID, "the Kafka cluster's"},
			Field{[]string{"topic", "partitions", "epoch"}, Measure, "what rows were placed by"}, stored()),
		table("migrations", "the schema's versions", Keep{}, Field{[]string{"version", "name"}, Measure, "which"}, Field{[]string{"applied"}, Time, "when"}),
	}
}
