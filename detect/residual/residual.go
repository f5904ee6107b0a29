// Package residual judges a signal by its forecast residual divided by the residual's volatility: the idea of POLY, the best classical
// detector on service metrics in TSB-AD (Liu and Paparrizos, "The Elephant in the Room", NeurIPS 2024).
//
// Residuals are deviances of a quasi-likelihood (McCullagh and Nelder, "Generalized Linear Models", 1989, chapter 9): binomial for the
// error rate, gamma for the mean latency. The signed root of a deviance is nearly a standard normal, also for 3 failures of 6 calls, where
// the usual z is not: by Chernoff's bound chance exceeds z with a probability below exp(-z*z/2). The dispersion, by which the deviance is
// divided, is the volatility: it is followed for pools of one to six windows apart, so that errors that come in bursts, or latencies
// that stay high for a while, are judged by how they usually come. The thresholds of latency rise where its residuals have a heavy tail.
//
// Where a window has few calls, or the difference is small, up to six windows are judged together; the value is the largest over the
// pool sizes. Both the last window and the pool without its worst window must speak for the difference, so that one burst is not seen
// again in the five windows after it.
//
// Nothing is judged before 60 windows and 30 minutes of history. A difference below 2 percentage points or 3 failed calls, or below
// 1.5 times and 5 ms, has the value 0.
package residual

import (
	"math"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const (
	minWindows      = 60               // no judgement before so many windows are learned,
	minHistory      = 30 * time.Minute // and so long after the first
	minCompleteness = 0.8              // a window that misses more of its telemetry is not judged

	// Chance exceeds 6 standard deviations about once in 1e8 windows. Among few calls a difference that would be critical is taken for real
	// at 5: it could not be found within three windows of 5 calls otherwise, and chance rarely makes one of that size. What both cost and
	// bring is measured by the tests of package lifecycle.
	fewCalls        = 25.0
	threshold       = 6.0
	strongThreshold = 5.0
	// The same for latency, whose tails are heavier than the model's.
	slowThreshold       = 7.0
	strongSlowThreshold = 5.5
)

// New returns the detector of a signal, nil if there is none.
func New(s schemas.Signal) detect.Detector {
	switch s {
	case schemas.SignalErrorRate:
		return NewErrors()
	case schemas.SignalLatency:
		return NewLatency()
	}
	return nil
}

func id() schemas.Model { return schemas.Model{Name: "residual", Version: "1"} }

// history says how much was learned.
type history struct {
	windows int
	first   int64 // start of the first window, Unix ns
}

func (h history) enough(now int64) bool {
	return h.windows >= minWindows && now-h.first >= int64(minHistory)
}

func (h *history) learn(now int64) {
	if h.windows == 0 {
		h.first = now
	}
	h.windows++
}

func judgeable(w schemas.ServiceWindow) bool { return w.Calls > 0 && w.Completeness >= minCompleteness }

// root is the signed root of a deviance: negative below what is expected.
func root(deviance float64, above bool) float64 {
	z := math.Sqrt(max(deviance, 0))
	if above {
		return z
	}
	return -z
}
