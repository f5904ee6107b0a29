package capacity_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/schemas"
)

func newModel(t testing.TB, change func(*capacity.Config)) *capacity.Model {
	t.Helper()
	cfg := capacity.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	m, err := capacity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// cpu is a minute whose calls under way are not known.
func cpu(load, share float64) capacity.Point {
	return capacity.Point{Load: load, CPU: share, InFlight: math.NaN()}
}

// calls is a minute whose CPU is not known.
func calls(load, inFlight float64) capacity.Point {
	return capacity.Point{Load: load, CPU: math.NaN(), InFlight: inFlight}
}

// daily is a load that goes up and down once a day between low and high.
func daily(minute int, low, high float64) float64 {
	return low + (high-low)*(1-math.Cos(2*math.Pi*float64(minute)/1440))/2
}

func fit(t testing.TB, m *capacity.Model) capacity.Fit {
	t.Helper()
	f, err := m.Fit()
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return f
}

func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestABadHourIsNoCapacity: an hour in three days in which each call costs three times as much does not move the rating.
func TestABadHourIsNoCapacity(t *testing.T) {
	calm, troubled := newModel(t, nil), newModel(t, nil)
	for i := range 3 * 1440 {
		load := daily(i, 2, 12)
		calm.Observe(cpu(load, 0.02+0.05*load))
		cost := 0.05
		if i >= 1440+600 && i < 1440+660 {
			cost *= 3
		}
		troubled.Observe(cpu(load, 0.02+cost*load))
	}
	near(t, "rating", fit(t, troubled).RatedLoad, fit(t, calm).RatedLoad, 0.03)
}

// TestFitIsLeastSquares compares with the textbook formulas, on as many bins as points.
func TestFitIsLeastSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 20 + rng.IntN(30)
		m := newModel(t, func(c *capacity.Config) { c.MinPoints, c.Bins, c.MinR2 = n, n, 0 })
		a, b := 0.3*rng.Float64(), 0.01+rng.Float64()/10
		xs, ys := make([]float64, n), make([]float64, n)
		var sx, sy float64
		for i := range xs {
			xs[i] = 1 + 9*rng.Float64()
			ys[i] = a + b*xs[i] + 0.1*rng.Float64()
			m.Observe(cpu(xs[i], ys[i]))
			sx, sy = sx+xs[i], sy+ys[i]
		}
		mx, my := sx/float64(n), sy/float64(n)
		var sxx, sxy, syy float64
		for i := range xs {
			sxx, sxy, syy = sxx+(xs[i]-mx)*(xs[i]-mx), sxy+(xs[i]-mx)*(ys[i]-my), syy+(ys[i]-my)*(ys[i]-my)
		}
		f := fit(t, m)
		near(t, "slope", f.Slope, sxy/sxx, 1e-9)
		near(t, "intercept", f.Intercept, my-sxy/sxx*mx, 1e-9)
		near(t, "R2", f.R2, sxy*sxy/sxx/syy, 1e-9)
	}
}

func TestRecoversPlantedLineUnderNoise(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t, nil)
		for i := range 1440 {
			load := daily(i, 2, 11)
			m.Observe(cpu(load, max(0, 0.08+0.04*load+0.1*rng.NormFloat64())))
		}
		f := fit(t, m)
		near(t, "slope", f.Slope, 0.04, 0.1)
		near(t, "rating", f.RatedLoad, min(13, f.LoadHigh*1.1), 0.05)
		if f.Unit != capacity.CPU || f.Points != 1440 || f.Bins != 20 || f.R2 < 0.9 {
			t.Errorf("seed %d: %v", seed, f)
		}
	}
}

// TestRareCalls has about three calls a minute in each replica, so that a single minute is mostly chance.
func TestRareCalls(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		m := newModel(t, nil)
		for i := range 3 * 1440 {
			n := poisson(rng, 60*daily(i, 0.01, 0.1))
			var busy float64
			for range n {
				busy += rng.ExpFloat64() * 0.4 // a call takes 400 ms
			}
			m.Observe(calls(float64(n)/60, busy/60))
		}
		f := fit(t, m)
		near(t, "slope", f.Slope, 0.4, 0.1)
		near(t, "rating", f.RatedLoad, f.LoadHigh, 0.1) // minutes are rated as minutes: the busiest had more than the 6 calls of the mean
	}
}

func poisson(rng *rand.Rand, mean float64) int {
	n := 0
	for p := rng.Float64(); p > math.Exp(-mean); p *= rng.Float64() {
		n++
	}
	return n
}

func TestRatingStaysInRange(t *testing.T) {
	cases := []struct {
		name               string
		low, high, a, b    float64
		rated              float64
		limited            bool
		sentence, fullText string
	}{
		{
			"the target is within the range", 2, 12, 0.1, 0.05, 10, false, "one replica carries 10 calls/s at 60 % CPU",
			"cpu = 10 % + 5 % per call/s; R2 1 between 20 levels of load, 2 to 12 calls/s per replica, from 1440 minutes; " +
				"one replica carries 10 calls/s at 60 % CPU",
		},
		{
			"the target is far above", 2, 6, 0.1, 0.01, 6.6, true,
			"one replica is trusted with 6.6 calls/s, because only 2 to 6 have been seen", "",
		},
		{
			"the target is far below", 8, 12, 0.5, 0.03, 7.2, true,
			"one replica is trusted with 7.2 calls/s, because only 8 to 12 have been seen", "",
		},
	}
	for _, c := range cases {
		m := newModel(t, nil)
		for i := range 1440 {
			load := daily(i, c.low, c.high)
			m.Observe(cpu(load, c.a+c.b*load))
		}
		f := fit(t, m)
		near(t, c.name+": rating", f.RatedLoad, c.rated, 0.005)
		if f.RangeLimited != c.limited || f.Rating() != c.sentence || c.fullText != "" && f.String() != c.fullText {
			t.Errorf("%s: limited %v: %s", c.name, f.RangeLimited, f)
		}
	}
}

// TestOverloadIsNoCapacity has one minute in ten at a load where calls take ten times as long.
func TestOverloadIsNoCapacity(t *testing.T) {
	m := newModel(t, nil)
	for i := range 1440 {
		load, latency := daily(i, 2, 10), 0.1
		if i%10 == 0 {
			load, latency = 20, 1.0
		}
		m.Observe(calls(load, load*latency))
	}
	f := fit(t, m)
	near(t, "rating", f.RatedLoad, 10, 0.01)
	if f.Unit != capacity.InFlight || f.RangeLimited || f.Stretched(0.5) != f.RatedLoad || f.LoadHigh != 20 || f.Target != 0 {
		t.Errorf("%+v", f)
	}
	if got, want := f.Rating(), "one replica has carried 10 calls/s before latency suffered (its CPU is not known)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStretched(t *testing.T) {
	type fit = capacity.Fit
	cases := []struct {
		name          string
		fit           fit
		share, wanted float64
	}{
		{"a ceiling is known", fit{Unit: capacity.CPU, Slope: 0.06, Target: 0.6, LoadHigh: 12, RatedLoad: 10}, 0.5, 10},
		{"the target is near", fit{Unit: capacity.CPU, Slope: 0.06, Target: 0.6, LoadHigh: 8, RatedLoad: 8.8, RangeLimited: true}, 0.5, 10},
		{"the target is far", fit{Unit: capacity.CPU, Slope: 0.06, Target: 0.6, LoadHigh: 4, RatedLoad: 4.4, RangeLimited: true}, 0.5, 6},
		{"all is too much", fit{Unit: capacity.CPU, Slope: 0.06, Target: 0.6, LoadHigh: 40, RatedLoad: 18, RangeLimited: true}, 0.5, 18},
		{"CPU is not known", fit{Unit: capacity.InFlight, LoadHigh: 4, RatedLoad: 4, RangeLimited: true}, 0.5, 6},
	}
	for _, c := range cases {
		near(t, c.name, c.fit.Stretched(c.share), c.wanted, 1e-9)
	}
}

func TestRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	line := func(n int, low, high, a, b float64) (points []capacity.Point) {
		for i := range n {
			load := daily(i*1440/n, low, high)
			points = append(points, cpu(load, a+b*load))
		}
		return points
	}
	noise := line(1440, 1, 10, 0.3, 0)
	for i := range noise {
		noise[i].CPU = rng.Float64()
	}
	cases := []struct {
		name         string
		points       []capacity.Point
		code, reason string
	}{
		{"nothing", nil, "insufficient_history", "only 0 of 120 minutes have been observed"},
		{"45 minutes", line(45, 1, 10, 0, 0.1), "insufficient_history", "only 45 of 120 minutes have been observed"},
		{
			"the same load", line(1440, 9.9, 10.2, 0.1, 0.02), "load_hardly_varied",
			"load per replica varied by only 2.94 %, between 9.9 and 10.2 calls/s",
		},
		{"no load", line(1440, 0, 0, 0.1, 0), "load_hardly_varied", "load per replica varied by only 0 %, between 0 and 0 calls/s"},
		{"chance", noise, "poor_fit", "R2 is 0.0763: load explains 7.63 % of the differences in CPU between 20 levels of load"},
		{"a constant", line(1440, 1, 10, 0.3, 0), "no_slope", "CPU stayed at 30 % while load per replica went from 1 to 10 calls/s"},
		{"downhill", line(1440, 1, 10, 0.9, -0.05), "no_slope", "CPU fell by 45 % while load per replica rose from 1 to 10 calls/s"},
		{
			"busy when idle", line(1440, 1, 10, 0.7, 0.02), "idle_above_target",
			"CPU is at 70 % even without load, above the target of 60 %, so more replicas would not bring it down",
		},
		{
			"nothing known",
			[]capacity.Point{calls(math.NaN(), 1), calls(1, math.NaN()), calls(-1, 1), calls(math.Inf(1), 1)},
			"insufficient_history", "only 0 of 120 minutes have been observed",
		},
	}
	for _, c := range cases {
		m := newModel(t, nil)
		for _, p := range c.points {
			m.Observe(p)
		}
		_, err := m.Fit()
		var refusal *capacity.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v is no refusal", c.name, err)
			continue
		}
		if refusal.Code != c.code || refusal.Reason != c.reason {
			t.Errorf("%s: %s: %s\nwant %s: %s", c.name, refusal.Code, refusal.Reason, c.code, c.reason)
		}
	}
}

func TestRefusesChanceAndThreePercent(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		chance, flat := newModel(t, nil), newModel(t, nil)
		for i := range 600 {
			chance.Observe(cpu(daily(i, 1, 10), rng.Float64()))
			flat.Observe(cpu(10*(1+0.03*rng.Float64()), 0.5+0.1*rng.Float64()))
		}
		if f, err := chance.Fit(); err == nil {
			t.Errorf("seed %d: chance gave %v", seed, f)
		}
		var refusal *capacity.Refusal
		if _, err := flat.Fit(); !errors.As(err, &refusal) || refusal.Code != capacity.LoadHardlyVaried {
			t.Errorf("seed %d: a load that varies by 3 %% gave %v", seed, err)
		}
	}
}

// TestFitIsOfTheLastMinutes checks that what has left the memory has no influence at all, not on the last bit.
func TestFitIsOfTheLastMinutes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	short := func(c *capacity.Config) { c.Keep = 500 }
	old, young := newModel(t, short), newModel(t, short)
	for i := range 1777 {
		load := math.Round(daily(i, 1, 9)) // many ties
		p := cpu(load, 0.1+0.04*load+0.05*rng.Float64())
		old.Observe(p)
		if i >= 1777-500 {
			young.Observe(p)
		}
	}
	if a, b := fit(t, old), fit(t, young); a != b || a.Points != 500 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestPointOf(t *testing.T) {
	w := schemas.ServiceWindow{Length: time.Minute, Offered: 1200, Retries: 600, Calls: 1200, InFlight: 6, Instances: 2, CPU: 0.4}
	w.RejectedMesh = 12
	if p, ok := capacity.PointOf(w); !ok || p != (capacity.Point{Load: 5, CPU: 0.4, InFlight: 3}) {
		t.Errorf("%+v, %v", p, ok)
	}
	for name, change := range map[string]func(*schemas.ServiceWindow){
		"nobody reported":      func(w *schemas.ServiceWindow) { w.Instances = 0 },
		"the mesh rejected":    func(w *schemas.ServiceWindow) { w.RejectedMesh = 13 },
		"a limit of ours":      func(w *schemas.ServiceWindow) { w.RejectedWeir = 13 },
		"Weir acted":           func(w *schemas.ServiceWindow) { w.ActedOn = true },
		"a window of no width": func(w *schemas.ServiceWindow) { w.Length = 0 },
	} {
		changed := w
		change(&changed)
		if p, ok := capacity.PointOf(changed); ok {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := capacity.New(capacity.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 4.4347: "4.43", 42: "42", 99.96: "100", 123.4: "123", 1234.5: "1230", 0.000012344: "0.0000123", -3.14159: "-3.14", 1e6: "1000000",
	} {
		if got := capacity.Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := newModel(b, nil)
	for i := range 7 * 1440 {
		load := daily(i, 2, 10) + rng.Float64()
		m.Observe(cpu(load, 0.1+0.04*load+0.05*rng.Float64()))
	}
	b.ReportAllocs()
	for b.Loop() {
		fit(b, m)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newModel(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(cpu(5, 0.3))
	}
}
