package doctor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/doctor"
)

// healthy are facts of a deployment with nothing wrong.
func healthy() doctor.Facts {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	return doctor.Facts{
		Now:      now,
		Settings: doctor.Settings{KafkaRetention: 7 * 24 * time.Hour, StoreRetention: 30 * 24 * time.Hour, MemoryMiB: 3072},
		Keys:     []doctor.Key{{Role: "signing", Path: "k", Found: true}, {Role: "trusted", Path: "t", Found: true}},
		Host:     doctor.Host{DataDir: "d", DiskFree: 50 << 30, DiskTotal: 100 << 30, OpenFiles: 65536, MemoryLimit: 8 << 30},
		Endpoints: []doctor.Endpoint{
			{Name: "kafka", Address: "k:9092"}, {Name: "collector", Address: "c:4317", TLS: true, Expires: now.Add(90 * 24 * time.Hour)},
		},
		Kafka: &doctor.Kafka{
			ClusterID: "id",
			Topics: []doctor.Topic{{
				Name: "weir.calls", Partitions: 64, Want: 64, Recorded: 64, Replication: 3, WantReplication: 3, InSync: 3, MinInSync: 2,
				Retention: 7 * 24 * time.Hour, WantRetention: 7 * 24 * time.Hour, RetentionKnown: true,
			}},
			Groups: []doctor.Group{{Name: "weir-features", Stage: "features", Committed: true}},
		},
		Store: &doctor.Store{
			Version: "26.7", Schema: 7, WantSchema: 7, Retention: 30 * 24 * time.Hour, MaxParts: 12, LimitOf: 3000, MaxPartsIn: "service_10s/20260302",
			DiskFree: 50 << 30, DiskAll: 100 << 30,
		},
		Flow:      &doctor.Flow{LastData: now},
		Telemetry: &doctor.Telemetry{Spans: 1000, Calls: 900, Observed: 900},
		Probe:     &doctor.Probe{Took: time.Second},
	}
}

func TestHealthy(t *testing.T) {
	for _, r := range doctor.Check(healthy()) {
		if r.Level != doctor.OK || r.Finding == "" || r.Advice != "" {
			t.Errorf("%+v", r)
		}
	}
}

// TestEachFailure changes one fact and wants one line about it, with what to do.
func TestEachFailure(t *testing.T) {
	topic := func(change func(*doctor.Topic)) func(*doctor.Facts) {
		return func(f *doctor.Facts) { change(&f.Kafka.Topics[0]) }
	}
	for _, tt := range []struct {
		check  string
		level  doctor.Level
		says   string
		change func(*doctor.Facts)
	}{
		{"config.consistent", doctor.Failed, "counts twice", func(f *doctor.Facts) { f.Settings.StoreRetention = 24 * time.Hour; f.Store.Retention = 24 * time.Hour }},
		{"config.consistent", doctor.Warning, "outage", func(f *doctor.Facts) { f.Settings.KafkaRetention = time.Hour }},
		{"config.consistent", doctor.Warning, "plain text", func(f *doctor.Facts) { f.Settings.PlainText = []string{"ops.listen"} }},
		{"config.consistent", doctor.Warning, "memory", func(f *doctor.Facts) { f.Host.MemoryLimit = 2 << 30 }},
		{"keys.signing", doctor.Failed, "chmod", func(f *doctor.Facts) { f.Keys[0].Err = "others may use k: run chmod 600 k" }},
		{"keys.signing", doctor.Skipped, "no key", func(f *doctor.Facts) { f.Keys[0].Found = false }},
		{"keys.trusted", doctor.Failed, "no file", func(f *doctor.Facts) { f.Keys[1].Err = "folder t has no file *.pub" }},
		{"host.disk", doctor.Failed, "1024 MiB free", func(f *doctor.Facts) { f.Host.DiskFree = 1 << 30 }},
		{"host.disk", doctor.Warning, "6144 MiB free", func(f *doctor.Facts) { f.Host.DiskFree = 6 << 30 }},
		{"host.disk", doctor.Skipped, "cannot be seen", func(f *doctor.Facts) { f.Host.DiskTotal = 0 }},
		{"host.files", doctor.Warning, "1024 files", func(f *doctor.Facts) { f.Host.OpenFiles = 1024 }},
		{"reach.kafka", doctor.Failed, "not known", func(f *doctor.Facts) { f.Endpoints[0].ResolveErr = "no such host" }},
		{"reach.kafka", doctor.Failed, "nothing answers at k:9092", func(f *doctor.Facts) { f.Endpoints[0].DialErr = "connection refused" }},
		{"reach.collector", doctor.Failed, "TLS", func(f *doctor.Facts) { f.Endpoints[1].TLSErr = "certificate is for other.example" }},
		{"reach.collector", doctor.Failed, "has expired on 2026-03-01", func(f *doctor.Facts) { f.Endpoints[1].Expires = f.Now.Add(-time.Hour * 24) }},
		{"reach.collector", doctor.Warning, "expires in 5 days", func(f *doctor.Facts) { f.Endpoints[1].Expires = f.Now.Add(5 * 24 * time.Hour) }},
		{"kafka.answers", doctor.Failed, "hung up", func(f *doctor.Facts) { f.Kafka = &doctor.Kafka{Err: "the broker hung up"} }},
		{"kafka.answers", doctor.Failed, "nothing runs", func(f *doctor.Facts) { f.Kafka = nil }},
		{"kafka.topics", doctor.Failed, "not there", topic(func(t *doctor.Topic) { t.Missing = true })},
		{"kafka.topics", doctor.Failed, "64 partitions, 32 are configured", topic(func(t *doctor.Topic) { t.Want = 32 })},
		{"kafka.topics", doctor.Failed, "counted with 32", topic(func(t *doctor.Topic) { t.Recorded = 32 })},
		{"kafka.topics", doctor.Warning, "1 copies, 3 are configured", topic(func(t *doctor.Topic) { t.Replication, t.InSync, t.MinInSync = 1, 1, 1 })},
		{"kafka.topics", doctor.Failed, "nothing can be written", topic(func(t *doctor.Topic) { t.InSync = 1 })},
		{"kafka.topics", doctor.Warning, "2 of 3 copies in sync", topic(func(t *doctor.Topic) { t.InSync = 2 })},
		{"kafka.topics", doctor.Warning, "one copy", topic(func(t *doctor.Topic) { t.MinInSync = 1 })},
		{"kafka.topics", doctor.Warning, "keeps 24 h, 7 days", topic(func(t *doctor.Topic) { t.Retention = 24 * time.Hour })},
		{"kafka.group.features", doctor.Warning, "never committed", func(f *doctor.Facts) { f.Kafka.Groups[0] = doctor.Group{Name: "g", Stage: "features", Lag: 5} }},
		{"kafka.clock", doctor.Failed, "60 s off", func(f *doctor.Facts) { f.Kafka.Ahead = time.Minute }},
		{"clickhouse.answers", doctor.Failed, "refused", func(f *doctor.Facts) { f.Store = &doctor.Store{Err: "connection refused"} }},
		{"runs", doctor.Failed, "no Weir runs on d", func(f *doctor.Facts) { *f = doctor.Facts{Settings: f.Settings, Keys: f.Keys, Host: f.Host} }},
		{"clickhouse.answers", doctor.Failed, "nothing runs", func(f *doctor.Facts) { f.Store = nil }},
		{"clickhouse.schema", doctor.Failed, "version 5, this weir has 7", func(f *doctor.Facts) { f.Store.Schema = 5 }},
		{"clickhouse.schema", doctor.Failed, "this weir knows 7", func(f *doctor.Facts) { f.Store.Schema = 9 }},
		{"clickhouse.schema", doctor.Failed, "no schema", func(f *doctor.Facts) { f.Store.Schema = 0 }},
		{"clickhouse.functions", doctor.Failed, "weirCalls", func(f *doctor.Facts) { f.Store.MissingFunctions = []string{"weirCalls"} }},
		{"clickhouse.marks", doctor.Failed, "broken part", func(f *doctor.Facts) { f.Store.MarksErr = "broken part" }},
		{"clickhouse.retention", doctor.Warning, "kept for 7 days, 30 days", func(f *doctor.Facts) { f.Store.Retention = 7 * 24 * time.Hour }},
		{"clickhouse.parts", doctor.Warning, "1200 parts, inserts fail at 3000", func(f *doctor.Facts) { f.Store.MaxParts = 1200 }},
		{"clickhouse.parts", doctor.Failed, "2900 parts", func(f *doctor.Facts) { f.Store.MaxParts = 2900 }},
		{"clickhouse.disk", doctor.Failed, "1024 MiB free", func(f *doctor.Facts) { f.Store.DiskFree = 1 << 30 }},
		{"clickhouse.mutations", doctor.Warning, "service_10s", func(f *doctor.Facts) { f.Store.StuckMutations = []string{"service_10s: no space"} }},
		{"clickhouse.clock", doctor.Failed, "-60 s off", func(f *doctor.Facts) { f.Store.Ahead = -time.Minute }},
		{"clickhouse.clock", doctor.Warning, "5 s off", func(f *doctor.Facts) { f.Store.Ahead = 5 * time.Second }},
		{"flow", doctor.Warning, "nothing passes store", func(f *doctor.Facts) { f.Flow.Silent = []string{"store"} }},
		{"flow", doctor.Warning, "no telemetry has come for 5 min, since 2026-03-02 07:55:00", func(f *doctor.Facts) {
			f.Flow = &doctor.Flow{LastData: f.Now.Add(-5 * time.Minute), Silent: []string{"collector", "ingest", "features", "store"}}
		}},
		{"flow", doctor.Skipped, "no telemetry has come yet", func(f *doctor.Facts) { f.Flow = &doctor.Flow{Silent: []string{"collector", "ingest"}} }},
		{"flow", doctor.Warning, "detect is 4 h", func(f *doctor.Facts) { f.Flow.Behind = []string{"detect is 4 h of event time behind"} }},
		{"flow", doctor.Failed, "9 messages wait", func(f *doctor.Facts) { f.Flow.Lag = 9; f.Flow.LastData = f.Now.Add(-time.Hour) }},
		{"flow", doctor.Skipped, "not known", func(f *doctor.Facts) { f.Flow = nil }},
		{"telemetry", doctor.Skipped, "not known", func(f *doctor.Facts) { f.Telemetry = nil }},
		{"telemetry.orphans", doctor.Warning, "20.0 %", func(f *doctor.Facts) { f.Telemetry.Orphans = 200 }},
		{"telemetry.duplicates", doctor.Warning, "10.0 %", func(f *doctor.Facts) { f.Telemetry.Duplicates = 100 }},
		{"telemetry.names", doctor.Warning, "unknown_service", func(f *doctor.Facts) { f.Telemetry.Unnamed = 90 }},
		{"telemetry.gaps", doctor.Warning, "3 gaps", func(f *doctor.Facts) { f.Telemetry.Gaps = 3 }},
		{"telemetry.clocks", doctor.Warning, "ahead: shop/a, shop/b", func(f *doctor.Facts) { f.Telemetry.Ahead = []string{"shop/a", "shop/b"} }},
		{"telemetry.clocks", doctor.Warning, "before they began", func(f *doctor.Facts) { f.Telemetry.Skewed = 4 }},
		{"telemetry.dead_letters", doctor.Warning, "2 dead letters of stage actuator", func(f *doctor.Facts) {
			f.Telemetry.Letters = []doctor.Letters{{Stage: "actuator", Reason: "event is signed with a key that is not trusted", Count: 2, Last: f.Now}}
		}},
		{"probe", doctor.Skipped, "of 2026-02-01", func(f *doctor.Facts) {
			f.Probe = &doctor.Probe{Stuck: "not sent", Err: "all data here is of 2026-02-01 08:00:00 or before"}
		}},
		{"probe", doctor.Failed, `stuck at "counted"`, func(f *doctor.Facts) { f.Probe = &doctor.Probe{Stuck: "counted", Err: "not within 30s"} }},
	} {
		t.Run(tt.check+" "+tt.says, func(t *testing.T) {
			f := healthy()
			tt.change(&f)
			var found []doctor.Result
			for _, r := range doctor.Check(f) {
				if r.Level != doctor.OK {
					found = append(found, r)
				}
			}
			if len(found) != 1 || found[0].Check != tt.check || found[0].Level != tt.level || !strings.Contains(found[0].Finding, tt.says) {
				t.Fatalf("found %+v, want %s %s with %q", found, tt.level, tt.check, tt.says)
			}
			if tt.level == doctor.Failed && found[0].Advice == "" {
				t.Error("it does not say what to do")
			}
		})
	}
}

// TestSamplingIsGuessed: orphans where every record stands for one call hint at a sampler that does not say so.
func TestSamplingIsGuessed(t *testing.T) {
	for weighted, says := range map[bool]string{false: "sample without saying so", true: "a sender is missing"} {
		f := healthy()
		f.Telemetry.Orphans, f.Telemetry.Weighted = 500, weighted
		for _, r := range doctor.Check(f) {
			if r.Check == "telemetry.orphans" && !strings.Contains(r.Advice, says) {
				t.Errorf("weighted %v: %q does not say %q", weighted, r.Advice, says)
			}
		}
	}
}
