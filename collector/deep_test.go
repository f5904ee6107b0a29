package collector_test

import (
	"bytes"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirmesh/weir/collector"
)

// export is the name of the call that takes spans.
const export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// nested writes a request with an attribute of arrays in arrays, as protobuf.
func nested(levels int) []byte {
	sizes := make([]int, 2*levels) // from the inside out
	size := 0
	for i := range sizes {
		sizes[i] = size
		size += protowire.SizeTag(5) + protowire.SizeVarint(uint64(size)) //nolint:gosec // not negative
	}
	var value []byte
	for i := len(sizes) - 1; i >= 0; i-- {
		field := protowire.Number(1) // ArrayValue.values
		if i%2 == 1 {
			field = 5 // AnyValue.array_value
		}
		value = protowire.AppendVarint(protowire.AppendTag(value, field, protowire.BytesType), uint64(sizes[i])) //nolint:gosec // not negative
	}
	wrap := func(field protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
	}
	attribute := append(wrap(1, []byte("k")), wrap(2, value)...)
	return wrap(1, wrap(1, wrap(1, attribute)))
}

// TestNestedRequestsAreRefused: decoding one of these would end the process.
func TestNestedRequestsAreRefused(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	const levels = 1_600_000
	deep := nested(levels)
	json := `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, levels/3) +
		strings.Repeat("]}}", levels/3) + `}]}}]}`
	for contentType, body := range map[string][]byte{protobuf: deep, jsonType: []byte(json)} {
		if code, answer := c.post(t, "/v1/traces", contentType, body); code != http.StatusBadRequest || !strings.Contains(string(answer), "nested") {
			t.Errorf("%s: %d %.100q", contentType, code, answer)
		}
	}
	if code, answer := c.post(t, "/v1/traces", protobuf, gzipped(t, deep)); code != http.StatusBadRequest {
		t.Errorf("gzip: %d %.100q", code, answer)
	}
	err := c.grpc.Invoke(t.Context(), export, &deep, &deep, grpc.ForceCodec(raw{}))
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "nested") {
		t.Errorf("gRPC: %v", err)
	}
	// What comes after it is taken as ever.
	if _, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 1000))); err != nil {
		t.Fatal(err)
	}
	if n := len(readSpans(t, cluster, client)); n != 1000 {
		t.Errorf("%d spans are stored", n)
	}
}

// TestRequestsOfTooManyPartsAreRefused: 14 kilobytes of gzip are a request of 7 million empty spans, which takes 2 GB when decoded.
func TestRequestsOfTooManyPartsAreRefused(t *testing.T) {
	cluster, client := startKafka(t)
	c := start(t, cluster, nil)
	wrap := func(inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
	}
	empty := bytes.Repeat([]byte{2<<3 | byte(protowire.BytesType), 0}, 7_000_000)
	fine := wrap(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), empty))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if code, answer := c.post(t, "/v1/traces", protobuf, gzipped(t, fine)); code != http.StatusBadRequest || !strings.Contains(string(answer), "parts") {
		t.Errorf("%d %.100q", code, answer)
	}
	if code, answer := c.post(t, "/v1/metrics", jsonType, []byte("["+strings.Repeat("{},", 5_000_000)+"{}]")); code != http.StatusBadRequest {
		t.Errorf("JSON: %d %.100q", code, answer)
	}
	err := c.grpc.Invoke(t.Context(), export, &fine, &fine, grpc.ForceCodec(raw{}), grpc.UseCompressor("gzip"))
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "parts") {
		t.Errorf("gRPC: %v", err)
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 600 {
		t.Errorf("%d MiB were taken to refuse three requests", took)
	}
	if _, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 1000))); err != nil {
		t.Fatal(err)
	}
	if n := len(readSpans(t, cluster, client)); n != 1000 {
		t.Errorf("%d spans are stored", n)
	}
}

// TestAZipBombIsRefused: a request counts as large as it is when unpacked.
func TestAZipBombIsRefused(t *testing.T) {
	cluster, _ := startKafka(t)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.MaxRequestMiB = 1 })
	bomb := make([]byte, 64<<20)
	err := c.grpc.Invoke(t.Context(), export, &bomb, &bomb, grpc.ForceCodec(raw{}), grpc.UseCompressor("gzip"))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", err)
	}
	if code, answer := c.post(t, "/v1/traces", protobuf, gzipped(t, make([]byte, 64<<20))); code != http.StatusBadRequest {
		t.Errorf("%d %.100q", code, answer)
	}
}
