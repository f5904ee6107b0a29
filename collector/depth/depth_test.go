package depth_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/depth"
)

// lists makes a request with an attribute of lists in lists.
func lists(levels int) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(strings.Repeat("a name ", 100))
	v := pcommon.NewValueSlice()
	list := v.Slice()
	for range levels {
		list = list.AppendEmpty().SetEmptySlice()
	}
	v.CopyTo(span.Attributes().PutEmpty("lists"))
	return td
}

func TestDepth(t *testing.T) {
	for levels, want := range map[int]bool{0: false, 10: false, 20: false, 500: true} {
		proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(lists(levels))
		if err != nil {
			t.Fatal(err)
		}
		json, err := (&ptrace.JSONMarshaler{}).MarshalTraces(lists(levels))
		if err != nil {
			t.Fatal(err)
		}
		if depth.Protobuf(proto).Deep != want || depth.JSON(json).Deep != want {
			t.Errorf("%d levels: protobuf %t, JSON %t, want %t", levels, depth.Protobuf(proto).Deep, depth.JSON(json).Deep, want)
		}
	}
	if depth.JSON([]byte(`"` + strings.Repeat(`[{\"`, 1000) + `"`)).Deep {
		t.Error("brackets in a text are no nesting")
	}
}

// TestSize measures what decoding takes: no message takes much more than it is said to.
func TestSize(t *testing.T) {
	part := func(field protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
	}
	repeat := func(field protowire.Number) []byte { return bytes.Repeat(part(field, nil), 100_000) }
	for name, message := range map[string][]byte{
		"empty resources":  repeat(1),
		"empty scopes":     part(1, repeat(2)),
		"empty spans":      part(1, part(2, repeat(2))),
		"empty attributes": part(1, part(2, part(2, repeat(9)))),
		"empty events":     part(1, part(2, part(2, repeat(11)))),
		"empty links":      part(1, part(2, part(2, repeat(13)))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		took, said := after.TotalAlloc-before.TotalAlloc, uint64(depth.Protobuf(message).Size)
		if took > 2*said { // what a growing slice leaves behind is garbage
			t.Errorf("%s: decoding takes %d bytes, %d are said", name, took, said)
		}
	}
	if n := depth.JSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("{},", 1000) + `{}]}]}]}`)).Size; n < 240_000 {
		t.Errorf("1001 spans in JSON are said to take %d bytes", n)
	}
}

func FuzzDepth(f *testing.F) {
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("{[")))
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) < 2*depth.Max && (depth.Protobuf(message).Deep || depth.JSON(message).Deep && len(message) <= depth.Max) {
			t.Errorf("%d bytes are said to be nested deeper than %d", len(message), depth.Max)
		}
		if n := depth.Protobuf(message).Size; n > depth.Worst*max(1, len(message)) || depth.JSON(message).Size > 2*depth.Worst*len(message) {
			t.Errorf("%d bytes are said to take %d", len(message), n)
		}
	})
}

func BenchmarkProtobuf(b *testing.B) {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 2000 {
		span := spans.AppendEmpty()
		span.SetTraceID(pcommon.TraceID{1})
		span.SetName("GET /products/{id}")
		for i := range 10 {
			span.Attributes().PutStr(fmt.Sprint("http.request.key.", i), "a value")
		}
	}
	message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		depth.Protobuf(message)
	}
}
