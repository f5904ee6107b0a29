package shift

import (
	"math"
	"time"

	"github.com/weirmesh/weir/schemas"
)

const (
	slots    = 30 // windows of 10 seconds that are remembered: five minutes
	window   = 10 * time.Second
	aMinute  = 6  // windows
	hours    = 24 // for which the largest load is remembered
	lookback = Lookback
)

// Lookback is how far back the windows lie that a shift rests on.
const Lookback = slots * window

// slot is what is remembered of one window.
type slot struct {
	start                int64 // Unix ns
	calls, failed, known float64
	ms                   float64 // sum over calls
	instances            int
	complete             float64 // part of what happened that was told
}

// traffic is what one version has carried lately.
type traffic struct {
	slots [slots]slot
	most  [hours]struct {
		hour int64
		load float64 // calls per second and instance over a minute
	}
	last int64 // start of the newest window
}

func (t *traffic) observe(w schemas.ServiceWindow) {
	start := w.Start.UnixNano()
	s := slot{
		start: start, calls: float64(w.Calls), failed: float64(w.Errors), known: float64(w.StatusKnown), instances: w.Instances,
		complete: completeness(w.Completeness),
	}
	if w.Calls > 0 {
		s.ms = w.MeanMs * s.calls
	}
	t.slots[start/int64(window)%slots] = s
	t.last = start
	hour := start / int64(time.Hour)
	top := &t.most[hour%hours]
	if top.hour != hour {
		top.hour, top.load = hour, 0
	}
	// A minute that is not complete in the windows counts as less load, never as more.
	top.load = max(top.load, t.since(start-(aMinute-1)*int64(window), start+int64(window)).load(aMinute*window))
}

// completeness is between 0 and 1; what nobody knows is not complete.
func completeness(told float64) float64 {
	if math.IsNaN(told) {
		return 0
	}
	return min(max(told, 0), 1)
}

// lower notes that the window that begins at start was less complete than was known.
func (t *traffic) lower(start int64, told float64) {
	if s := &t.slots[start/int64(window)%slots]; s.start == start {
		s.complete = min(s.complete, completeness(told))
	}
}

// seen is the largest load per instance over a minute in the last 24 hours, in calls per second.
func (t *traffic) seen(end int64) (most float64) {
	now := (end - 1) / int64(time.Hour)
	for _, m := range t.most {
		if now-m.hour < hours {
			most = max(most, m.load)
		}
	}
	return most
}

// total sums up windows.
type total struct {
	slot
	msms, mscalls, callscalls float64 // sums of products, for the spread of the mean
	windows                   int
}

// told is how complete the windows are on average; 1 without any.
func (s total) told() float64 {
	if s.windows == 0 {
		return 1
	}
	return s.complete / float64(s.windows)
}

// since sums up the remembered windows that start at or after from and before to.
func (t *traffic) since(from, to int64) (sum total) {
	for _, s := range t.slots {
		if s.start < from || s.start >= to || s.calls == 0 {
			continue
		}
		sum.windows++
		sum.complete += s.complete
		sum.calls += s.calls
		sum.failed += s.failed
		sum.known += s.known
		sum.ms += s.ms
		sum.instances = max(sum.instances, s.instances)
		sum.msms += s.ms * s.ms
		sum.mscalls += s.ms * s.calls
		sum.callscalls += s.calls * s.calls
	}
	return sum
}

// load is calls per second and instance; an unknown number of instances counts as one.
func (s total) load(over time.Duration) float64 {
	return s.calls / over.Seconds() / float64(max(s.instances, 1))
}

// signal is the value with two standard errors on either side; NaN where nothing is known.
func (s total) signal(of schemas.Signal) (value, low, high float64) {
	if of == schemas.SignalErrorRate {
		if s.known == 0 {
			return math.NaN(), math.NaN(), math.NaN()
		}
		p := (s.failed + 0.5) / (s.known + 1) // Jeffreys' prior: no failure among few calls is not certainty
		off := 2 * math.Sqrt(p*(1-p)/s.known)
		value = s.failed / s.known
		return value, max(0, min(value, p-off)), min(1, p+off)
	}
	if s.calls == 0 || math.IsNaN(s.ms) {
		return math.NaN(), math.NaN(), math.NaN()
	}
	value = s.ms / s.calls
	// The standard error of a ratio of sums (Cochran, "Sampling Techniques", 1977, section 6.4), from the spread of the windows.
	off := 2 * math.Sqrt(max(0, s.msms-2*value*s.mscalls+value*value*s.callscalls)) / s.calls
	return value, max(0, value-off), value + off
}
