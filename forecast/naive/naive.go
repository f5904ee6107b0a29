// Package naive holds the forecasters that every other one has to beat: the last value, and the value one season ago.
//
// Both are pure, and take the quantiles around their forecast from the errors of their own past ones: see package interval.
package naive

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/weirmesh/weir/forecast/smoothing/interval"
	"github.com/weirmesh/weir/schemas"
)

// minValues is how many values have to be observed before anything is forecast.
const minValues = 30

// Config says for which horizons errors are kept.
type Config struct {
	Horizons []int // steps ahead, ascending; others use the errors of the nearest
}

// DefaultConfig is for steps of a minute: 5 to 60 minutes.
func DefaultConfig() Config { return Config{Horizons: []int{5, 10, 15, 30, 60}} }

// Errors of the constructors.
var (
	ErrHorizons = errors.New("horizons must be at least 1 and ascending")
	ErrPeriod   = errors.New("the period must be longer than every horizon")
)

// Validate says what is wrong, or nil.
func (c Config) Validate() error {
	if len(c.Horizons) == 0 || c.Horizons[0] < 1 {
		return ErrHorizons
	}
	for i, h := range c.Horizons[1:] {
		if h <= c.Horizons[i] {
			return fmt.Errorf("horizons %v: %w", c.Horizons, ErrHorizons)
		}
	}
	return nil
}

// Model is one of the two. It is not safe for concurrent use.
type Model struct {
	name     string
	season   []float64 // ring: the last value seen at each step of the season, NaN where there is none; nil without a season
	last     float64
	t        int // steps taken
	values   int // of them with a value
	gap      int // steps since the last value
	horizons []horizon
}

// horizon keeps the errors of one number of steps ahead.
type horizon struct {
	steps  int
	errors *interval.Tracker
	said   []float64        // ring of the forecasts that wait for their value, NaN where there was none
	frames []interval.Frame // of the errors when they were made
}

// NewLast forecasts the last value.
func NewLast(cfg Config) (*Model, error) { return build("last_value", 0, cfg) }

// NewSeasonal forecasts the value one period ago, or the last one before that at the same step of the season where it is missing. Until
// a season has been seen at that step it says nothing.
func NewSeasonal(period int, cfg Config) (*Model, error) {
	m, err := build("seasonal_naive", period, cfg)
	if err == nil && period <= slices.Max(cfg.Horizons) {
		return nil, fmt.Errorf("seasonal_naive model with period %d: %w", period, ErrPeriod)
	}
	return m, err
}

func build(name string, period int, cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%s model: %w", name, err)
	}
	m := &Model{name: name}
	if period > 0 {
		m.season = slices.Repeat([]float64{math.NaN()}, period)
	}
	for _, h := range cfg.Horizons {
		m.horizons = append(m.horizons, horizon{
			steps: h, errors: interval.New(h), said: slices.Repeat([]float64{math.NaN()}, h), frames: make([]interval.Frame, h),
		})
	}
	return m, nil
}

// ID names the model and its version.
func (m *Model) ID() schemas.Model { return schemas.Model{Name: m.name, Version: "1"} }

// Observe takes the value of the next step. NaN and infinities stand for a missing one.
func (m *Model) Observe(value float64) {
	m.gap++
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		m.take(value)
	}
	m.t++
	for _, h := range m.horizons {
		i := (m.t - 1) % h.steps
		h.said[i], h.frames[i] = math.NaN(), h.errors.Frame()
		if m.gap == 0 {
			h.said[i] = m.point(h.steps)
		}
	}
}

func (m *Model) take(value float64) {
	m.gap, m.last = 0, value
	m.values++
	for _, h := range m.horizons {
		if said := h.said[m.t%h.steps]; !math.IsNaN(said) {
			h.errors.Observe(value-said, h.frames[m.t%h.steps])
		}
	}
	if m.season != nil {
		m.season[m.t%len(m.season)] = value
	}
}

// point is the forecast `steps` steps ahead, NaN without one.
func (m *Model) point(steps int) float64 {
	if m.season == nil {
		return m.last
	}
	return m.season[(m.t-1+steps)%len(m.season)]
}

// Predict fills out with quantiles of the value `steps` steps after the last one observed; the median is the naive value itself. It returns
// false, and leaves out alone, until 30 values and twice as many steps as asked for have been observed, while the season is not known,
// before the first error at that horizon, and where out is shorter than quantiles. Quantiles are not negative.
func (m *Model) Predict(steps int, quantiles, out []float64) bool {
	if steps < 1 || m.values < minValues || m.t < 2*steps || len(out) < len(quantiles) {
		return false
	}
	point, h := m.point(steps), m.nearest(steps)
	if math.IsNaN(point) || !h.errors.Ready() {
		return false
	}
	middle := h.errors.Frame().Median
	for i, p := range quantiles {
		out[i] = max(0, point+(h.errors.Quantile(p, 1)-middle))
	}
	return true
}

// nearest is the configured horizon closest to steps, the longer one of two.
func (m *Model) nearest(steps int) horizon {
	best := m.horizons[0]
	for _, h := range m.horizons[1:] {
		if abs(h.steps-steps) <= abs(best.steps-steps) {
			best = h
		}
	}
	return best
}

func abs(x int) int { return max(x, -x) }
