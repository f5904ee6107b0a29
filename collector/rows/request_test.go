package rows_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// TestGolden compares the rows of a request of all kinds with testdata/request.rows.json.
func TestGolden(t *testing.T) {
	input, err := os.ReadFile("testdata/request.json")
	if err != nil {
		t.Fatal(err)
	}
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(input)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := rows.New(rows.Config{Tenant: "blue"}).Spans(td, rows.Layout{Calls: 2, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	type message struct {
		Topic     string
		Partition int
		Headers   []wire.Header
		Rows      any
	}
	var got []message
	for _, r := range batch.Records {
		m := message{Topic: r.Topic, Partition: r.Partition, Headers: r.Headers, Rows: string(r.Value)}
		if r.Topic == wire.TopicCalls {
			m.Rows = decode(t, r)
		}
		got = append(got, m)
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	const golden = "testdata/request.rows.json"
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Errorf("rows differ from %s (rewrite with -update and look at the difference):\n%s", golden, text)
	}
}

// many makes a request of n spans over some workloads, each span in a trace of its own.
func many(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	var list ptrace.SpanSlice
	for i := range n {
		if i%50 == 0 {
			rs := td.ResourceSpans().AppendEmpty()
			fill(rs.Resource().Attributes(), attrs{
				"service.name": fmt.Sprintf("service-%d", i/50), "service.version": "v1", "k8s.namespace.name": "shop",
				"k8s.cluster.name": "east", "k8s.pod.name": fmt.Sprintf("service-%d-abc", i/50),
			})
			list = rs.ScopeSpans().AppendEmpty().Spans()
		}
		s := list.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{byte(i >> 16), byte(i >> 8), byte(i), 1})
		s.SetSpanID(pcommon.SpanID{byte(i >> 16), byte(i >> 8), byte(i), 1})
		s.SetParentSpanID(pcommon.SpanID{9})
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000 + i))
		s.SetEndTimestamp(pcommon.Timestamp(1_700_000_000_005_000_000 + i))
		fill(s.Attributes(), attrs{
			"http.request.method": "GET", "http.response.status_code": 200, "http.route": "/cart/{id}", "server.address": "cart",
			"url.path": "/cart/17", "user_agent.original": "curl", "network.protocol.version": "1.1", "http.response.body.size": 512,
		})
	}
	return td
}

func TestOneMessageAPartition(t *testing.T) {
	const n = 10_000
	at := rows.Layout{Calls: 4, DeadLetters: 1}
	batch, err := rows.New(rows.Config{}).Spans(many(n), at, received())
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Records) != at.Calls {
		t.Errorf("%d messages for %d partitions", len(batch.Records), at.Calls)
	}
	sum := 0
	for _, r := range batch.Records {
		got := decode(t, r)
		sum += len(got.Spans)
		if string(r.Key) != string(got.Spans[0].Trace[:]) {
			t.Errorf("key %x is not the first trace", r.Key)
		}
		for _, s := range got.Spans {
			if wire.PartitionOfTrace(s.Trace, at.Calls) != r.Partition {
				t.Fatalf("trace %x is in partition %d", s.Trace, r.Partition)
			}
		}
	}
	if sum != n || batch.Rows != n || batch.Read != n || batch.Losses != nil {
		t.Errorf("%d rows, %+v", sum, batch.Losses)
	}
}

func TestFullMessagesAreSplit(t *testing.T) {
	const n = 2*columns.MaxRows + 10
	batch, err := rows.New(rows.Config{}).Spans(many(n), rows.Layout{Calls: 1, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, r := range batch.Records {
		if len(r.Value) > 900<<10 {
			t.Errorf("message of %d bytes", len(r.Value))
		}
		sum += len(decode(t, r).Spans)
	}
	if len(batch.Records) != 3 || sum != n {
		t.Errorf("%d messages, %d rows", len(batch.Records), sum)
	}
}

// FuzzSpans gives the conversion whatever decodes as OTLP: it must not panic, and every span must end as a row, a lost row, or both.
func FuzzSpans(f *testing.F) {
	for _, td := range []ptrace.Traces{many(3), one(nil, nil), ptrace.NewTraces()} {
		seed, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	c := rows.New(rows.Config{})
	f.Fuzz(func(t *testing.T, input []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(input)
		if err != nil {
			return
		}
		batch, err := c.Spans(td, rows.Layout{Calls: 3, DeadLetters: 2}, received())
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, l := range batch.Losses {
			lost += l.Count
		}
		decoded := 0
		for _, r := range of(wire.TopicCalls, batch.Records) {
			decoded += len(decode(t, r).Spans)
		}
		if n := td.SpanCount(); batch.Read != n || batch.Rows+lost != n || decoded != n {
			t.Fatalf("%d spans: read %d, rows %d, lost %d, decoded %d", n, batch.Read, batch.Rows, lost, decoded)
		}
	})
}

// FuzzSamples does the same for metrics.
func FuzzSamples(f *testing.F) {
	seed, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(gauges())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	c := rows.New(rows.Config{Attributes: []string{"x"}})
	f.Fuzz(func(t *testing.T, input []byte) {
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(input)
		if err != nil {
			return
		}
		batch, err := c.Samples(md, rows.Layout{Samples: 3}, received())
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, l := range batch.Losses {
			lost += l.Count
		}
		if n := md.DataPointCount(); batch.Read != n || batch.Rows+lost != n {
			t.Fatalf("%d points: read %d, rows %d, lost %d", n, batch.Read, batch.Rows, lost)
		}
		for _, r := range batch.Records {
			if _, err := columns.DecodeSamples(r.Value); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// BenchmarkSpans converts requests of 1,000 spans of 20 workloads; ns/span is what counts.
func BenchmarkSpans(b *testing.B) {
	for _, partitions := range []int{4, 64} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			td := many(1000)
			c := rows.New(rows.Config{})
			b.ReportAllocs()
			var batch rows.Batch
			for b.Loop() {
				var err error
				if batch, err = c.Spans(td, rows.Layout{Calls: partitions, DeadLetters: 1}, received()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/span")
			b.ReportMetric(float64(size(batch.Records))/1000, "bytes/span")
		})
	}
}

// BenchmarkIstio converts requests of some 1,000 spans that proxies and applications of a mesh sent.
func BenchmarkIstio(b *testing.B) {
	text, err := os.ReadFile("testdata/istio/traces.json")
	if err != nil {
		b.Fatal(err)
	}
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	if err != nil {
		b.Fatal(err)
	}
	for n := td.SpanCount(); td.SpanCount() <= 1000-n; {
		more := ptrace.NewTraces()
		td.CopyTo(more)
		more.ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
	}
	c := rows.New(rows.Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Spans(td, rows.Layout{Calls: 4, DeadLetters: 1}, received()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(td.SpanCount()), "ns/span")
}

func size(records []ingest.Record) (n int) {
	for _, r := range records {
		n += len(r.Value)
	}
	return n
}
