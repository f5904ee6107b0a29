package collector_test

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// BenchmarkExport sends requests of 1,000 spans over gRPC, each acknowledged by Kafka. Sender, collector and an in-memory broker share
// the process, so this is an upper bound of what the collector costs.
func BenchmarkExport(b *testing.B) {
	cluster, _ := startKafka(b)
	c := start(b, cluster, nil)
	req := ptraceotlp.NewExportRequestFromTraces(spans(1, 1000))
	client := ptraceotlp.NewGRPCClient(c.grpc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Export(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/span")
}
