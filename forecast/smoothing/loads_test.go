package smoothing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/backtest"
	"github.com/weirmesh/weir/forecast/naive"
	"github.com/weirmesh/weir/forecast/smoothing"
)

// TestRecordedLoads compares the model with both naive forecasts on every recording, at the same origins: from the second day on, where all
// of them speak. It must win where a season or noise is there to be used, and may lose a hundredth where there is nothing to know.
// The levels are the WAPE reached, as a mean over the horizons, and a fiftieth.
func TestRecordedLoads(t *testing.T) {
	for _, tt := range []struct {
		name  string
		worse float64 // factor on the better naive forecast that is let pass
		level float64
	}{
		{"nasa", 1, 0.2870},
		{"fifa_first70pct", 1, 0.1148},
		{"input0", 1, 0.0335},
		{"input14", 1, 0.0187},
		{"input2", 1, 0.1600},
		{"input3", 1, 0.1147},
		{"input4", 1, 0.0922},
		{"input6", 1.01, 0.2378}, // quiet for twelve days, then one outburst of 60 times the load: the last value is all one can say
		{"input8", 1, 0.0703},
		{"input10", 1, 1.0955},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			values := load(t, tt.name)
			ours, last, seasonal := score(t, newModel(t), values), score(t, newLast(t), values), score(t, newSeasonal(t), values)
			t.Log("\n" + table(ours, last, seasonal))
			for i, s := range ours {
				if s.Silent > 0 || s.Origins < 1000 {
					t.Errorf("%d steps: %d origins, %d without a forecast", s.Horizon, s.Origins, s.Silent)
				}
				if s.WAPE >= tt.worse*last[i].WAPE || s.WAPE >= tt.worse*seasonal[i].WAPE {
					t.Errorf("%d steps: WAPE %.4f, last value %.4f, seasonal naive %.4f", s.Horizon, s.WAPE, last[i].WAPE, seasonal[i].WAPE)
				}
				if s.Coverage < 0.77 || s.Coverage > 0.83 {
					t.Errorf("%d steps: %.3f of the values are in the 10-90 %% interval", s.Horizon, s.Coverage)
				}
			}
			if m := mean(ours); m > tt.level || m >= mean(last) || m >= mean(seasonal) {
				t.Errorf("all horizons: WAPE %.4f, want at most %.4f and below %.4f and %.4f", m, tt.level, mean(last), mean(seasonal))
			}
		})
	}
}

// score asks every 7th minute, so that no minute of the hour is preferred.
func score(t *testing.T, m forecast.Model, values []float64) []backtest.Score {
	t.Helper()
	return scoreFrom(t, m, values, 1440+60)
}

func scoreFrom(t *testing.T, m forecast.Model, values []float64, from int) []backtest.Score {
	t.Helper()
	scores, err := backtest.Run(m, values, backtest.Config{
		Horizons: []int{5, 15, 30, 60}, Quantiles: []float64{0.1, 0.25, 0.5, 0.75, 0.9}, From: from, Every: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

func mean(scores []backtest.Score) float64 {
	var sum float64
	for _, s := range scores {
		sum += s.WAPE
	}
	return sum / float64(len(scores))
}

func table(ours, last, seasonal []backtest.Score) string {
	var b strings.Builder
	b.WriteString("steps  WAPE: ours   last  seasonal  pinball: ours   last  seasonal  coverage  origins\n")
	for i, s := range ours {
		fmt.Fprintf(&b, "%5d      %.4f %.4f    %.4f         %.4f %.4f    %.4f     %.3f  %7d\n", s.Horizon, s.WAPE, last[i].WAPE,
			seasonal[i].WAPE, s.Pinball, last[i].Pinball, seasonal[i].Pinball, s.Coverage, s.Origins)
	}
	fmt.Fprintf(&b, " mean      %.4f %.4f    %.4f\n", mean(ours), mean(last), mean(seasonal))
	return b.String()
}

func newModel(t testing.TB) *smoothing.Model {
	t.Helper()
	m, err := smoothing.New(smoothing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newLast(t testing.TB) *naive.Model {
	t.Helper()
	m, err := naive.NewLast(naive.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newSeasonal(t testing.TB) *naive.Model {
	t.Helper()
	m, err := naive.NewSeasonal(1440, naive.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return m
}
