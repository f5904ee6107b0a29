// Package backtest scores a forecaster on the past by rolling origin: it is fed a series value by value, asked for a forecast at every
// k-th of them, and each answer is compared with what came. The model never sees a value before it is asked about it.
//
// It is pure: no clock, no chance, no store. A score depends on the series, the configuration and the model alone.
package backtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Model is what is scored: a forecast.Model, without its name.
type Model interface {
	// Observe takes the value of the next step; NaN is a missing one.
	Observe(value float64)
	// Predict fills out with quantiles of the value steps ahead, or returns false.
	Predict(steps int, quantiles, out []float64) bool
}

// Config says what is asked.
type Config struct {
	Horizons  []int     // steps ahead, each at least 1
	Quantiles []float64 // ascending, each in (0, 1), at least two; coverage is of the first to the last
	From      int       // index of the first origin
	Every     int       // steps between origins
}

// ErrConfig is returned for a configuration that asks for nothing.
var ErrConfig = errors.New("needs horizons of at least 1, two ascending quantiles in (0, 1), and origins every 1 or more steps from 0 on")

// Validate says what is wrong, or nil.
func (c Config) Validate() error {
	bad := len(c.Horizons) == 0 || slices.Min(c.Horizons) < 1 || len(c.Quantiles) < 2 || !slices.IsSorted(c.Quantiles) ||
		c.Quantiles[0] <= 0 || c.Quantiles[len(c.Quantiles)-1] >= 1 || c.Every < 1 || c.From < 0
	if bad {
		return fmt.Errorf("backtest: %w", ErrConfig)
	}
	return nil
}

// Score is how a model did at one horizon. Origins count where the value at the origin and the one that was forecast are both there.
type Score struct {
	Horizon  int     // steps
	Origins  int     // forecasts scored
	Silent   int     // origins at which the model said nothing
	WAPE     float64 // sum of |median - actual| / sum of |actual|; NaN without origins
	Pinball  float64 // weighted quantile loss: 2 x mean over quantiles of the sum of pinball losses / sum of |actual|
	Coverage float64 // share of the actuals within the first and the last quantile, both included
}

// Run feeds values, one a step with NaN for a missing one, and gives a score for each horizon, in their order.
func Run(model Model, values []float64, cfg Config) ([]Score, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	asked := append(slices.Clone(cfg.Quantiles), 0.5)
	answer := make([]float64, len(asked))
	sums := make([]sum, len(cfg.Horizons))
	for t, v := range values {
		model.Observe(v)
		if t < cfg.From || (t-cfg.From)%cfg.Every != 0 || math.IsNaN(v) {
			continue
		}
		for i, h := range cfg.Horizons {
			if t+h >= len(values) || math.IsNaN(values[t+h]) {
				continue
			}
			if !model.Predict(h, asked, answer) {
				sums[i].silent++
				continue
			}
			sums[i].add(cfg.Quantiles, answer, values[t+h])
		}
	}
	scores := make([]Score, len(sums))
	for i, s := range sums {
		scores[i] = s.score(cfg.Horizons[i])
	}
	return scores, nil
}

// sum adds up what a Score is made of.
type sum struct {
	origins, silent, within int
	err, pinball, actual    float64
}

// add takes one answer: the quantiles and then the median.
func (s *sum) add(quantiles, answer []float64, actual float64) {
	n := len(quantiles)
	s.origins++
	s.err += math.Abs(answer[n] - actual)
	s.actual += math.Abs(actual)
	for i, p := range quantiles {
		d := actual - answer[i]
		s.pinball += max(p*d, (p-1)*d) / float64(n)
	}
	if answer[0] <= actual && actual <= answer[n-1] {
		s.within++
	}
}

func (s *sum) score(horizon int) Score {
	return Score{
		Horizon: horizon, Origins: s.origins, Silent: s.silent,
		WAPE: s.err / s.actual, Pinball: 2 * s.pinball / s.actual, Coverage: float64(s.within) / float64(s.origins),
	}
}

// Errors of Align.
var (
	ErrStep  = errors.New("the step must be positive, and times and values as many")
	ErrOrder = errors.New("times must ascend in whole steps")
)

// Align puts values at ascending times on an even grid that starts at the first one; NaN stands where there is none. The result is the
// caller's.
func Align(step time.Duration, times []time.Time, values []float64) ([]float64, error) {
	if step <= 0 || len(times) != len(values) {
		return nil, fmt.Errorf("align series: %w", ErrStep)
	}
	var grid []float64
	for i, at := range times {
		since := at.Sub(times[0])
		if since%step != 0 || since/step < time.Duration(len(grid)) {
			return nil, fmt.Errorf("align series: %s: %w", at.UTC().Format(time.RFC3339), ErrOrder)
		}
		for time.Duration(len(grid)) < since/step {
			grid = append(grid, math.NaN())
		}
		grid = append(grid, values[i])
	}
	return grid, nil
}
