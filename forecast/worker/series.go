package worker

import (
	"math"
	"time"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/schemas"
)

// series is what is known of one workload over all its versions.
type series struct {
	workload schemas.Workload // without version
	models   []forecast.Model // the first is what decisions rest on, the others are there to compare
	versions map[string]*version
	last     time.Time // end of the last window seen
	lastID   string
}

// version is what is known of one version of a workload.
type version struct {
	target   schemas.Workload
	day      *day
	capacity *capacity.Model
	fit      capacity.Fit
	refusal  *capacity.Refusal
	window   string  // id of the last window
	load     float64 // of the last minute; NaN = no window
}

// observe moves all models on by one minute.
func (s *series) observe(load float64) {
	for _, m := range s.models {
		m.Observe(load)
	}
}

// quantiles are those a main forecast is published with; its siblings give their median.
func quantiles() []float64 { return []float64{0.05, 0.1, 0.5, 0.9, 0.95} }

// horizons are how many minutes ahead forecasts are published.
func horizons() []int { return []int{5, 10, 15, 30, 60} }

// forecasts says what every model expects from here.
func (s *series) forecasts(at time.Time) []schemas.Forecast {
	var all []schemas.Forecast
	for i, m := range s.models {
		asked := quantiles()
		if i > 0 {
			asked = []float64{0.5}
		}
		values := make([]float64, len(asked))
		for _, h := range horizons() {
			if !m.Predict(h, asked, values) {
				continue
			}
			for j, q := range asked {
				all = append(all, schemas.Forecast{
					MadeAt: at, TargetTime: at.Add(time.Duration(h) * time.Minute), Workload: s.workload, Signal: schemas.SignalLoad,
					Quantile: q, Value: values[j], Model: m.ID(), Inputs: s.lastID,
				})
			}
		}
	}
	return all
}

// outlook is the highest load expected within the lead time, with its bounds.
func (s *series) outlook(lead time.Duration, upper float64) (expected, low, high float64, minutes int) {
	high = math.Inf(-1)
	values := make([]float64, 3)
	for _, h := range horizons() {
		if time.Duration(h)*time.Minute > lead || !s.models[0].Predict(h, []float64{1 - upper, 0.5, upper}, values) {
			continue
		}
		if values[2] > high {
			low, expected, high, minutes = values[0], values[1], values[2], h
		}
	}
	return expected, low, high, minutes
}
