package smoothing_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/smoothing"
	"github.com/weirmesh/weir/schemas"
)

var _ forecast.Model = (*smoothing.Model)(nil)

const day = 1440 // steps

// diurnal is a load with a smooth day between 50 and 150 a second and noise of 3, the same each time.
func diurnal(days int) []float64 {
	chance := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, days*day)
	for t := range values {
		values[t] = 100 + 50*math.Sin(2*math.Pi*float64(t)/day) + 3*chance.NormFloat64()
	}
	return values
}

func feed(m *smoothing.Model, values []float64) *smoothing.Model {
	for _, v := range values {
		m.Observe(v)
	}
	return m
}

// median asks for one number.
func median(t *testing.T, m forecast.Model, steps int) float64 {
	t.Helper()
	out := []float64{0}
	if !m.Predict(steps, []float64{0.5}, out) {
		t.Fatalf("no forecast for %d steps", steps)
	}
	return out[0]
}

func width(t *testing.T, m forecast.Model, steps int) float64 {
	t.Helper()
	out := []float64{0, 0}
	if !m.Predict(steps, []float64{0.1, 0.9}, out) {
		t.Fatalf("no forecast for %d steps", steps)
	}
	return out[1] - out[0]
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %g, want %g +- %g", what, got, want, within)
	}
}

func TestID(t *testing.T) {
	if got := newModel(t).ID(); got != (schemas.Model{Name: "double_seasonal", Version: "1"}) {
		t.Errorf("%+v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  smoothing.Config
		want error
	}{
		{"default", smoothing.DefaultConfig(), nil},
		{"five-minute steps", smoothing.Config{Periods: [2]int{288, 2016}, Horizons: []int{1, 3, 12}}, nil},
		{"no horizon", smoothing.Config{Periods: [2]int{1440, 10080}}, smoothing.ErrHorizons},
		{"horizon 0", smoothing.Config{Periods: [2]int{1440, 10080}, Horizons: []int{0}}, smoothing.ErrHorizons},
		{"unordered", smoothing.Config{Periods: [2]int{1440, 10080}, Horizons: []int{5, 5}}, smoothing.ErrHorizons},
		{"no period", smoothing.Config{Horizons: []int{5}}, smoothing.ErrPeriods},
		{"no multiple", smoothing.Config{Periods: [2]int{1440, 10000}, Horizons: []int{5}}, smoothing.ErrPeriods},
		{"horizon of a day", smoothing.Config{Periods: [2]int{60, 120}, Horizons: []int{60}}, smoothing.ErrPeriods},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := smoothing.New(tt.cfg); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	m, out := newModel(t), []float64{-1}
	for n := 1; n <= 130; n++ {
		m.Observe(10)
		for _, steps := range []int{5, 15, 60} {
			want := n >= 30 && n >= 2*steps
			if got := m.Predict(steps, []float64{0.5}, out); got != want {
				t.Fatalf("after %d values, %d steps ahead: %t", n, steps, got)
			}
		}
	}
	near(t, "constant load", out[0], 10, 1e-9)
	if m.Predict(0, []float64{0.5}, out) || m.Predict(5, []float64{0.1, 0.9}, out) {
		t.Error("a forecast of now, or into too short a slice")
	}
	empty := newModel(t)
	for range 500 {
		empty.Observe(math.NaN())
	}
	out[0] = -1
	if empty.Predict(5, []float64{0.5}, out) || out[0] != -1 {
		t.Error("a forecast from nothing")
	}
}

func TestSameInputsSameBits(t *testing.T) {
	values := diurnal(9)
	for i := 17; i < len(values); i += 23 {
		values[i] = math.NaN()
	}
	a, b := newModel(t), newModel(t)
	quantiles := []float64{0.01, 0.5, 0.9, 0.999}
	for i, v := range values {
		a.Observe(v)
		b.Observe(v)
		if i%11 == 0 {
			b.Predict(7, quantiles, make([]float64, 4)) // asking changes nothing
		}
		x, y := make([]float64, 4), make([]float64, 4)
		if i%101 != 0 || !a.Predict(60, quantiles, x) || !b.Predict(60, quantiles, y) {
			continue
		}
		for j := range x {
			if math.Float64bits(x[j]) != math.Float64bits(y[j]) {
				t.Fatalf("step %d, quantile %g: %g and %g", i, quantiles[j], x[j], y[j])
			}
		}
	}
}

func TestSeasonIsUsed(t *testing.T) {
	values := diurnal(6)
	m := feed(newModel(t), values[:5*day])
	near(t, "60 steps ahead", median(t, m, 60), 100+50*math.Sin(2*math.Pi*59/day), 3)
	near(t, "10-90 % interval of normal noise", width(t, m, 60), 2*1.28*3, 2.5)
}

// TestWeekendIsLearnt: another shape on two days of seven is worth a week effect.
func TestWeekendIsLearnt(t *testing.T) {
	values := diurnal(23)
	for i := range values {
		if d := i / day % 7; d >= 5 { // a lunch peak instead of a working day
			values[i] += 50*math.Sin(4*math.Pi*float64(i)/day) - 50*math.Sin(2*math.Pi*float64(i)/day)
		}
	}
	plain, err := smoothing.New(smoothing.Config{Periods: [2]int{day, day}, Horizons: smoothing.DefaultConfig().Horizons})
	if err != nil {
		t.Fatal(err)
	}
	with, without := scoreFrom(t, newModel(t), values, 14*day), scoreFrom(t, plain, values, 14*day)
	if mean(with) > 0.9*mean(without) {
		t.Errorf("WAPE %.4f with the week, %.4f without", mean(with), mean(without))
	}
}

func TestLevelChangeIsFollowed(t *testing.T) {
	values := diurnal(5)
	m := feed(newModel(t), values[:4*day+600])
	for i := 4*day + 600; i < 4*day+620; i++ {
		m.Observe(3 * values[i])
	}
	near(t, "20 minutes after the load tripled", median(t, m, 5), 3*values[4*day+624], 0.15*3*values[4*day+624])
	for i := 4*day + 620; i < 4*day+720; i++ {
		m.Observe(3 * values[i])
	}
	want := 3 * (100 + 50*math.Sin(2*math.Pi*779/day))
	near(t, "two hours after, an hour ahead", median(t, m, 60), want, 0.2*want)
}

func TestSpikeDoesNotPoisonTheNextDay(t *testing.T) {
	values := diurnal(6)
	spiked := append([]float64(nil), values...)
	for i := 4*day + 700; i < 4*day+704; i++ {
		spiked[i] *= 20
	}
	calm, hit := feed(newModel(t), values[:5*day+690]), feed(newModel(t), spiked[:5*day+690])
	for steps := 5; steps <= 20; steps++ {
		want := median(t, calm, steps)
		near(t, "a day after the spike", median(t, hit, steps), want, 0.05*want)
	}
	soon := feed(newModel(t), spiked[:4*day+710])
	near(t, "minutes after the spike", median(t, soon, 15), values[4*day+724], 15)
}

// TestRegularJobIsSeason: what happens every day at the same minutes is forecast, however far it stands out.
func TestRegularJobIsSeason(t *testing.T) {
	values := diurnal(8)
	for i := range values {
		if m := i % day; 300 <= m && m < 310 {
			values[i] *= 5
		}
	}
	m := feed(newModel(t), values[:7*day+290])
	near(t, "the nightly job", median(t, m, 15), values[7*day+304], 0.2*values[7*day+304])
}

func TestGrowthIsFollowed(t *testing.T) {
	t.Run("a tenth a day", func(t *testing.T) {
		values := diurnal(12)
		for i := range values {
			values[i] *= math.Pow(1.1, float64(i)/day)
		}
		ours, last, seasonal := score(t, newModel(t), values), score(t, newLast(t), values), score(t, newSeasonal(t), values)
		if mean(ours) > mean(last)/1.5 || mean(ours) > mean(seasonal)/2 {
			t.Errorf("WAPE %.4f, last value %.4f, seasonal naive %.4f", mean(ours), mean(last), mean(seasonal))
		}
	})
	t.Run("a ramp on the first day", func(t *testing.T) {
		m := newModel(t)
		for i := range 240 {
			m.Observe(100 + float64(i))
		}
		// The last value, 339, is 30 short, and has been all the time: the median of the errors makes up for half of it by then.
		if got := median(t, m, 30); got < 350 || got > 372 {
			t.Errorf("%g, want on the way from 339 to 369", got)
		}
	})
}

func TestMissingIsNotZero(t *testing.T) {
	values := diurnal(6)
	chance := rand.New(rand.NewPCG(3, 4))
	holed := append([]float64(nil), values...)
	for i := range holed {
		if chance.Float64() < 0.3 {
			holed[i] = math.NaN()
		}
	}
	whole, gappy := mean(score(t, newModel(t), values)), mean(score(t, newModel(t), holed))
	if gappy > 1.15*whole {
		t.Errorf("WAPE %.4f with every third value missing, %.4f with all of them", gappy, whole)
	}

	m := feed(newModel(t), values[:5*day])
	before := width(t, m, 5)
	for range 180 {
		m.Observe(math.NaN())
	}
	if after := width(t, m, 5); after < 1.3*before {
		t.Errorf("interval %g after three hours without values, %g before", after, before)
	}
	// The season went on in the gap.
	near(t, "after the gap", median(t, m, 5), values[5*day+184], 10)
}

func TestQuantilesAreOrderedAndNotNegative(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 6))
	quantiles := []float64{0.0001, 0.004, 0.01, 0.1, 0.33, 0.5, 0.66, 0.9, 0.99, 0.996, 0.9999}
	out := make([]float64, len(quantiles))
	m := newModel(t)
	for i := range 3 * day {
		m.Observe(math.Floor(chance.ExpFloat64() * float64(i%200) / 100)) // mostly zeros
		if i%37 != 0 || !m.Predict(1+i%90, quantiles, out) {
			continue
		}
		for j := range out {
			if !(out[j] >= 0) || math.IsInf(out[j], 0) || j > 0 && out[j] < out[j-1] {
				t.Fatalf("step %d: %v", i, out)
			}
		}
	}
}
