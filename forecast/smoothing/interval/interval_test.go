package interval_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/forecast/smoothing/interval"
)

// TestCoverage: whatever the errors do - normal, skewed, swelling, biased - the share within tends to the level.
func TestCoverage(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name string
		next func(i int) float64
	}{
		{"normal", func(int) float64 { return chance.NormFloat64() }},
		{"skewed", func(int) float64 { return chance.ExpFloat64() }},
		{"small", func(int) float64 { return 1e-9 * chance.NormFloat64() }},
		{"swelling each day", func(i int) float64 { return (2 + math.Sin(float64(i)/230)) * chance.NormFloat64() }},
		{"ten times at once", func(i int) float64 { return math.Pow(10, float64(i/10000)) * chance.NormFloat64() }},
		{"drifting", func(i int) float64 { return float64(i)/10000 + chance.NormFloat64() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			track, within, above, n := interval.New(5), 0, 0, 0
			for i := range 30000 {
				err := tt.next(i)
				if i > 1000 {
					n++
					if track.Quantile(0.1, 1) <= err && err <= track.Quantile(0.9, 1) {
						within++
					}
					if err > track.Quantile(0.99, 1) {
						above++
					}
				}
				track.Observe(err, track.Frame())
			}
			if c := float64(within) / float64(n); c < 0.78 || c > 0.82 {
				t.Errorf("%.3f in the 10-90 %% interval", c)
			}
			if c := float64(above) / float64(n); c < 0.003 || c > 0.016 {
				t.Errorf("%.4f above the 99 %% quantile", c)
			}
		})
	}
}

func TestQuantilesAscend(t *testing.T) {
	track := interval.New(1)
	if track.Ready() {
		t.Error("ready before the first error")
	}
	for i := range 500 {
		track.Observe(float64(i%7)-1, track.Frame()) // mostly positive, so that the lowest quantiles cross
		before := math.Inf(-1)
		for p := 0.0005; p < 1; p += 0.0005 {
			q := track.Quantile(p, 1)
			if q < before || math.IsNaN(q) {
				t.Fatalf("after %d errors: quantile %g is %g, below %g", i+1, p, q, before)
			}
			before = q
		}
	}
	if !track.Ready() {
		t.Error("not ready after 500 errors")
	}
}

func TestWidenLeavesTheMedian(t *testing.T) {
	track := interval.New(60)
	for i := range 100 {
		track.Observe(float64(i%5), track.Frame())
	}
	m := track.Frame().Median
	if got := track.Quantile(0.5, 3); got != m {
		t.Errorf("median %g, widened %g", m, got)
	}
	for _, p := range []float64{0.1, 0.9} {
		if got, want := track.Quantile(p, 2)-m, 2*(track.Quantile(p, 1)-m); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %g: %g from the median, want %g", p, got, want)
		}
	}
}

// TestOneSpike: a single error of a thousand times the usual does not make the interval wide for hours.
func TestOneSpike(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	track := interval.New(1)
	for range 1000 {
		track.Observe(chance.NormFloat64(), track.Frame())
	}
	before := track.Quantile(0.9, 1)
	track.Observe(1000, track.Frame())
	if after := track.Quantile(0.9, 1); after > 1.2*before {
		t.Errorf("%g after one spike, %g before", after, before)
	}
}
