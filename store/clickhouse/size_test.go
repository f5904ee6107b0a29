package clickhouse_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

// The mesh whose windows are measured: workloads, windows of each, and partitions that its calls are spread over.
const (
	sizeWorkloads, sizeWindows, sizePartitions = 20, 1000, 4
)

// sized makes the partials of one table: so many calls a window on average, of durations around a median of each workload.
func sized(table schemas.Table, perWindow float64) (rows []schemas.Partial) {
	random := rand.New(rand.NewPCG(1, uint64(perWindow)))
	for w := range sizeWorkloads {
		for i := range sizeWindows {
			start := table.Resolution.Start(day + int64(i)*int64(table.Resolution))
			parts := make([]*schemas.Partial, sizePartitions)
			for range max(1, int(perWindow+math.Sqrt(perWindow)*random.NormFloat64()/2)) {
				p := random.IntN(sizePartitions)
				if parts[p] == nil {
					parts[p] = empty(table, w, start, p)
				}
				addCall(parts[p], 20e6*float64(1+w)*math.Exp(0.5*random.NormFloat64()), random)
			}
			for _, p := range parts {
				if p != nil {
					slices.SortFunc(p.Histogram, func(a, b schemas.BucketCount) int { return int(a.Bucket) - int(b.Bucket) })
					rows = append(rows, *p)
				}
			}
		}
	}
	return rows
}

func empty(table schemas.Table, workload int, start int64, partition int) *schemas.Partial {
	p := partial(table, start, 0, sizeWindows)
	p.Source = schemas.Source{Incarnation: "abcdefghijkl", Topic: "weir.calls", Partition: partition}.String()
	for i, name := range table.Subject.Dimensions() {
		switch name {
		case "workload", "destination_workload":
			p.Dimensions[i] = fmt.Sprint("workload-", workload)
		case "source_workload":
			p.Dimensions[i] = fmt.Sprint("workload-", (workload+1)%sizeWorkloads)
		}
	}
	p.Measures, p.Histogram = [schemas.MeasureCount]uint64{}, nil
	return &p
}

func addCall(p *schemas.Partial, ns float64, random *rand.Rand) {
	for _, m := range []schemas.MeasureID{schemas.Calls, schemas.StatusKnown} {
		p.Measures[m] += 1 << 16
	}
	p.Measures[schemas.Observed]++
	p.Measures[schemas.Spans] += 2
	p.Measures[schemas.DurationNS] += uint64(ns)
	p.Measures[schemas.RequestBytes] += uint64(300 + random.IntN(1000))
	p.Measures[schemas.ResponseBytes] += uint64(1000 + random.IntN(8000))
	if random.IntN(100) == 0 {
		p.Measures[schemas.Errors] += 1 << 16
		p.Measures[schemas.Errors5xx] += 1 << 16
	}
	bucket := schemas.BucketOf(uint64(ns))
	for i := range p.Histogram {
		if p.Histogram[i].Bucket == bucket {
			p.Histogram[i].Count += 1 << 16
			return
		}
	}
	p.Histogram = append(p.Histogram, schemas.BucketCount{Bucket: bucket, Count: 1 << 16})
}

// BenchmarkBytesPerWindow is no matter of time: it says what a window takes on disk once its day is one part.
func BenchmarkBytesPerWindow(b *testing.B) {
	c, cfg := open(b)
	for _, subject := range schemas.Subjects() {
		for i, calls := range []float64{1, 10, 1000} {
			b.Run(fmt.Sprintf("%s/%g calls", subject, calls), func(b *testing.B) {
				table := schemas.Table{Subject: subject, Resolution: schemas.Resolutions()[i]} // each of them once
				rows := sized(table, calls)
				for b.Loop() {
					ask(b, cfg, "TRUNCATE TABLE weir."+table.String())
					if err := c.Write(b.Context(), store.Flush{Partials: map[schemas.Table][]schemas.Partial{table: slices.Clone(rows)}}); err != nil {
						b.Fatal(err)
					}
					ask(b, cfg, "OPTIMIZE TABLE weir."+table.String()+" FINAL")
				}
				bytes, err := strconv.ParseFloat(ask(b, cfg, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '"+table.String()+"'"), 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(bytes/(sizeWorkloads*sizeWindows), "B/window")
				b.ReportMetric(bytes/float64(len(rows)), "B/row")
			})
		}
	}
}
