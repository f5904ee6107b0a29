// Package forecast says what will be asked of a workload, how sure that is, and how many replicas it takes.
//
// Its children are pure: the models (one folder each), the capacity model and the planner know no clock and no store. The worker in this
// package reads closed windows, moves the models on by one step for each, and hands on what they say.
package forecast

import "github.com/weirmesh/weir/schemas"

// Model is a streaming forecaster of one evenly spaced series. It is deterministic: the same values in the same order give the same
// forecasts, bit for bit. It is not safe for concurrent use.
type Model interface {
	ID() schemas.Model
	// Observe takes the value of the next step. NaN stands for a missing or censored value: time passes, nothing is learnt.
	Observe(value float64)
	// Predict fills out with the given quantiles, each in (0, 1), of the value `steps` steps after the last one observed. It returns
	// false, and leaves out alone, while there is too little history for that horizon.
	Predict(steps int, quantiles, out []float64) bool
}
