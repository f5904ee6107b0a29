package clickhouse_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
)

// fill makes windows of 8 workloads for a time from day on: rows of 4 partitions with 40 buckets each, and 3 instances that tell their CPU.
func fill(b *testing.B, cfg clickhouse.Config, r schemas.Resolution, length time.Duration) {
	b.Helper()
	n, seconds := int64(length)/int64(r), int64(r)/second
	start := fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC') + toIntervalSecond(intDiv(number, 96) * %d)", day/1e6, seconds)
	for _, sql := range []string{
		"INSERT INTO weir.service_%[1]s (window_start, tenant, cluster, namespace, workload, version, source, last_offset, " +
			"calls, observed, status_known, duration_ns, histogram) " +
			"SELECT %[2]s, 't', 'c', 'shop', concat('w', toString(number %% 8)), 'v1', toString(intDiv(number, 8) %% 4), number, " +
			"2621440, 40, 40, 1600000000, mapFromArrays(range(40)::Array(Int16), arrayMap(i -> 65536::UInt64, range(40))) " +
			"FROM numbers(%[3]d) WHERE number %% 96 < 32",
		"INSERT INTO weir.instance_%[1]s (window_start, tenant, cluster, namespace, workload, version, instance, source, last_offset, " +
			"observed) " +
			"SELECT %[2]s, 't', 'c', 'shop', concat('w', toString(number %% 8)), 'v1', toString(intDiv(number, 8) %% 3), " +
			"toString(intDiv(number, 24) %% 4), number, 1 FROM numbers(%[3]d)",
		"INSERT INTO weir.samples (time, tenant, cluster, namespace, workload, instance, metric, value) " +
			"SELECT DISTINCT toStartOfMinute(%[2]s), 't', 'c', 'shop', concat('w', toString(number %% 8)), toString(intDiv(number, 8) %% 3), " +
			"'k8s.pod.cpu_limit_utilization', 0.5 FROM numbers(%[3]d)",
	} {
		if err := clickhouse.Query(b.Context(), cfg, fmt.Sprintf(sql, r.Suffix(), start, n*96), "TSV", io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServiceWindows(b *testing.B) {
	c, cfg := open(b)
	minute := schemas.Resolution(time.Minute)
	fill(b, cfg, minute, 7*24*time.Hour)
	fill(b, cfg, schemas.Shortest(), 24*time.Hour)
	for _, read := range []struct {
		r      schemas.Resolution
		length time.Duration
	}{
		{minute, 7 * 24 * time.Hour},
		{minute, 24 * time.Hour},
		{minute, time.Hour},
		{minute, time.Minute},
		{schemas.Shortest(), 12 * time.Hour},
		{schemas.Shortest(), time.Hour},
		{schemas.Shortest(), 10 * time.Second},
	} {
		b.Run(fmt.Sprintf("%s/%s", read.r.Suffix(), read.length), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				all, err := c.ServiceWindows(b.Context(), read.r, at(day), at(day).Add(read.length))
				if err != nil || len(all) != 8*int(read.length/time.Duration(read.r)) {
					b.Fatal(len(all), err)
				}
			}
			b.ReportMetric(8*float64(read.length/time.Duration(read.r))*float64(b.N)/b.Elapsed().Seconds(), "windows/s")
		})
	}
}

func BenchmarkSaveForecasts(b *testing.B) {
	c, _ := open(b)
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.SaveForecasts(b.Context(), forecasts(n)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// forecasts are n quantiles of 60 minutes ahead, made every minute for 8 workloads.
func forecasts(n int) []schemas.Forecast {
	quantiles := []float64{0.1, 0.5, 0.9}
	out := make([]schemas.Forecast, n)
	for i := range out {
		made := at(day).Add(time.Duration(i/1440) * time.Minute)
		out[i] = schemas.Forecast{
			MadeAt: made, TargetTime: made.Add(time.Duration(1+i/3%60) * time.Minute),
			Workload: schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: fmt.Sprint("w", i/180%8)},
			Signal:   schemas.SignalLoad, Quantile: quantiles[i%3], Value: float64(i), Model: schemas.Model{Name: "naive", Version: "1"},
			Inputs: fmt.Sprint("service_1m/2022-08-22T00:00:00Z/c/shop/w#", i/180),
		}
	}
	return out
}
