package residual_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/detect/residual"
	"github.com/weirmesh/weir/schemas"
)

var epoch = time.Date(2025, 3, 4, 0, 0, 0, 0, time.UTC)

// window has so many calls, of which some failed, at a mean latency; its slowest call takes three times the mean.
func window(i int, calls, failed uint64, ms float64) schemas.ServiceWindow {
	return schemas.ServiceWindow{
		Workload: schemas.Workload{Name: "checkout", Version: "v2"},
		Start:    epoch.Add(time.Duration(i) * 10 * time.Second), Length: 10 * time.Second,
		Offered: calls, Calls: calls, StatusKnown: calls, Errors: failed, MeanMs: ms, P95Ms: 2 * ms, P99Ms: 3 * ms, Completeness: 1,
	}
}

// taught is a detector that has seen n windows of 20 calls: 1 % fail, and the latency varies around 50 ms as exponential calls make it.
func taught(d detect.Detector, n int) detect.Detector {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		d.Observe(window(i, 20, uint64(max(0, i%5-3)), 50*math.Exp(0.22*rng.NormFloat64())))
		d.Learn()
	}
	return d
}

func TestNothingIsJudgedWithoutHistory(t *testing.T) {
	for _, signal := range []schemas.Signal{schemas.SignalErrorRate, schemas.SignalLatency} {
		for _, c := range []struct {
			windows, at int
			known       bool
		}{
			{0, 0, false},
			{179, 179, false}, // not yet half an hour
			{180, 180, true},
			{59, 1000, false}, // long enough, but too few
			{60, 1000, true},
		} {
			if s := taught(residual.New(signal), c.windows).Observe(window(c.at, 20, 20, 500)); s.Known != c.known {
				t.Errorf("%s after %d windows, at window %d: known %v", signal, c.windows, c.at, s.Known)
			}
		}
	}
	if residual.New("offered") != nil {
		t.Error("there is no detector of load")
	}
}

func TestWhatCannotBeJudged(t *testing.T) {
	none := func(*schemas.ServiceWindow) {}
	for name, c := range map[string]struct {
		change          func(*schemas.ServiceWindow)
		errors, latency bool
	}{
		"as it is":           {none, true, true},
		"no calls":           {func(w *schemas.ServiceWindow) { w.Calls, w.MeanMs = 0, math.NaN() }, false, false},
		"much is missing":    {func(w *schemas.ServiceWindow) { w.Completeness = 0.79 }, false, false},
		"nobody knows":       {func(w *schemas.ServiceWindow) { w.Completeness = math.NaN() }, false, false},
		"no outcome known":   {func(w *schemas.ServiceWindow) { w.StatusKnown = 0 }, false, true},
		"no latency known":   {func(w *schemas.ServiceWindow) { w.MeanMs = math.NaN() }, true, false},
		"one call":           {func(w *schemas.ServiceWindow) { w.Calls, w.StatusKnown, w.Errors = 1, 1, 1 }, true, false},
		"percentile missing": {func(w *schemas.ServiceWindow) { w.P99Ms = math.NaN() }, true, true},
	} {
		w := window(500, 20, 10, 300)
		c.change(&w)
		if got := taught(residual.NewErrors(), 500).Observe(w).Known; got != c.errors {
			t.Errorf("%s: errors judged: %v", name, got)
		}
		if got := taught(residual.NewLatency(), 500).Observe(w).Known; got != c.latency {
			t.Errorf("%s: latency judged: %v", name, got)
		}
	}
}

// One score after 1,000 windows of health.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		windows    [][2]uint64 // calls, failed
		out, alarm bool
	}{
		"as usual":                            {[][2]uint64{{20, 0}}, false, false},
		"one of three":                        {[][2]uint64{{3, 1}}, false, false},
		"two of two":                          {[][2]uint64{{2, 2}}, false, false},
		"three of six":                        {[][2]uint64{{6, 3}}, true, false},
		"a third of twenty":                   {[][2]uint64{{20, 7}}, true, true},
		"a third of five, again and again":    {[][2]uint64{{5, 1}, {5, 2}, {5, 2}, {5, 2}}, true, true},
		"twice as many, of many":              {[][2]uint64{{2000, 45}}, false, false}, // 2.3 % is not 2 points more
		"a burst, then health":                {[][2]uint64{{20, 15}, {20, 0}}, false, false},
		"a burst, then nearly health":         {[][2]uint64{{20, 15}, {20, 1}}, false, false},
		"what is a bit high for long":         {[][2]uint64{{50, 3}, {50, 3}, {50, 3}, {50, 3}, {50, 3}, {50, 3}}, true, false},
		"long ago and now are not one pool":   {slices.Concat([][2]uint64{{5, 2}}, make([][2]uint64, 11), [][2]uint64{{5, 2}}), false, false},
		"more failures than calls is a share": {[][2]uint64{{20, 40}}, true, true},
	} {
		d := taught(residual.NewErrors(), 1000)
		var s detect.Score
		for i, w := range c.windows {
			s = d.Observe(window(1000+i, w[0], w[1], 50))
		}
		if s.OutOfBounds() != c.out || s.Alarm() != c.alarm {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestLatency(t *testing.T) {
	fast := func(i int, ms float64) schemas.ServiceWindow { return window(i, 20, 0, ms) }
	minute := func(ms float64) (out []schemas.ServiceWindow) {
		for i := range 6 {
			out = append(out, fast(1000+i, ms))
		}
		return out
	}
	for name, c := range map[string]struct {
		windows    []schemas.ServiceWindow
		out, alarm bool
	}{
		"as usual":                      {[]schemas.ServiceWindow{fast(1000, 50)}, false, false},
		"faster":                        {[]schemas.ServiceWindow{fast(1000, 5)}, false, false},
		"1.4 times for a minute":        {minute(70), false, false},
		"four times":                    {[]schemas.ServiceWindow{fast(1000, 200)}, true, true},
		"three times for half a minute": {[]schemas.ServiceWindow{fast(1000, 150), fast(1001, 150), fast(1002, 150)}, true, true},
		"one call of ten seconds":       {[]schemas.ServiceWindow{outlier(1000, 20)}, false, false},
		"one of 150":                    {[]schemas.ServiceWindow{window(1000, 150, 0, 50), outlier(1001, 150)}, false, false},
		"a slow window, then health":    {[]schemas.ServiceWindow{fast(1000, 500), fast(1001, 50)}, false, false},
	} {
		d := taught(residual.NewLatency(), 1000)
		var s detect.Score
		for _, w := range c.windows {
			s = d.Observe(w)
			if !s.OutOfBounds() {
				d.Learn()
			}
		}
		if s.OutOfBounds() != c.out || s.Alarm() != c.alarm {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// A service that takes 2 ms may take 6: nobody minds 4 ms.
	d := residual.NewLatency()
	for i := range 1000 {
		d.Observe(window(i, 20, 0, 2+0.1*float64(i%3)))
		d.Learn()
	}
	if s := d.Observe(window(1000, 20, 0, 6)); s.Value > 0 {
		t.Errorf("4 ms more: %+v", s)
	}
}

// outlier is a window of calls of 50 ms, one of which took ten seconds.
func outlier(i int, calls uint64) schemas.ServiceWindow {
	w := window(i, calls, 0, 50+(10_000-50)/float64(calls))
	if calls < 100 {
		w.P99Ms = 10_000
	} else {
		w.P99Ms = 150
	}
	return w
}

func TestScoreTellsItsNumbers(t *testing.T) {
	d := taught(residual.NewErrors(), 1000)
	s := d.Observe(window(1000, 20, 8, 50))
	if s.Observed != 0.4 || math.Abs(s.Expected-0.01) > 0.002 || s.Low > s.Expected || s.High < s.Expected+0.02 || s.High > 0.1 {
		t.Errorf("errors: %+v", s)
	}
	if s.Failed != 8 || s.Calls != 20 || s.Windows != 1 || s.Pooled != 0.4 {
		t.Errorf("evidence: %+v", s)
	}
	l := taught(residual.NewLatency(), 1000)
	s = l.Observe(window(1000, 20, 0, 200))
	if s.Observed != 200 || math.Abs(s.Expected-50) > 5 || s.Low > s.Expected || s.High < 1.5*s.Expected || math.Abs(s.Pooled-200) > 20 {
		t.Errorf("latency: %+v", s)
	}
}

// The expectation follows a load that grows to twice within an hour, and the latency with it.
func TestLatencyFollowsTheLoad(t *testing.T) {
	d := taught(residual.NewLatency(), 1000)
	for i := range 360 {
		grown := 1 + float64(i)/360
		if s := d.Observe(window(1000+i, uint64(20*grown), 0, 50*math.Sqrt(grown))); s.OutOfBounds() {
			t.Fatalf("window %d of the ramp: %+v", i, s)
		}
		d.Learn()
	}
	if s := d.Observe(window(1360, 40, 0, 71)); math.Abs(s.Expected-71) > 10 {
		t.Errorf("expected %v after the ramp", s.Expected)
	}
}

func TestOnlyWhatIsLearnedChangesTheExpectation(t *testing.T) {
	for _, signal := range []schemas.Signal{schemas.SignalErrorRate, schemas.SignalLatency} {
		d := taught(residual.New(signal), 1000)
		before := d.Observe(window(1000, 20, 0, 50)).Expected
		for i := range 1000 {
			d.Observe(window(1001+i, 20, 10, 400))
		}
		if after := d.Observe(window(2001, 20, 0, 50)).Expected; after != before {
			t.Errorf("%s: expected %v, then %v", signal, before, after)
		}
	}
}

// Whatever comes, a score is made of numbers.
func FuzzObserve(f *testing.F) {
	f.Add(uint16(20), uint16(1), 50.0, 150.0, 1.0)
	f.Add(uint16(1), uint16(1), math.NaN(), math.Inf(1), 0.9)
	f.Add(uint16(200), uint16(0), 1e-300, 1e300, 1.0)
	f.Fuzz(func(t *testing.T, calls, failed uint16, ms, p99, completeness float64) {
		for _, signal := range []schemas.Signal{schemas.SignalErrorRate, schemas.SignalLatency} {
			d := taught(residual.New(signal), 200)
			for i := range 8 {
				w := window(200+i, uint64(calls), uint64(failed), ms)
				w.P99Ms, w.Completeness = p99, completeness
				s := d.Observe(w)
				for _, v := range []float64{s.Observed, s.Expected, s.Low, s.High, s.Value, s.Threshold, s.Pooled} {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s: %+v", signal, s)
					}
				}
				d.Learn()
			}
		}
	})
}

func BenchmarkErrors(b *testing.B)  { benchmark(b, residual.NewErrors()) }
func BenchmarkLatency(b *testing.B) { benchmark(b, residual.NewLatency()) }

func benchmark(b *testing.B, d detect.Detector) {
	windows := make([]schemas.ServiceWindow, 1024)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range windows {
		windows[i] = window(i, 20+rng.Uint64N(10), rng.Uint64N(2), 40+20*rng.Float64())
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Observe(windows[i%len(windows)])
		d.Learn()
		i++
	}
}
