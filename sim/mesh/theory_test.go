package mesh_test

import (
	"math"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

// erlangC is the probability that a call waits in M/M/c at offered load a.
func erlangC(c int, a float64) float64 {
	term, sum := 1.0, 0.0
	for k := range c {
		sum += term
		term *= a / float64(k+1)
	}
	last := term / (1 - a/float64(c))
	return last / (sum + last)
}

// TestQueueingTheory compares mean times in the system with the formulas of M/M/1, M/M/c (Erlang C) and M/G/1 (Pollaczek-Khinchine).
func TestQueueingTheory(t *testing.T) {
	const work = 0.02
	for _, tt := range []struct {
		name    string
		workers int
		how     mesh.Variability
		busy    float64 // load per worker
		want    func(lambda float64) float64
	}{
		{"M/M/1 0.3", 1, mesh.Exponential, 0.3, func(l float64) float64 { return 1 / (1/work - l) }},
		{"M/M/1 0.7", 1, mesh.Exponential, 0.7, func(l float64) float64 { return 1 / (1/work - l) }},
		{"M/M/4 0.7", 4, mesh.Exponential, 0.7, func(l float64) float64 { return work + erlangC(4, l*work)/(4/work-l) }},
		{"M/D/1 0.6", 1, mesh.Constant, 0.6, func(l float64) float64 { return work + l*work*work/2/(1-l*work) }},
		{"M/G/1 0.6", 1, mesh.Lognormal, 0.6, func(l float64) float64 { return work + l*work*work*(1+0.25)/2/(1-l*work) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lambda := tt.busy * float64(tt.workers) / work
			r := run(t, queue(2*time.Hour, lambda, version(1, tt.workers, 20*time.Millisecond, tt.how)), 42)
			near(t, "arrivals a second", float64(len(r.spans))/7200, lambda, 0.01)
			near(t, "mean time in the system", mean(r.spans), tt.want(lambda), 0.04)
			near(t, "utilisation", meanOf(r.truth, func(m mesh.Minute) float64 { return m.Utilisation }), tt.busy, 0.02)
		})
	}
}

// TestLittle: the mean number of calls inside, which the mesh counts by its state, is their rate times their mean time, which spans tell.
func TestLittle(t *testing.T) {
	r := run(t, pair(time.Hour, 50, mesh.Call{}), 3)
	for _, name := range []string{"a", "b"} {
		inside := 0.0
		for _, m := range r.truth.Minutes {
			if m.Service == name {
				inside += m.InFlight / 60
			}
		}
		spans := r.of(name)
		near(t, "calls inside "+name, inside, float64(len(spans))/3600*mean(spans), 1e-3)
	}
}

// TestBalancers: with least-loaded instances calls wait less than with two choices, and with those less than in one queue per instance.
func TestBalancers(t *testing.T) {
	cfg := queue(20*time.Minute, 160, version(4, 1, 20*time.Millisecond, mesh.Exponential))
	least := mean(run(t, cfg, 5).spans)
	cfg.Services[0].Balancer = mesh.TwoChoices
	two := mean(run(t, cfg, 5).spans)
	random := 1 / (50 - 40.0)
	if !(least < two && two < random) {
		t.Errorf("mean times: least loaded %.4f, two choices %.4f, at random %.4f", least, two, random)
	}
}

func meanOf(truth mesh.Truth, what func(mesh.Minute) float64) float64 {
	sum, n := 0.0, 0
	for _, m := range truth.Minutes {
		if m.Start.Before(truth.To) {
			sum += what(m)
			n++
		}
	}
	return sum / float64(n)
}

// TestLoad compares arrivals with what the configuration asks for.
func TestLoad(t *testing.T) {
	day := queue(24*time.Hour, 5, version(2, 8, time.Millisecond, mesh.Constant))
	day.Load.Daily, day.Load.PeakHour = 0.87, 13
	r := run(t, day, 1)
	near(t, "mean rate", float64(len(r.spans))/86400, 5, 0.01)
	near(t, "rate at the peak", float64(len(during(r.spans, 12*time.Hour, 14*time.Hour)))/7200, 5*mesh.Curve(0.87, 13, 13), 0.03)
	near(t, "rate at the trough", float64(len(during(r.spans, 0, 2*time.Hour)))/7200, 5*mesh.Curve(0.87, 13, 1), 0.04)
	near(t, "peak of the curve", mesh.Curve(0.87, 13, 13), 2, 0.02)
	near(t, "trough of the curve", mesh.Curve(0.87, 13, 1), 0.35, 0.02)

	week := queue(7*24*time.Hour, 1, version(1, 8, time.Millisecond, mesh.Constant))
	week.Load.Weekly, week.Load.Growth = [7]float64{1, 1, 1, 1, 1, 0.5, 0.5}, 0.1
	r = run(t, week, 1)
	for day, want := range []float64{0: 1, 3: 1, 5: 0.5, 6: 0.5} {
		if want > 0 {
			got := float64(len(during(r.spans, time.Duration(day)*24*time.Hour, time.Duration(day+1)*24*time.Hour))) / 86400
			near(t, "rate on day "+start().AddDate(0, 0, day).Weekday().String(), got, want*math.Pow(1.1, float64(day)+0.5), 0.02)
		}
	}

	events := queue(4*time.Hour, 20, version(2, 8, time.Millisecond, mesh.Constant))
	events.Events = []mesh.Event{
		{Kind: mesh.Ramp, From: time.Hour, To: 2 * time.Hour, Factor: 3},
		{Kind: mesh.FlashCrowd, From: -30 * time.Minute, To: -20 * time.Minute, Factor: 2},
	}
	r = run(t, events, 1)
	for _, tt := range []struct {
		from, to time.Duration
		want     float64
	}{
		{0, time.Hour, 20},
		{time.Hour, 2 * time.Hour, 40},
		{2 * time.Hour, 3 * time.Hour, 60},
		{210 * time.Minute, 220 * time.Minute, 120},
		{220 * time.Minute, 4 * time.Hour, 60},
	} {
		near(t, "rate from "+tt.from.String(), float64(len(during(r.spans, tt.from, tt.to)))/(tt.to-tt.from).Seconds(), tt.want, 0.03)
	}
}

// TestBursts: the mean stays, the variance grows.
func TestBursts(t *testing.T) {
	cfg := queue(48*time.Hour, 5, version(2, 8, time.Millisecond, mesh.Constant))
	cfg.Load.Bursts = mesh.Bursts{Factor: 4, Length: 2 * time.Minute, Every: 10 * time.Minute}
	r := run(t, cfg, 9)
	near(t, "mean rate", float64(len(r.spans))/cfg.Length.Seconds(), 5, 0.06)
	variance := 0.0
	for _, m := range r.truth.Minutes {
		variance += math.Pow(float64(m.Offered)-300, 2) / float64(len(r.truth.Minutes))
	}
	if variance < 10*300 { // of a Poisson stream it is 300
		t.Errorf("the variance of a minute is %.0f", variance)
	}
}

// TestSeries: each minute gets exactly what was recorded, and one that was not recorded has no telemetry at all.
func TestSeries(t *testing.T) {
	cfg := queue(5*time.Minute, 0, version(1, 8, time.Millisecond, mesh.Constant))
	cfg.Load.Series = []float64{100, math.NaN(), 0, 250, 10.5}
	r := run(t, cfg, 1)
	for minute, want := range []int{100, 0, 0, 250} {
		if got := len(during(r.spans, time.Duration(minute)*time.Minute, time.Duration(minute+1)*time.Minute)); got != want {
			t.Errorf("minute %d has %d requests, want %d", minute, got, want)
		}
	}
	if got := len(during(r.spans, 4*time.Minute, 5*time.Minute)); got != 10 && got != 11 {
		t.Errorf("a minute of 10.5 requests has %d", got)
	}
	var minutes []int64
	for _, g := range r.gauges {
		minutes = append(minutes, (g.At-start().UnixNano())/int64(time.Minute))
	}
	if len(minutes) != 4 || minutes[0] != 0 || minutes[1] != 2 {
		t.Errorf("gauges came in minutes %v", minutes)
	}
}
