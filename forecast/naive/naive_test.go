package naive_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/naive"
	"github.com/weirmesh/weir/schemas"
)

var _ forecast.Model = (*naive.Model)(nil)

func last(t *testing.T) *naive.Model {
	t.Helper()
	m, err := naive.NewLast(naive.Config{Horizons: []int{2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func seasonal(t *testing.T, period int) *naive.Model {
	t.Helper()
	m, err := naive.NewSeasonal(period, naive.Config{Horizons: []int{2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestID(t *testing.T) {
	if got := last(t).ID(); got != (schemas.Model{Name: "last_value", Version: "1"}) {
		t.Errorf("%+v", got)
	}
	if got := seasonal(t, 10).ID(); got != (schemas.Model{Name: "seasonal_naive", Version: "1"}) {
		t.Errorf("%+v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, horizons := range [][]int{nil, {0}, {5, 5}, {5, 2}} {
		if _, err := naive.NewLast(naive.Config{Horizons: horizons}); !errors.Is(err, naive.ErrHorizons) {
			t.Errorf("last value with horizons %v: %v", horizons, err)
		}
	}
	for _, period := range []int{-1, 0, 60} {
		if _, err := naive.NewSeasonal(period, naive.DefaultConfig()); !errors.Is(err, naive.ErrPeriod) {
			t.Errorf("period %d: %v", period, err)
		}
	}
}

func TestPoint(t *testing.T) {
	const period = 20
	nan := math.NaN()
	m, l := seasonal(t, period), last(t)
	for i := range 3*period + 8 {
		v := float64(100*(i/period) + i%period)
		if i == 2*period+9 || i == 3*period+7 { // one hole where the season looks, one at the end
			v = nan
		}
		m.Observe(v)
		l.Observe(v)
	}
	for _, tt := range []struct {
		name  string
		model forecast.Model
		steps int
		want  float64
	}{
		{"the value a season ago", m, 1, 208},
		{"missing a season ago: the season before", m, 2, 109},
		{"after the hole", m, 3, 210},
		{"last value before the hole", l, 2, 306},
		{"last value, far", l, 30, 306},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := []float64{0}
			if !tt.model.Predict(tt.steps, []float64{0.5}, out) || out[0] != tt.want {
				t.Errorf("%v, want %g", out, tt.want)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	l, s := last(t), seasonal(t, 40)
	for n := 1; n <= 100; n++ {
		l.Observe(1)
		s.Observe(1)
		out := []float64{0}
		if got, want := l.Predict(25, []float64{0.5}, out), n >= 50; got != want {
			t.Fatalf("last value, 25 steps after %d: %t", n, got)
		}
		// Besides the season there has to be one error, and that is known two steps after the first forecast.
		if got, want := s.Predict(2, []float64{0.5}, out), n > 40; got != want {
			t.Fatalf("seasonal, 2 steps after %d: %t", n, got)
		}
	}
	if l.Predict(0, []float64{0.5}, []float64{0}) || l.Predict(2, []float64{0.1, 0.9}, []float64{0}) {
		t.Error("a forecast of now, or into too short a slice")
	}
}

// TestInterval: steps of a random walk have a known spread, and the 10-90 % interval of the last value is that of the sum of two of them.
func TestInterval(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	m, v := last(t), 1000.0
	var within, n float64
	out := make([]float64, 3)
	for i := range 20000 {
		v += chance.NormFloat64()
		m.Observe(v)
		if i < 1000 || !m.Predict(2, []float64{0.1, 0.5, 0.9}, out) {
			continue
		}
		if out[1] != v {
			t.Fatalf("median %g, last value %g", out[1], v)
		}
		n++
		if w := out[2] - out[0]; math.Abs(w-2*1.28*math.Sqrt2) < 1.2 {
			within++
		}
	}
	if within < 0.95*n {
		t.Errorf("%g of %g intervals are about as wide as they should be", within, n)
	}
}

func TestNotNegative(t *testing.T) {
	m, out := last(t), make([]float64, 2)
	for i := range 200 {
		m.Observe(float64(i % 10))
	}
	m.Observe(0)
	if !m.Predict(5, []float64{0.05, 0.95}, out) || out[0] != 0 || out[1] <= 0 {
		t.Errorf("%v", out)
	}
}
