package main

import (
	"context"
	"math"
	"time"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
)

const (
	chartBack     = 3 * time.Hour    // of load before now
	findingBack   = 20 * time.Minute // of a signal before a finding
	findingAtMost = 2 * time.Hour    // of a signal since a finding
	chartHorizon  = 15 * time.Minute // how long before the forecast in a chart was made
	chartLow      = 0.1
	chartHigh     = 0.9
	chartModel    = "double_seasonal"
)

// charts reads the series behind the proposals and findings of a report.
func charts(ctx context.Context, c *clickhouse.Client, in report.Input) (map[report.Key]chart.Series, error) {
	all := map[report.Key]chart.Series{}
	minutes, err := c.ServiceWindows(ctx, schemas.Resolution(time.Minute), in.At.Add(-chartBack).Truncate(time.Minute), in.At)
	if err != nil {
		return nil, err
	}
	for _, d := range in.Decisions {
		key := report.Key{Workload: d.Target.Unversioned(), Signal: schemas.SignalLoad}
		if _, drawn := all[key]; drawn || d.Kind != schemas.Scale || d.Verdict != schemas.Propose {
			continue
		}
		if all[key], err = loadChart(ctx, c, key.Workload, minutes, in.At); err != nil {
			return nil, err
		}
	}
	for _, f := range in.Findings {
		if f.State == schemas.Pending {
			continue
		}
		key := report.Key{Workload: f.Workload, Signal: f.Signal}
		if all[key], err = findingChart(ctx, c, f, in.At); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// loadChart is the load of a workload, and what was forecast for it.
func loadChart(ctx context.Context, c *clickhouse.Client, w schemas.Workload, minutes []schemas.ServiceWindow, at time.Time) (chart.Series, error) {
	s := chart.Series{LowQuantile: chartLow, HighQuantile: chartHigh}
	for _, m := range minutes {
		if m.Unversioned() != w {
			continue
		}
		if n := len(s.Actual); n > 0 && s.Actual[n-1].At.Equal(m.End()) {
			s.Actual[n-1].Value += m.Load()
			continue
		}
		s.Actual = append(s.Actual, chart.Value{At: m.End(), Value: m.Load()})
	}
	quantiles := []float64{chartLow, 0.5, chartHigh}
	path, err := c.ForecastPath(ctx, w, schemas.SignalLoad, chartModel, quantiles, chartHorizon, at.Add(-chartBack), at.Add(chartHorizon+time.Second))
	if err != nil {
		return s, err
	}
	s.Forecast = bands(path)
	return s, nil
}

// bands puts the quantiles of each time together.
func bands(path []schemas.Forecast) []chart.Band {
	var out []chart.Band
	for _, f := range path {
		if n := len(out); n == 0 || !out[n-1].At.Equal(f.TargetTime) {
			out = append(out, chart.Band{At: f.TargetTime, Low: math.NaN(), Median: math.NaN(), High: math.NaN()})
		}
		b := &out[len(out)-1]
		switch f.Quantile {
		case chartLow:
			b.Low = f.Value
		case 0.5:
			b.Median = f.Value
		case chartHigh:
			b.High = f.Value
		}
	}
	return out
}

// findingChart is the signal of a finding around its start.
func findingChart(ctx context.Context, c *clickhouse.Client, f schemas.Finding, at time.Time) (chart.Series, error) {
	to := at
	if end := f.StartedAt.Add(findingAtMost); to.After(end) {
		to = end
	}
	windows, err := c.ServiceWindows(ctx, schemas.Shortest(), f.StartedAt.Add(-findingBack), to)
	if err != nil {
		return chart.Series{}, err
	}
	var s chart.Series
	for _, w := range windows {
		if w.Versioned() != f.Workload.Versioned() || w.Tenant != f.Workload.Tenant {
			continue
		}
		value := w.ErrorRate()
		if f.Signal == schemas.SignalLatency {
			value = w.MeanMs
		}
		s.Actual = append(s.Actual, chart.Value{At: w.End(), Value: value})
	}
	return s, nil
}

// forecastChart draws the load of a workload up to a time, what had been forecast for it, and what is forecast behind it.
func forecastChart(ctx context.Context, c *clickhouse.Client, w schemas.Workload, at time.Time) (string, error) {
	minutes, err := c.ServiceWindows(ctx, schemas.Resolution(time.Minute), at.Add(-chartBack).Truncate(time.Minute), at)
	if err != nil {
		return "", err
	}
	s, err := loadChart(ctx, c, w, minutes, at)
	if err != nil {
		return "", err
	}
	points, step, folded := s.Fold(chartPoints)
	return chart.Text(chart.Chart{
		Title: "Load of " + w.Name + ", and its forecast made 15 minutes before", Signal: string(schemas.SignalLoad), Unit: "calls/s", Band: "forecast",
		StepSeconds: step.Seconds(), Folded: folded, LowQuantile: s.LowQuantile, HighQuantile: s.HighQuantile, Points: points,
		Marks: []chart.Mark{{At: at, Label: "now; what follows is forecast"}},
	}), nil
}

// chartPoints is how many steps a chart has at most.
const chartPoints = 100
