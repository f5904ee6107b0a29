package chart

import (
	"math"
	"time"
)

// Value is what a signal was in the window that ends at At; NaN where it is not known.
type Value struct {
	At    time.Time
	Value float64
}

// Band is what a signal was forecast or expected to be in the window that ends at At; NaN where it is not known.
type Band struct {
	At                time.Time
	Low, Median, High float64
}

// Series is what a chart is made of, in any order.
type Series struct {
	Actual   []Value
	Forecast []Band
	// LowQuantile and HighQuantile (0..1) say what Low and High of the forecast are; both 0 = not said.
	LowQuantile, HighQuantile float64
}

// Chart is one chart as data.
type Chart struct {
	Title        string  `json:"title"`
	Signal       string  `json:"signal"`
	Unit         string  `json:"unit"`
	StepSeconds  float64 `json:"step_seconds"`
	Folded       bool    `json:"folded"` // a point stands for several windows
	Band         string  `json:"band,omitempty"`
	LowQuantile  float64 `json:"low_quantile,omitempty"`
	HighQuantile float64 `json:"high_quantile,omitempty"`
	Points       []Point `json:"points"`
	Marks        []Mark  `json:"marks"`
}

// Point is one step of a chart. Where several windows fall into a step, Actual, Forecast and High are the highest and Low the lowest of
// them, so that no peak is hidden. What is nil is not known.
type Point struct {
	At       time.Time `json:"at"` // end of the step
	Actual   *float64  `json:"actual"`
	Forecast *float64  `json:"forecast"`
	Low      *float64  `json:"low"`
	High     *float64  `json:"high"`
}

// Mark is a moment worth seeing.
type Mark struct {
	At    time.Time `json:"at"`
	Label string    `json:"label"`
}

// Bounds is what is expected in all windows after From up to To.
type Bounds struct {
	From, To            time.Time
	Low, Expected, High float64
}

// Expect puts bounds in place of the forecast at every observed value that they cover.
func (s Series) Expect(b Bounds) Series {
	s.Forecast, s.LowQuantile, s.HighQuantile = nil, 0, 0
	for _, v := range s.Actual {
		if v.At.After(b.From) && !v.At.After(b.To) {
			s.Forecast = append(s.Forecast, Band{v.At, b.Low, b.Expected, b.High})
		}
	}
	return s
}

// Fold gives the points of s, in order and without holes, and the length of their steps. There are at most limit of them (at least 2).
func (s Series) Fold(limit int) (points []Point, step time.Duration, folded bool) {
	first, last, native := s.span()
	if first.IsZero() {
		return []Point{}, 0, false
	}
	step = round(max(native, last.Sub(first)/time.Duration(max(limit-1, 1))))
	start := ceil(first, step)
	points = make([]Point, int(ceil(last, step).Sub(start)/step)+1)
	for i := range points {
		points[i].At = start.Add(time.Duration(i) * step)
	}
	at := func(t time.Time) *Point { return &points[int(ceil(t, step).Sub(start)/step)] }
	for _, v := range s.Actual {
		keep(&at(v.At).Actual, v.Value, math.Max)
	}
	for _, b := range s.Forecast {
		p := at(b.At)
		keep(&p.Forecast, b.Median, math.Max)
		keep(&p.Low, b.Low, math.Min)
		keep(&p.High, b.High, math.Max)
	}
	return points, step, step > native
}

// span is the first and last time of the series, and its shortest step.
func (s Series) span() (first, last time.Time, step time.Duration) {
	times := make([]time.Time, 0, len(s.Actual)+len(s.Forecast))
	for _, v := range s.Actual {
		times = append(times, v.At)
	}
	for _, b := range s.Forecast {
		times = append(times, b.At)
	}
	seen := map[int64]bool{}
	for _, t := range times {
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
		seen[t.UnixNano()] = true
	}
	return first, last, shortest(seen)
}

// keep combines v with what p points to; what is not finite is left out.
func keep(p **float64, v float64, combine func(a, b float64) float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	if *p != nil {
		v = combine(**p, v)
	}
	*p = &v
}
