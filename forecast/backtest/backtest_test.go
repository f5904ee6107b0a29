package backtest_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/weirmesh/weir/forecast/backtest"
)

// fixed answers with the last value and that value +- 2, from the third value on.
type fixed struct {
	seen []float64
}

func (f *fixed) Observe(v float64) { f.seen = append(f.seen, v) }

func (f *fixed) Predict(_ int, quantiles, out []float64) bool {
	if len(f.seen) < 3 {
		return false
	}
	for i, p := range quantiles {
		out[i] = f.seen[len(f.seen)-1]
		if p < 0.5 {
			out[i] -= 2
		} else if p > 0.5 {
			out[i] += 2
		}
	}
	return true
}

func TestRun(t *testing.T) {
	nan := math.NaN()
	values := []float64{10, 10, 10, 11, 14, nan, 14, 10}
	for _, tt := range []struct {
		name string
		cfg  backtest.Config
		want []backtest.Score
	}{
		// Origins with both values: 0>1 and 1>2 (silent), 2>3 (+1), 3>4 (+3), 6>7 (-4). Pinball of 0.1 and 0.9 for the errors: 0.1x3+0.1x1,
		// 0.1x5+0.9x1, 0.9x2+0.1x6 = 0.4, 1.4, 2.4.
		{
			"every step",
			backtest.Config{Horizons: []int{1}, Quantiles: []float64{0.1, 0.9}, Every: 1},
			[]backtest.Score{{Horizon: 1, Origins: 3, Silent: 2, WAPE: 8.0 / 35, Pinball: 4.2 / 35, Coverage: 1.0 / 3}},
		},
		// 2>3 and, two steps ahead, 2>4 (+4: 0.1x6+0.9x2); 6 has nothing two steps ahead.
		{
			"every fourth from the third",
			backtest.Config{Horizons: []int{1, 2}, Quantiles: []float64{0.1, 0.9}, From: 2, Every: 4},
			[]backtest.Score{
				{Horizon: 1, Origins: 2, WAPE: 5.0 / 21, Pinball: 2.8 / 21, Coverage: 0.5},
				{Horizon: 2, Origins: 1, WAPE: 4.0 / 14, Pinball: 2.4 / 14, Coverage: 0},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := backtest.Run(&fixed{}, values, tt.cfg)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, w := range tt.want {
				g := got[i]
				if g.Horizon != w.Horizon || g.Origins != w.Origins || g.Silent != w.Silent ||
					!near(g.WAPE, w.WAPE) || !near(g.Pinball, w.Pinball) || !near(g.Coverage, w.Coverage) {
					t.Errorf("%+v, want %+v", g, w)
				}
			}
		})
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

// TestNothingAhead: at an origin the model has seen the values up to it and no further.
func TestNothingAhead(t *testing.T) {
	m := &fixed{}
	values := []float64{1, 2, 3, 4}
	if _, err := backtest.Run(m, values, backtest.Config{Horizons: []int{1}, Quantiles: []float64{0.1, 0.9}, Every: 1}); err != nil {
		t.Fatal(err)
	}
	if len(m.seen) != len(values) {
		t.Errorf("fed %v", m.seen)
	}
	got, err := backtest.Run(&fixed{}, values[:2], backtest.Config{Horizons: []int{5}, Quantiles: []float64{0.1, 0.9}, Every: 1})
	if err != nil || got[0].Origins != 0 || !math.IsNaN(got[0].WAPE) {
		t.Errorf("a series shorter than the horizon: %+v, %v", got, err)
	}
}

func TestConfig(t *testing.T) {
	good := backtest.Config{Horizons: []int{1}, Quantiles: []float64{0.1, 0.9}, Every: 1}
	for name, change := range map[string]func(*backtest.Config){
		"no horizon":      func(c *backtest.Config) { c.Horizons = nil },
		"horizon 0":       func(c *backtest.Config) { c.Horizons = []int{0} },
		"one quantile":    func(c *backtest.Config) { c.Quantiles = []float64{0.5} },
		"quantile 1":      func(c *backtest.Config) { c.Quantiles = []float64{0.1, 1} },
		"descending":      func(c *backtest.Config) { c.Quantiles = []float64{0.9, 0.1} },
		"no step":         func(c *backtest.Config) { c.Every = 0 },
		"before the past": func(c *backtest.Config) { c.From = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			change(&cfg)
			if _, err := backtest.Run(&fixed{}, nil, cfg); !errors.Is(err, backtest.ErrConfig) {
				t.Error(err)
			}
		})
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAlign(t *testing.T) {
	at := func(minutes ...float64) []time.Time {
		var times []time.Time
		for _, m := range minutes {
			times = append(times, time.Unix(0, 0).Add(time.Duration(m*float64(time.Minute))))
		}
		return times
	}
	got, err := backtest.Align(time.Minute, at(3, 4, 7), []float64{1, 2, 3})
	if err != nil || len(got) != 5 || got[0] != 1 || got[1] != 2 || !math.IsNaN(got[2]) || !math.IsNaN(got[3]) || got[4] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		step  time.Duration
		times []time.Time
		want  error
	}{
		"twice":       {time.Minute, at(3, 3, 4), backtest.ErrOrder},
		"back":        {time.Minute, at(3, 2, 4), backtest.ErrOrder},
		"half a step": {time.Minute, at(3, 4.5, 5), backtest.ErrOrder},
		"no step":     {0, at(3, 4, 5), backtest.ErrStep},
		"too few":     {time.Minute, at(3, 4), backtest.ErrStep},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := backtest.Align(tt.step, tt.times, []float64{1, 2, 3}); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
