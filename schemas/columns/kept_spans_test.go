package columns_test

import (
	"fmt"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

func BenchmarkEncodeKeptSpans(b *testing.B) {
	batch := columns.SpanBatch{Peers: []columns.Peer{{}}}
	for i := range 8 {
		name := fmt.Sprint("workload-", i)
		batch.Origins = append(batch.Origins, schemas.Origin{Workload: schemas.Workload{Cluster: "c", Namespace: "shop", Name: name}, Instance: name + "-0"})
	}
	for i := range columns.MaxRows {
		batch.Spans = append(batch.Spans, columns.Span{
			Trace: schemas.TraceID{byte(i), byte(i >> 8)}, Origin: i % 8, Route: "/cart", Protocol: "http",
			Measure: schemas.Measure{End: int64(i) * 1e6, Duration: 5e6, Weight: schemas.One},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := columns.EncodeKeptSpans([]columns.KeptSpans{{Source: "s", SpanBatch: batch}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*columns.MaxRows), "ns/span")
}
