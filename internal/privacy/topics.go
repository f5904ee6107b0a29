package privacy

import "time"

const readsLog = "who may read the topic; everybody who reaches the port of the embedded broker"

// topic keeps as long as the log does, unless something else is said.
func topic(name, what string, fields ...Field) Place {
	return Place{Where: Kafka, Names: []string{name}, What: what, Keep: Keep{Setting: KafkaRetention}, Readers: readsLog, Fields: fields}
}

func headers() Field {
	return Field{[]string{"weir-producer", "weir-seq", "weir-sent", "weir-events"}, ID, "headers: which process wrote it, when, and the event times in it"}
}

func topics() []Place {
	event := []Field{
		{[]string{"id", "subject", "source"}, ID, "CloudEvents: hash of the content, the workload's key, the stage"},
		{[]string{"time"}, Time, "CloudEvents: when"},
		{[]string{"data"}, Text, "the same fields as the row in ClickHouse"},
		{[]string{"weirsignature", "weirkeyid"}, ID, "signature, and the key's name"},
	}
	progress := topic("weir.progress", "how far each worker has come", Field{[]string{"worker"}, Name, "features@host/pid"},
		Field{[]string{"time", "watermark", "last_data"}, Time, "how far"}, Field{[]string{"source", "next", "durable", "end", "idle"}, Measure, "how far, by partition"})
	progress.Keep = Keep{Limit: time.Hour}
	letters := topic("weir.deadletter", "what could not be read", headers(),
		Field{[]string{"value"}, Name, "never its content: its length and SHA-256, or of a span its ids, its times and who sent it"},
		Field{[]string{"weir-reason", "weir-stage", "weir-source", "weir-offset"}, Text, "why, and where"})
	letters.Keep = Keep{Setting: DeadLetterRetention}
	return []Place{
		topic("weir.calls", "spans: one record of one end of a call", headers(),
			Field{[]string{"trace_id", "span_id", "parent_span_id"}, ID, "joins both ends of a call, and drops repetitions; the key of a message is a trace id"},
			Field{[]string{"end_time"}, Time, "which window it counts in"}, tenant(), workload(""),
			Field{[]string{"instance", "peer_namespace", "peer_workload"}, Name, "who sent it, and whom it says it called"},
			Field{[]string{"route"}, Name, "template of the path or method; never the path itself"},
			Field{[]string{
				"duration", "kind", "flags", "http_status", "grpc_status", "span_status", "weight", "request_bytes", "response_bytes", "protocol",
			}, Measure, "what is counted"}),
		topic("weir.samples", "gauges of instances", headers(), Field{[]string{"time"}, Time, "when it was measured"}, tenant(), workload(""),
			Field{[]string{"instance"}, Name, "whose"}, Field{[]string{"metric", "unit", "value"}, Measure, "what was measured, with the attributes that are let through"}),
		topic("weir.alerts", "findings, each time their state changes", event...),
		topic("weir.decisions", "proposals, and why there are none", event...),
		topic("weir.outcomes", "what became of each decision, with the object before and after", event...),
		progress, letters,
	}
}

func files() []Place {
	owner := "who may read the data directory"
	return []Place{
		{
			Where: Files, Names: []string{"DATA_DIR/broker", "DATA_DIR/clickhouse"}, What: "topics and tables, where they are embedded", Readers: owner,
			Fields: []Field{{[]string{"*"}, Text, "see the topics and tables; a part that was erased from stays on disk for about 8 minutes more"}},
		},
		{
			Where: Files, Names: []string{"DATA_DIR/replay"}, What: "how far each recording was sent", Readers: owner,
			Fields: []Field{{[]string{"*"}, ID, "hash of the recording, counts, times"}},
		},
		{Where: Files, Names: []string{"DATA_DIR/keys"}, What: "the key that signs", Readers: "its owner", Fields: []Field{{[]string{"*"}, ID, "no data about anybody"}}},
		{
			Where: Files, Names: []string{"DATA_DIR/run"}, What: "which process runs, and where it listens", Readers: "its owner",
			Fields: []Field{{[]string{"*"}, Measure, "pid, addresses, start"}},
		},
		{
			Where: Files, Names: []string{"DATA_DIR/sim"}, What: "manifests and truth of a simulation", Readers: owner,
			Fields: []Field{{[]string{"*"}, Text, "of invented workloads"}},
		},
		{
			Where: Files, Names: []string{"standard error"}, What: "the log of each process", Readers: "who collects it; kept as long as they keep it",
			Fields: []Field{{[]string{"*"}, Text, "addresses, partitions, offsets, errors; with log.level debug also names of workloads"}},
		},
	}
}
