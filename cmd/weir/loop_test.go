package main_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/signing"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// said is everything that was decided on a data directory, in a form that can be compared. What depends on the moment (when a row was
// stored, which revision of a window was read) is left out.
func said(t *testing.T, dir string) map[string][][]string {
	t.Helper()
	return map[string][][]string{
		"findings": query(t, dir, "SELECT finding_id, revision, state, updated_at, observed, expected, low, high, score, severity, explanation "+
			"FROM finding_revisions ORDER BY finding_id, revision"),
		"decisions": query(t, dir, "SELECT decision_id, made_at, valid_until, target, verdict, current, proposed, expected, low, high, code, reason, counterfactual, cause "+
			"FROM (SELECT * FROM decisions) ORDER BY decision_id"),
		"outcomes":  query(t, dir, "SELECT decision_id, stage, by, at, rule, reason, object, patch, inverse, validation FROM outcomes ORDER BY decision_id, stage"),
		"forecasts": query(t, dir, "SELECT count(), groupBitXor(cityHash64(made_at, target_time, workload, quantile, value, model)) FROM forecasts"),
	}
}

func differ(t *testing.T, got, want map[string][][]string) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(want)) {
		if len(want[what]) == 0 {
			t.Errorf("there are no %s: the test compares nothing", what)
		}
		if len(got[what]) != len(want[what]) {
			t.Errorf("%s: %d rows, want %d", what, len(got[what]), len(want[what]))
			continue
		}
		for i, row := range want[what] {
			if !slices.Equal(got[what][i], row) {
				t.Errorf("%s, row %d:\n got %v\nwant %v", what, i, got[what][i], row)
				break
			}
		}
	}
}

// shop writes a recording of a few hours of the simulated shop, with a bad release at its end, and returns it with its manifests.
func shop(t *testing.T, more ...string) (recording, manifests string) {
	t.Helper()
	dir := t.TempDir()
	recording = filepath.Join(dir, "shop.jsonl")
	runWeir(t, 0, append([]string{"sim", "run", "--seed", "3", "--length", "3h", "--start", "2026-03-03T09:00:00Z", "--record", recording, "--out", dir}, more...)...)
	return recording, filepath.Join(dir, "manifests")
}

// TestKilledLoopDecidesTheSame kills everything again and again while a recording runs through it: what is decided, reported and published
// in the end is what an undisturbed run says, each once.
func TestKilledLoopDecidesTheSame(t *testing.T) {
	t.Parallel()
	recording, manifests := shop(t)
	calm := t.TempDir()
	config := settings(t, "actuator: {manifests: "+manifests+"}\n")
	args := slices.Concat([]string{"replay", "--format", "otlp-json", "--senders", "1"}, config, []string{"--data-dir"})
	runWeir(t, 0, append(args, calm, recording)...)

	dir := t.TempDir()
	random := rand.New(rand.NewPCG(5, 6))
	resume := []string{}
	for range 3 {
		p := startWeir(t, slices.Concat(args, []string{dir, "--rate", "40000", recording}, resume)...)
		goal := acknowledged(dir) + 5 + random.IntN(20)
		await(t, "progress", func() bool {
			select {
			case <-p.done:
				t.Fatalf("replay ended by itself:\n%s", p.stderr)
			default:
			}
			return acknowledged(dir) >= goal
		})
		p.kill(t, true)
		resume = []string{"--resume"}
	}
	runWeir(t, 0, slices.Concat(args, []string{dir, recording}, resume)...)
	differ(t, said(t, dir), said(t, calm))

	up := startWeir(t, append([]string{"up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t)}, config...)...)
	k := kafkaOf(t, running(t, dir).Kafka)
	for topic, sql := range map[string]string{
		wire.TopicAlerts:    "SELECT concat(finding_id, '.', toString(revision)) FROM finding_revisions ORDER BY 1",
		wire.TopicDecisions: "SELECT decision_id FROM decisions ORDER BY 1",
		wire.TopicOutcomes:  "SELECT concat(decision_id, '.', stage) FROM outcomes ORDER BY 1",
	} {
		var stored []string
		for _, row := range query(t, dir, sql) {
			stored = append(stored, row[0])
		}
		if got := eventIDs(t, k, topic); !slices.Equal(got, stored) {
			t.Errorf("%s holds %d events, %d different; the store holds %d", topic, len(got), len(slices.Compact(slices.Clone(got))), len(stored))
		}
	}
	valid(t, k)
	notBelieved(t, k, dir)
	if code := up.stop(t); code != 0 {
		t.Errorf("weir up ended with %d", code)
	}
}

func kafkaOf(t *testing.T, address string) *kafka.Client {
	t.Helper()
	k, err := kafka.New(kafka.Config{Addresses: []string{address}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// messages reads a topic to its end, without control messages.
func messages(t *testing.T, k *kafka.Client, topic string) []ingest.Message {
	t.Helper()
	n, err := k.Partitions(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var all []ingest.Message
	for p := range n {
		err := k.Read(t.Context(), topic, p, 0, false, func(m ingest.Message) bool {
			if _, control := wire.Find(m.Headers, wire.HeaderControl); !control {
				all = append(all, m)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func eventIDs(t *testing.T, k *kafka.Client, topic string) []string {
	t.Helper()
	var ids []string
	for _, m := range messages(t, k, topic) {
		id, _ := wire.Find(m.Headers, "ce_id")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// valid checks every event in the log against the published JSON Schema of its kind.
func valid(t *testing.T, k *kafka.Client) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	for uri, text := range wire.Schemas() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(uri, doc); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range []string{wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes} {
		for _, m := range messages(t, k, topic) {
			uri, _ := wire.Find(m.Headers, "ce_dataschema")
			schema, err := compiler.Compile(uri)
			if err != nil {
				t.Fatalf("%s offset %d: %v", topic, m.Offset, err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Value))
			if err == nil {
				err = schema.Validate(value)
			}
			if err != nil {
				t.Errorf("%s offset %d: %v\n%s", topic, m.Offset, err, m.Value)
			}
		}
	}
}

// notBelieved writes decisions that must have no effect onto the topic: forged, altered, repeated and expired ones.
func notBelieved(t *testing.T, k *kafka.Client, dir string) {
	t.Helper()
	own, err := signing.LoadOrCreate(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	live := func(name string, made time.Time) wire.Event {
		d := schemas.Decision{
			MadeAt: made, ValidUntil: made.Add(10 * time.Minute), Kind: schemas.Scale, Verdict: schemas.Propose, Current: 2, Proposed: 4,
			Target: schemas.Workload{Cluster: "demo", Namespace: "shop", Name: name, Version: "v1"}, Signal: schemas.SignalLoad,
			Code: "load_ahead", Reason: "test", Model: schemas.Model{Name: "test", Version: "1"},
		}
		d.ID = d.Identity()
		e, err := wire.EncodeDecision(d, "/weir/forecast")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	signed := func(e wire.Event, key ed25519.PrivateKey) wire.Event {
		if err := wire.Sign(&e, key); err != nil {
			t.Fatal(err)
		}
		return e
	}
	now := time.Now().UTC().Truncate(time.Second)
	altered := signed(live("altered", now), own)
	altered.Data = []byte(strings.Replace(string(altered.Data), `"proposed":4`, `"proposed":40`, 1))
	genuine, expired := signed(live("genuine", now), own), signed(live("expired", now.Add(-time.Hour)), own)
	before := len(query(t, dir, "SELECT decision_id FROM outcomes"))
	repeated := messages(t, k, wire.TopicDecisions)[0]
	for _, e := range []wire.Event{live("unsigned", now), signed(live("stranger", now), stranger), altered, expired, genuine, genuine} {
		key, value, headers := e.Encode()
		send(t, k, ingest.Record{Topic: wire.TopicDecisions, Partition: 0, Key: key, Value: value, Headers: headers})
	}
	send(t, k, ingest.Record{
		Topic: wire.TopicDecisions, Partition: repeated.Source.Partition, Key: repeated.Key, Value: repeated.Value, Headers: repeated.Headers,
	})
	await(t, "outcomes", func() bool { return len(query(t, dir, "SELECT decision_id FROM outcomes")) >= before+2 })
	for id, want := range map[string]string{expired.ID: "[[expired expired]]", genuine.ID: "[[refused no_object]]"} {
		if rows := query(t, dir, "SELECT stage, rule FROM outcomes WHERE decision_id = '"+id+"'"); fmt.Sprint(rows) != want {
			t.Errorf("decision %s ended as %v, want %s", id, rows, want)
		}
	}
	letters := 0
	await(t, "dead letters", func() bool {
		letters = len(messages(t, k, wire.TopicDeadLetter))
		return letters >= 3
	})
	if n := len(query(t, dir, "SELECT decision_id FROM outcomes")); n != before+2 || letters != 3 {
		t.Errorf("%d outcomes where there were %d, and %d dead letters; want 2 more, and 3", n, before, letters)
	}
}

func send(t *testing.T, k *kafka.Client, r ingest.Record) {
	t.Helper()
	if err := k.Produce(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// TestTheDemosIdsWorkAfterwards runs a short demo twice and asks for what it printed.
func TestTheDemosIdsWorkAfterwards(t *testing.T) {
	t.Parallel()
	scenario := filepath.Join(t.TempDir(), "short.yaml")
	text := "seed: 5\nstart: 2026-03-03T08:00:00Z\nlength: 3h\nevents: []\nfaults:\n  - {kind: errors, service: catalog, version: v2, from: -20m, size: 0.4}\n"
	if err := os.WriteFile(scenario, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var runs []map[string][][]string
	var ids []string
	var dir string
	for range 2 {
		dir = filepath.Join(t.TempDir(), "data")
		out, _ := runWeir(t, 0, "demo", "--scenario", scenario, "--data-dir", dir)
		for _, want := range []string{"finding ", "proposal ", "Where to look next", "forecast", "80 % interval"} {
			if !strings.Contains(out, want) {
				t.Errorf("the demo does not say %q:\n%s", want, out)
			}
		}
		ids = nil
		for word := range strings.FieldsSeq(out) {
			if word = strings.Trim(word, "()'\""); strings.HasPrefix(word, "f-") || strings.HasPrefix(word, "d-") {
				ids = append(ids, word)
			}
		}
		runs = append(runs, said(t, dir))
	}
	differ(t, runs[1], runs[0])
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) < 2 {
		t.Fatalf("the demo printed %v", ids)
	}
	for _, id := range ids {
		if out, _ := runWeir(t, 0, "why", "--data-dir", dir, id); !strings.Contains(out, id) {
			t.Errorf("weir why %s says\n%s", id, out)
		}
	}
	report, _ := runWeir(t, 0, "report", "--data-dir", dir)
	if !strings.Contains(report, "catalog") || !strings.Contains(report, "subset: v2") {
		t.Errorf("the report does not show the change:\n%s", report)
	}
	runWeir(t, 1, "demo", "--data-dir", dir) // not empty
}

// TestForecastsBeatTheNaiveOnes sends recorded series through the front door, and scores what is stored against what was counted.
func TestForecastsBeatTheNaiveOnes(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]string{"http-nasa-wc98/nasa": "100h", "crane-metrics/input14": "60h"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			series := filepath.Join(shared(), "data", name+".csv.gz")
			if _, err := os.Stat(series); err != nil {
				t.Skipf("the recorded series is not here (set WEIR_SHARED): %v", err)
			}
			dir := t.TempDir()
			runWeir(t, 0, "sim", "run", "--preset", "single", "--rates", series, "--length", length, "--data-dir", dir)
			rows := query(t, dir, wapeSQL)
			score := map[string]map[string]float64{}
			for _, row := range rows {
				wape, err := strconv.ParseFloat(row[2], 64)
				if err != nil {
					t.Fatal(err)
				}
				if score[row[0]] == nil {
					score[row[0]] = map[string]float64{}
				}
				score[row[0]][row[1]] = wape
			}
			if len(score) != 5 {
				t.Fatalf("forecasts for %d horizons, want 5: %v", len(score), rows)
			}
			for horizon, of := range score {
				t.Logf("%s min ahead: %.4f, last value %.4f, seasonal naive %.4f", horizon, of["double_seasonal"], of["last_value"], of["seasonal_naive"])
				if of["double_seasonal"] >= min(of["last_value"], of["seasonal_naive"]) || of["double_seasonal"] == 0 {
					t.Errorf("%s min ahead: WAPE %v, last value %v, seasonal naive %v", horizon, of["double_seasonal"], of["last_value"], of["seasonal_naive"])
				}
			}
		})
	}
}

// wapeSQL is the weighted absolute percentage error of each model and horizon, over the minutes for which all of them said something.
const wapeSQL = `
SELECT f.ahead, f.model, sum(abs(f.value - a.load)) / sum(a.load)
FROM (SELECT model, horizon_seconds / 60 AS ahead, target_time, any(value) AS value FROM forecasts WHERE signal = 'offered' AND quantile = 0.5 GROUP BY ALL) AS f
INNER JOIN (SELECT window_start + INTERVAL 1 MINUTE AS time, sum(offered - least(retries, offered)) / 60 AS load FROM service_windows_1m GROUP BY time) AS a
	ON a.time = f.target_time
WHERE (f.ahead, f.target_time) IN (SELECT horizon_seconds / 60, target_time FROM forecasts WHERE signal = 'offered' GROUP BY ALL HAVING uniqExact(model) = 3)
GROUP BY ALL ORDER BY ALL`
