package columns_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

func origin(i int) schemas.Origin {
	return schemas.Origin{
		Workload: schemas.Workload{Cluster: "c", Namespace: "shop", Name: fmt.Sprintf("w%d", i%3), Version: "v1"},
		Instance: fmt.Sprintf("pod-%d", i%5),
	}
}

func span(i int) columns.Span {
	return columns.Span{
		Trace: schemas.TraceID{byte(i), 1}, ID: schemas.SpanID{byte(i), 2}, Parent: schemas.SpanID{byte(i % 2)}, HasParent: i%2 == 1,
		Kind: schemas.Kind(i % 6), Route: fmt.Sprintf("/r/{%d}", i%4), Protocol: "http",
		Measure: schemas.Measure{
			End: int64(1_661_140_374_000_000_000 + i), Duration: uint64(i), Weight: schemas.One, Flags: schemas.Flags(i % 4),
			Status:       schemas.Status{HTTP: uint16(200 + i), GRPC: int16(i%17) - 1, Span: uint8(i % 3)},
			RequestBytes: uint64(10 * i), ResponseBytes: uint64(20 * i),
		},
	}
}

func encodeSpans(t testing.TB, n int) []byte {
	b := columns.NewSpanBuilder()
	for i := range n {
		b.Append(span(i), origin(i), columns.Peer{Name: fmt.Sprintf("db%d", i%2)})
	}
	value, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSpansRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 250} {
		batch, err := columns.DecodeSpans(encodeSpans(t, n))
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Spans) != n {
			t.Fatalf("%d spans, want %d", len(batch.Spans), n)
		}
		for i, got := range batch.Spans {
			if o := batch.Origins[got.Origin]; o != origin(i) {
				t.Errorf("row %d: origin %v, want %v", i, o, origin(i))
			}
			if p := batch.Peers[got.Peer]; p.Name != fmt.Sprintf("db%d", i%2) {
				t.Errorf("row %d: peer %v", i, p)
			}
			got.Origin, got.Peer = 0, 0
			if want := span(i); got != want {
				t.Errorf("row %d:\n got %+v\nwant %+v", i, got, want)
			}
		}
	}
}

func TestBuilderStartsAnewAfterEncode(t *testing.T) {
	b := columns.NewSpanBuilder()
	for round := range 2 {
		b.Append(span(round), origin(round), columns.Peer{})
		value, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		batch, err := columns.DecodeSpans(value)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Spans) != 1 || batch.Spans[0].ID != span(round).ID {
			t.Fatalf("round %d holds %+v", round, batch.Spans)
		}
	}
}

func TestSchemaNamesAndTypesStay(t *testing.T) {
	want := "trace_id span_id parent_span_id end_time duration kind flags http_status grpc_status span_status weight request_bytes " +
		"response_bytes tenant cluster region namespace workload version instance peer_namespace peer_workload route protocol"
	var got bytes.Buffer
	for i, f := range columns.Spans().Fields() {
		if i > 0 {
			got.WriteByte(' ')
		}
		got.WriteString(f.Name)
	}
	if got.String() != want {
		t.Errorf("calls/1 is\n%s\nwant\n%s", got.String(), want)
	}
}

func TestSamplesRoundTrip(t *testing.T) {
	want := []columns.Sample{
		{Time: 1, Origin: origin(1), Metric: "jvm.memory.used", Unit: "By", Value: 3.5},
		{Time: 2, Origin: origin(2), Metric: "queue.depth", Unit: "{item}", Value: -1},
	}
	value, err := columns.EncodeSamples(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := columns.DecodeSamples(value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("sample %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := encodeSpans(t, 3)
	samples, err := columns.EncodeSamples([]columns.Sample{{Metric: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	r.Next()
	var packed bytes.Buffer
	w := ipc.NewWriter(&packed, ipc.WithSchema(r.Schema()), ipc.WithZstd())
	if err := w.Write(r.Record()); err != nil {
		t.Fatal(err)
	}
	huge := append([]byte{}, good...)
	copy(huge[4:8], []byte{0xff, 0xff, 0xff, 0x7f})
	for name, value := range map[string][]byte{
		"empty": {}, "text": []byte("not arrow at all"), "cut": good[:len(good)/2], "other schema": samples,
		"compressed": packed.Bytes(), "huge frame": huge,
	} {
		if _, err := columns.DecodeSpans(value); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

func FuzzDecodeSpans(f *testing.F) {
	f.Add(encodeSpans(f, 1))
	f.Add(encodeSpans(f, 40))
	f.Fuzz(func(t *testing.T, value []byte) {
		batch, err := columns.DecodeSpans(value)
		if err != nil {
			return
		}
		b := columns.NewSpanBuilder()
		for _, s := range batch.Spans {
			b.Append(s, batch.Origins[s.Origin], batch.Peers[s.Peer])
		}
		again, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		second, err := columns.DecodeSpans(again)
		if err != nil {
			t.Fatal(err)
		}
		if len(second.Spans) != len(batch.Spans) {
			t.Fatalf("%d spans became %d", len(batch.Spans), len(second.Spans))
		}
	})
}

func FuzzDecodeSamples(f *testing.F) {
	value, err := columns.EncodeSamples([]columns.Sample{{Metric: "m", Value: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		samples, err := columns.DecodeSamples(value)
		if err != nil {
			return
		}
		if _, err := columns.EncodeSamples(samples); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkSpans(b *testing.B) {
	for _, rows := range []int{10, 250, 1000} {
		value := encodeSpans(b, rows)
		b.Run(fmt.Sprintf("encode/rows=%d", rows), func(b *testing.B) {
			builder := columns.NewSpanBuilder()
			for b.Loop() {
				for i := range rows {
					builder.Append(span(i), origin(i), columns.Peer{})
				}
				if _, err := builder.Encode(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
		b.Run(fmt.Sprintf("decode/rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				if _, err := columns.DecodeSpans(value); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}
