package columns

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/weirmesh/weir/schemas"
)

// Sample is one row of a weir.samples message: the value of a gauge of one instance at one time.
type Sample struct {
	Time   int64 // Unix ns
	Origin schemas.Origin
	Metric string // OpenTelemetry name, with kept attributes in braces: jvm.memory.used{jvm.memory.pool.name=G1}
	Unit   string // UCUM, as the sender gave it
	Value  float64
}

// Reserved reports whether a collector says this about itself: it is no telemetry of a mesh.
func (s *Sample) Reserved() bool { return strings.HasPrefix(s.Metric, schemas.ReservedMetric) }

// Samples is the Arrow schema samples/1.
func Samples() *arrow.Schema {
	p := arrow.PrimitiveTypes
	return arrow.NewSchema([]arrow.Field{
		column("time", p.Int64, "ns since the Unix epoch"), column("value", p.Float64, "see column unit"),
		column("tenant", text, ""), column("cluster", text, ""), column("region", text, ""), column("namespace", text, ""),
		column("workload", text, ""), column("version", text, ""), column("instance", text, ""),
		column("metric", text, ""), column("unit", text, "UCUM"),
	}, nil)
}

// EncodeSamples returns the value of a weir.samples message of at most MaxRows samples.
func EncodeSamples(samples []Sample) ([]byte, error) {
	var words [9]*dictionary
	for i := range words {
		words[i] = newDictionary()
	}
	times, values := make([]int64, len(samples)), make([]float64, len(samples))
	for i, s := range samples {
		times[i], values[i] = s.Time, s.Value
		o := s.Origin
		for c, value := range [...]string{o.Tenant, o.Cluster, o.Region, o.Namespace, o.Name, o.Version, o.Instance, s.Metric, s.Unit} {
			words[c].rows = append(words[c].rows, words[c].intern(value))
		}
	}
	arrays := []arrow.Array{fixed(arrow.PrimitiveTypes.Int64, times), fixed(arrow.PrimitiveTypes.Float64, values)}
	for _, d := range words {
		arrays = append(arrays, d.array())
	}
	value, err := encode(Samples(), arrays, len(samples))
	if err != nil {
		return nil, fmt.Errorf("encode %d samples: %w", len(samples), err)
	}
	return value, nil
}

// DecodeSamples reads what EncodeSamples wrote.
func DecodeSamples(value []byte) ([]Sample, error) {
	var samples []Sample
	err := readRecord(value, func(record arrow.Record) error {
		if record.NumRows() > MaxRows {
			return fmt.Errorf("%d rows, at most %d are allowed", record.NumRows(), MaxRows)
		}
		r := &reader{record: record}
		samples = r.samples(int(record.NumRows()))
		return r.err
	})
	if err != nil {
		return nil, fmt.Errorf("decode samples: %w", err)
	}
	return samples, nil
}

func (r *reader) samples(n int) []Sample {
	times := values[int64, *array.Int64](r, "time")
	numbers := values[float64, *array.Float64](r, "value")
	metric, unit := r.text("metric"), r.text("unit")
	origins := r.originColumns()
	if r.err != nil {
		return nil
	}
	out, from := make([]Sample, n), make([]int, n)
	for i := range out {
		from[i] = origins.row(i)
	}
	known := originsOf(origins)
	for i := range out {
		out[i] = Sample{Time: times[i], Value: numbers[i], Origin: known[from[i]], Metric: metric.at(i), Unit: unit.at(i)}
	}
	return out
}
