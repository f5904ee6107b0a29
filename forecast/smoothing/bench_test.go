package smoothing_test

import (
	"runtime"
	"testing"

	"github.com/weirmesh/weir/forecast/smoothing"
)

// TestStateIsSmall holds a series to 512 KB, and a step to no memory at all.
func TestStateIsSmall(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const models = 20
	kept := make([]*smoothing.Model, models)
	for i := range kept {
		kept[i] = newModel(t)
	}
	runtime.ReadMemStats(&after)
	bytes := (after.TotalAlloc - before.TotalAlloc) / models
	t.Logf("%d bytes a series", bytes)
	if bytes > 512<<10 {
		t.Errorf("%d bytes a series, want at most 512 KB", bytes)
	}
	m, out := feed(kept[0], diurnal(2)), make([]float64, 2)
	if n := testing.AllocsPerRun(100, func() {
		m.Observe(100)
		m.Predict(15, []float64{0.5, 0.9}, out)
	}); n > 0 {
		t.Errorf("%g allocations a step", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	values := diurnal(9)
	m := feed(newModel(b), values)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Observe(values[i%len(values)])
	}
}

func BenchmarkPredict(b *testing.B) {
	m, out := feed(newModel(b), diurnal(9)), make([]float64, 3)
	quantiles := []float64{0.5, 0.9, 0.99}
	b.ReportAllocs()
	for b.Loop() {
		m.Predict(15, quantiles, out)
	}
}
