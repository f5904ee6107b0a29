package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/sim/recording"
)

// planted is a secret as it is sent, and the part of it that must be found nowhere.
type planted struct{ text, core string }

// secrets makes n secrets of all kinds.
func secrets(n int) []planted {
	r := rand.New(rand.NewPCG(11, 12))
	random := func(alphabet string, size int) string {
		out := make([]byte, size)
		for i := range out {
			out[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(out)
	}
	const small, large, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	all := small + large + digits
	var out []planted
	for i := range n {
		core := random(small+digits, 12)
		key := random(all, 36)
		forms := []planted{
			{core + "@example.com", core},
			{"user=" + core + "%40mail.example.org&x=1", core},
			{"password=" + core, core},
			{"AccountName=x;AccountKey=" + core + ";EndpointSuffix=y", core},
			{"sv=2024&sig=" + core + "&se=1", core},
			{core + "%2540mail.example.org", core},
			{"cart;PHPSESSID=" + core, core},
			{"Authorization: Basic " + core[:8], core[:8]},
			{`{"api_key":"` + core + `"}`, core},
			{"Authorization: Bearer " + key, key},
			{"postgres://" + core + ":" + key + "@db.shop.svc:5432/shop", core},
			{"ghp_" + key, key},
			{"AKIA" + strings.ToUpper(core) + "ABCD", strings.ToUpper(core)},
			{"eyJ" + key + "." + key + "." + key, key},
			{"sk_live_" + key, key},
			{base64.StdEncoding.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString([]byte(key))},
			{"-----BEGIN RSA PRIVATE KEY-----\n" + key + "\n-----END RSA PRIVATE KEY-----", key},
			{"card " + cardNumber(r), ""},
		}
		one := forms[i%len(forms)]
		if one.core == "" {
			one.core = strings.TrimPrefix(one.text, "card ")
		}
		out = append(out, one)
	}
	return out
}

// cardNumber draws sixteen digits that begin as a card's and have the right check digit.
func cardNumber(r *rand.Rand) string {
	digits, sum := "4", 0
	for range 14 {
		digits += strconv.Itoa(r.IntN(10))
	}
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// plant puts a secret into a span wherever there is room for a text, and into its resource and scope; some spans are broken.
func plant(rs ptrace.ResourceSpans, i int, s string, at time.Time) {
	resource := rs.Resource().Attributes()
	names := []string{"service.name", "service.version", "service.instance.id", "k8s.namespace.name", "k8s.cluster.name", "cloud.region", "host.name"}
	resource.PutStr("service.name", fmt.Sprint("planted-", i%7))
	resource.PutStr(names[i%len(names)], s)
	resource.PutStr("process.command_line", s)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(s)
	ss.Scope().SetVersion(s)
	span := ss.Spans().AppendEmpty()
	if i%10 != 0 {
		span.SetTraceID(pcommon.TraceID{7, byte(i >> 8), byte(i), 1})
	}
	span.SetSpanID(pcommon.SpanID{7, byte(i >> 8), byte(i)})
	span.SetName("GET " + s)
	span.SetKind(ptrace.SpanKind(2 + i%2))
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Millisecond)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
	span.TraceState().FromRaw("vendor=" + s)
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage(s)
	for _, key := range []string{
		"http.route", "url.path", "url.full", "url.query", "http.request.method", "db.statement", "user.email", "enduser.id", "http.request.header.cookie",
		"error.type", "rpc.system", "exception.message", "response_flags", "http.response.status_code",
	} {
		span.Attributes().PutStr(key, s)
	}
	span.Attributes().PutStr("http.route", "/users/"+s+"/cart")
	if i%2 == 0 {
		span.Attributes().PutStr([]string{"rpc.service", "rpc.method"}[i/2%2], s)
	}
	span.Attributes().PutStr([]string{"peer.service", "service.peer.name", "istio.canonical_service", "istio.namespace", "node_id", "upstream_cluster"}[i%6], s)
	event := span.Events().AppendEmpty()
	event.SetName(s)
	event.Attributes().PutStr("exception.stacktrace", s)
	span.Links().AppendEmpty().Attributes().PutStr("secret", s)
}

func plantPoint(rm pmetric.ResourceMetrics, i int, s string, at time.Time) {
	rm.Resource().Attributes().PutStr("service.name", "planted")
	rm.Resource().Attributes().PutStr("service.instance.id", s)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("planted.gauge")
	m.SetDescription(s)
	if i%3 == 0 {
		m.SetName(s)
	}
	m.SetUnit(s)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetIntValue(1)
	p.Attributes().PutStr("pool.name", s)
	p.Attributes().PutStr("messaging.destination.name", s)
	p.Attributes().PutStr("user", s)
}

// plantAll exports requests with every secret in every place.
func plantAll(t *testing.T, address string, all []planted, at time.Time) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	td, md, ld := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
	for i, s := range all {
		plant(td.ResourceSpans().AppendEmpty(), i, s.text, at)
		plantPoint(md.ResourceMetrics().AppendEmpty(), i, s.text, at)
		record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr(s.text)
		record.Attributes().PutStr("exception.message", s.text)
	}
	answer, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(td))
	if err != nil {
		t.Fatal(err)
	}
	if n := answer.PartialSuccess().RejectedSpans(); n != int64((len(all)+9)/10) {
		t.Errorf("%d spans were refused", n)
	}
	if _, err := pmetricotlp.NewGRPCClient(conn).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(md)); err != nil {
		t.Fatal(err)
	}
	if _, err := plogotlp.NewGRPCClient(conn).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld)); err != nil {
		t.Fatal(err)
	}
}

// forged marks the messages that the test itself writes to Kafka: what is searched is what Weir makes of them.
const forged = "forged-by-the-test"

// forge writes messages with secrets that nobody can read.
func forge(t *testing.T, k *kafka.Client, all []planted) {
	t.Helper()
	for _, topic := range []string{wire.TopicCalls, wire.TopicSamples, wire.TopicDecisions} {
		for i, s := range all[:100] {
			headers := []wire.Header{
				{Key: forged, Value: "1"}, {Key: wire.HeaderProducer, Value: s.text}, {Key: wire.HeaderSeq, Value: s.text}, {Key: wire.HeaderRows, Value: s.text},
			}
			switch i % 3 {
			case 0:
				headers = append(headers, wire.Header{Key: wire.HeaderSchema, Value: s.text})
			case 1:
				headers = append(headers, wire.Header{Key: wire.HeaderControl, Value: s.text})
			default:
				headers = append(headers, wire.Header{Key: wire.HeaderSchema, Value: wire.SchemaCalls})
			}
			if err := k.Produce(t.Context(), ingest.Record{Topic: topic, Key: []byte(s.text), Value: []byte(s.text), Headers: headers}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// unreadable writes lines with secrets that are no OTLP beside a recording.
func unreadable(t *testing.T, path string, all []planted) {
	t.Helper()
	var lines bytes.Buffer
	for i, s := range all[:100] {
		text, err := json.Marshal(s.text)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 4 {
		case 0:
			fmt.Fprintf(&lines, "%s\n", strings.ReplaceAll(s.text, "\n", " "))
		case 1:
			fmt.Fprintf(&lines, `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":%s}]}}]}`+"\n", text)
		case 2:
			fmt.Fprintf(&lines, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%s,"kind":%s}]}]}]}`+"\n", text, text)
		default:
			fmt.Fprintf(&lines, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":%s}]}]}]}`+"\n", text)
		}
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "zz.jsonl"), lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// topics returns everything that the log holds, but for what the test forged.
func topics(t *testing.T, k *kafka.Client) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, topic := range []string{
		wire.TopicCalls, wire.TopicSamples, wire.TopicProgress, wire.TopicDeadLetter, wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes,
	} {
		n, err := k.Partitions(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for p := range n {
			err := k.Read(t.Context(), topic, p, 0, false, func(m ingest.Message) bool {
				if _, own := wire.Find(m.Headers, forged); !own {
					fmt.Fprintf(&out, "%s %s %v %s\n", topic, m.Key, m.Headers, m.Value)
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out.Bytes()
}

// tables returns every row of every table.
func tables(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	list := query(t, dir, "SELECT name FROM system.tables WHERE database = 'weir' AND engine NOT LIKE '%View'")
	if len(list) < 10 {
		t.Fatalf("%d tables", len(list))
	}
	for _, row := range list {
		text, _ := runWeir(t, 0, "query", "--data-dir", dir, "--log-level", "error", "-o", "TabSeparatedRaw", "SELECT * FROM weir."+row[0])
		out.WriteString(text)
	}
	return out.Bytes()
}

func scrape(t *testing.T, at lock.Addresses) []byte {
	t.Helper()
	resp, err := http.Get("http://" + at.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSecretsAreFoundNowhere plants a thousand secrets in all that comes in, and looks for them in all that is kept and said.
func TestSecretsAreFoundNowhere(t *testing.T) {
	all := secrets(1000)
	path, truth := generate(t, "otlp-json", func(c *recording.Config) { c.Calls = 2000 })
	unreadable(t, path, all)
	dir := t.TempDir()
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	k, err := kafka.New(kafka.Config{Addresses: []string{at.Kafka}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	plantAll(t, at.OTLPGRPC, all, time.Unix(0, truth.Windows[0].Start*1e9).Add(time.Second))
	forge(t, k, all)
	s := replay(t, dir, "otlp-json", filepath.Dir(path))
	if s.DeadLetters < 100 {
		t.Errorf("%d dead letters of a recording with 100 lines that cannot be read", s.DeadLetters)
	}
	checkGood(t, dir, truth)
	report, _ := runWeir(t, 0, "report", "--data-dir", dir)
	letters, _ := runWeir(t, 0, "deadletter", "list", "--data-dir", dir)
	kept := map[string][]byte{
		"the topics": topics(t, k), "the tables": tables(t, dir), "the metrics": scrape(t, at), "the report": []byte(report), "the dead letters": []byte(letters),
	}
	p.stop(t)
	kept["the log"] = p.stderr.Bytes()
	for _, want := range []string{"planted-3", "{email}", "{token}", "{secret}"} {
		if !bytes.Contains(kept["the tables"], []byte(want)) {
			t.Errorf("%s is not in the tables: the search would find nothing", want)
		}
	}
	for where, text := range kept {
		found := 0
		for _, s := range all {
			if i := bytes.Index(text, []byte(s.core)); i >= 0 {
				if found++; found <= 3 {
					t.Errorf("%s hold %q: %.200q", where, s.text, text[max(0, i-80):])
				}
			}
		}
		if found > 0 {
			t.Errorf("%s hold %d of %d secrets", where, found, len(all))
		}
	}
}

// checkGood compares every window of the recording with its count; what else there is does not matter.
func checkGood(t *testing.T, dir string, truth recording.Truth) {
	t.Helper()
	got := map[string]string{}
	for _, row := range query(t, dir, "SELECT toUnixTimestamp(window_start), workload, sum(calls) FROM service_windows GROUP BY 1, 2") {
		got[row[0]+" "+row[1]] = row[2]
	}
	wrong, n := 0, 0
	for _, w := range truth.Windows {
		if w.Seconds != 10 {
			continue
		}
		n++
		if key := fmt.Sprintf("%d %s", w.Start, w.Workload); got[key] != strconv.Itoa(w.Calls) {
			if wrong++; wrong <= 3 {
				t.Errorf("window %s has %s calls, want %d", key, got[key], w.Calls)
			}
		}
	}
	if wrong > 0 || n == 0 {
		t.Errorf("%d of %d windows are wrong", wrong, n)
	}
}
