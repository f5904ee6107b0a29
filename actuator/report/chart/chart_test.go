package chart_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weirmesh/weir/actuator/report/chart"
)

func noon() time.Time { return time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC) }

func minutes(values ...float64) chart.Series {
	var s chart.Series
	for i, v := range values {
		s.Actual = append(s.Actual, chart.Value{At: noon().Add(time.Duration(i) * time.Minute), Value: v})
	}
	return s
}

func of(s chart.Series, limit int) chart.Chart {
	points, step, folded := s.Fold(limit)
	return chart.Chart{Title: "load", Unit: "calls/s", Band: "forecast", Points: points, StepSeconds: step.Seconds(), Folded: folded}
}

// TestPeaksAndGapsStay folds random series: the highest value is there whatever the limit, and what was never observed is nowhere.
func TestPeaksAndGapsStay(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s chart.Series
		top := math.Inf(-1)
		for i := range 1 + rng.IntN(500) {
			v := 100 * rng.Float64()
			if rng.IntN(4) == 0 {
				v = math.NaN()
			}
			if rng.IntN(5) > 0 {
				s.Actual = append(s.Actual, chart.Value{At: noon().Add(time.Duration(i) * 10 * time.Second), Value: v})
				top = math.Max(top, zeroless(v))
			}
		}
		limit := 2 + rng.IntN(120)
		points, step, _ := s.Fold(limit)
		if len(points) > limit {
			t.Fatalf("seed %d: %d points, at most %d", seed, len(points), limit)
		}
		got := math.Inf(-1)
		for i, p := range points {
			if p.Actual != nil {
				got = max(got, *p.Actual)
			}
			if i > 0 && p.At.Sub(points[i-1].At) != step {
				t.Fatalf("seed %d: a hole in the axis at %s", seed, p.At)
			}
		}
		if got != top {
			t.Fatalf("seed %d: the peak is %v, want %v", seed, got, top)
		}
	}
}

func zeroless(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

func TestMissingIsAGap(t *testing.T) {
	c := of(minutes(2, 3, math.NaN(), 4, 5, math.NaN(), 6), 50)
	d, ok := chart.Draw(c)
	if !ok || strings.Count(d.Actual, "M") != 3 || !strings.HasSuffix(d.Actual, "h0.1") || strings.Contains(d.Actual, "NaN") {
		t.Errorf("%q", d.Actual)
	}
	_, axis, _ := strings.Cut(chart.Text(c), "0 |")
	if text := chart.Text(c); strings.Contains(axis[:strings.IndexByte(axis, '\n')], "•") {
		t.Errorf("a gap is drawn as zero:\n%s", text)
	}
}

func TestText(t *testing.T) {
	s := minutes(10, 12, 14, 16, 20, 18)
	for i := 4; i < 9; i++ {
		s.Forecast = append(s.Forecast, chart.Band{At: noon().Add(time.Duration(i) * time.Minute), Low: 15, Median: 20, High: 29})
	}
	s.LowQuantile, s.HighQuantile = 0.1, 0.9
	c := of(s, 50)
	c.LowQuantile, c.HighQuantile = 0.1, 0.9
	c.Marks = []chart.Mark{{At: noon().Add(4 * time.Minute), Label: "proposed"}}
	want := `load, calls/s
       30 |                ░░░░░░░░░░░░░░░░░░░░
          |                ░░░░░░░░░░░░░░░░░░░░
          |                ░░░░░░░░░░░░░░░░░░░░
       20 |                ••••••••────────────
          |        ••••••••░░░░░░░░░░░░░░░░░░░░
       10 |••••••••
          |
          |
        0 |
          +------------------------------------
                           ^
           12:00:00                    12:08:00
• observed
─ forecast   ░ 80 % interval (quantiles 10 % to 90 %)
^ 12:04:00 proposed
`
	if got := chart.Text(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := chart.Describe(c), "load, 2025-03-04 12:00:00 to 12:08:00 UTC: observed 10 to 20 calls/s, last 18 calls/s at 12:05:00; "+
		"forecast for 12:08:00: 20 calls/s (15 to 29 calls/s)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDrawingsStayInside draws random charts, of no values, one value, negative and huge ones.
func TestDrawingsStayInside(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		scale := math.Pow(10, float64(rng.IntN(24)-12))
		var s chart.Series
		for range rng.IntN(40) {
			at, v := noon().Add(time.Duration(rng.IntN(300))*time.Minute), scale*(rng.Float64()-0.2)
			s.Actual = append(s.Actual, chart.Value{At: at, Value: v})
			s.Forecast = append(s.Forecast, chart.Band{At: at, Low: v - scale, Median: v, High: v + scale})
		}
		c := of(s, 100)
		c.Unit = []string{"calls/s", "share", "ms", ""}[rng.IntN(4)]
		d, ok := chart.Draw(c)
		text := chart.Text(c)
		if ok != (len(c.Points) > 0) || ok != (text != "") {
			t.Fatalf("seed %d: %d points, drawn %v, text %q", seed, len(c.Points), ok, text)
		}
		for _, line := range strings.Split(text, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Fatalf("seed %d: a line of %d: %s", seed, utf8.RuneCountInString(line), line)
			}
		}
		for _, part := range append(d.Bands, d.Actual, d.Forecast, text) {
			if strings.Contains(part, "NaN") || strings.Contains(part, "Inf") {
				t.Fatalf("seed %d: %s", seed, part)
			}
		}
		if ok && (len(d.Rows) < 2 || len(d.Rows) > 7) {
			t.Fatalf("seed %d: %d grid lines", seed, len(d.Rows))
		}
	}
}

func TestExpectCoversTheFindingOnly(t *testing.T) {
	s := minutes(1, 1, 9, 9, 1).Expect(chart.Bounds{
		From: noon().Add(time.Minute), To: noon().Add(3 * time.Minute), Low: 0, Expected: 1, High: 2,
	})
	if len(s.Forecast) != 2 || !s.Forecast[0].At.Equal(noon().Add(2*time.Minute)) || s.Forecast[1].High != 2 {
		t.Errorf("%+v", s.Forecast)
	}
}
