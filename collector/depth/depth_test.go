package depth_test

import (
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
		if depth.Protobuf(proto) != want || depth.JSON(json) != want {
			t.Errorf("%d levels: protobuf %t, JSON %t, want %t", levels, depth.Protobuf(proto), depth.JSON(json), want)
		}
	}
	if depth.JSON([]byte(`"` + strings.Repeat(`[{\"`, 1000) + `"`)) {
		t.Error("brackets in a text are no nesting")
	}
}

func FuzzDepth(f *testing.F) {
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("{[")))
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) < 2*depth.Max && (depth.Protobuf(message) || depth.JSON(message) && len(message) <= depth.Max) {
			t.Errorf("%d bytes are said to be nested deeper than %d", len(message), depth.Max)
		}
	})
}

func BenchmarkProtobuf(b *testing.B) {
	td := ptrace.NewTraces()
	for range 2000 {
		lists(1).ResourceSpans().At(0).CopyTo(td.ResourceSpans().AppendEmpty())
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
