// Package smoothing forecasts a load by double-seasonal exponential smoothing with an autoregressive error: the model of Taylor (Short-term
// electricity demand forecasting using double seasonal exponential smoothing, Journal of the Operational Research Society, 2003), made for
// one load at a time, minute by minute, with nothing to fit and nothing to look up:
//
//   - A day's shape and what the day of the week adds to it are smoothed from cycle to cycle. They are learnt from values whose deviation is
//     bounded (Huber), so that a spike of a few minutes leaves next day's forecast alone.
//   - On the season stand a few levels, ratios and AR(1) errors with fixed parameters, side by side, from the last value to an hour's mean.
//   - For each horizon they are weighted by the errors that their own forecasts for that horizon turned out to have.
//   - The quantiles are those of the errors of what was said, followed online: see package interval.
//
// What each part needs: the level 30 values and twice the horizon; the day one day, the week one week after the first day, both better with
// each further cycle. What has not been seen takes no part. A missing value teaches nothing: the states decay towards the season and the
// quantiles are those of a longer horizon.
//
// It is pure: no clock, no chance, no store.
package smoothing

import (
	"fmt"
	"math"
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// minValues is how many values have to be observed before anything is forecast.
const minValues = 30

// Model is the streaming forecaster. The same values in the same order give the same forecasts, bit for bit. It is not safe for
// concurrent use.
type Model struct {
	horizons []*horizon
	seasons  seasons
	cleaner  *cleaner
	trackers []tracker
	scratch  []float64 // one forecast a member
	t        int       // steps taken; the next value is that of step t
	values   int       // of them with a value
	gap      int       // steps since the last value
}

// New gives a model that has seen nothing, or says what is wrong with the configuration.
func New(cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("double-seasonal model: %w", err)
	}
	m := &Model{
		seasons: seasons{day: newProfile(cfg.Periods[0], dayGain), week: newProfile(cfg.Periods[1], weekGain)},
		cleaner: newCleaner(cfg.Periods[0]),
	}
	for _, k := range members() {
		m.trackers = append(m.trackers, tracker{member: k})
	}
	m.scratch = make([]float64, len(m.trackers))
	for _, steps := range cfg.Horizons {
		m.horizons = append(m.horizons, newHorizon(steps, len(m.trackers)))
	}
	return m, nil
}

// ID names the model and its version.
func (m *Model) ID() schemas.Model { return schemas.Model{Name: "double_seasonal", Version: "1"} }

// Observe takes the value of the next step, not negative. NaN and infinities stand for a missing one.
func (m *Model) Observe(value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		m.gap++
		for i := range m.trackers {
			m.trackers[i].pass()
		}
	} else {
		m.gap = 0
		m.values++
		m.take(value)
	}
	m.t++
	for _, h := range m.horizons {
		m.say(h)
	}
}

// take learns from the value of step t: first what it says about the forecasts made for it, then the states.
func (m *Model) take(value float64) {
	for _, h := range m.horizons {
		h.observe(m.t, value)
	}
	season := m.seasons.at(m.t)
	clean := m.cleaner.clean(m.t, value, season)
	for i := range m.trackers {
		m.trackers[i].observe(value, clean, season)
	}
	m.seasons.learn(m.t, clean)
}

// say makes the forecast that will be scored, in the place of the one that just was. Those made in a gap are not: their horizon is longer.
func (m *Model) say(h *horizon) {
	o := &h.made[(m.t-1)%h.steps]
	o.ok = m.gap == 0
	if !o.ok {
		return
	}
	m.members(h.steps, o.members)
	o.pooled, o.said = h.combine(o.members)
	o.frame = h.errors.Frame()
}

// members fills out with each member's forecast of the value `steps` after the last step.
func (m *Model) members(steps int, out []float64) {
	season := m.seasons.at(m.t - 1 + steps)
	for i := range m.trackers {
		out[i] = m.trackers[i].forecast(steps, season)
	}
}

// Predict fills out with quantiles of the value `steps` steps after the last one observed. It returns false, and leaves out alone, until 30
// values and twice as many steps as asked for have been observed, and where out is shorter than quantiles. Quantiles are not negative, and
// a higher one is never below a lower one.
func (m *Model) Predict(steps int, quantiles, out []float64) bool {
	if steps < 1 || m.values < minValues || m.t < 2*steps || len(out) < len(quantiles) {
		return false
	}
	m.members(steps, m.scratch)
	_, said := m.nearest(steps).combine(m.scratch)
	reach := steps + m.gap
	h := m.nearest(reach)
	if !h.errors.Ready() {
		return false
	}
	// Beyond the last horizon the errors are taken to grow like those of a random walk.
	widen := math.Sqrt(max(1, float64(reach)/float64(m.horizons[len(m.horizons)-1].steps)))
	for i, p := range quantiles {
		out[i] = max(0, said+h.errors.Quantile(p, widen))
	}
	return true
}

// nearest is the configured horizon closest to steps, the longer one of two.
func (m *Model) nearest(steps int) *horizon {
	return slices.MinFunc(m.horizons, func(a, b *horizon) int {
		if d := distance(a.steps, steps) - distance(b.steps, steps); d != 0 {
			return d
		}
		return b.steps - a.steps
	})
}

func distance(a, b int) int { return max(a-b, b-a) }
