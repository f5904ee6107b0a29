// Package worker turns closed one-minute windows into forecasts and scale decisions: it keeps a set of models for each workload and a
// capacity model for each version, moves them on by one step a minute, and asks the planner what follows.
//
// Everything here is a function of the windows given, in their order: no clock, no chance.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/weirmesh/weir/forecast"
	"github.com/weirmesh/weir/forecast/capacity"
	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas"
)

// Reader reads closed windows.
type Reader interface {
	// ServiceWindows returns the windows with from <= start and end <= to, ordered by start and then by name and version.
	ServiceWindows(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.ServiceWindow, error)
	// Edges sums the calls of each edge over the windows with from <= start and end <= to.
	Edges(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.Edge, error)
	// Incomplete returns the windows with from <= start and end <= to about which telemetry is missing, as far as is known by now.
	Incomplete(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.Incomplete, error)
}

// Config says how a service forecasts and plans.
type Config struct {
	Models    func() ([]forecast.Model, error) // for a new series; the first is what decisions rest on
	Capacity  capacity.Config
	Plan      plan.Config
	Lead      time.Duration // how far ahead replicas are planned
	MaxSeries int           // workloads at most; those met later are left out
	// Owns reports whether this service decides about a workload. It may be nil: then it does about all.
	Owns func(schemas.Workload) bool
	// Left is told how many workloads were left out of a minute. It may be nil.
	Left func(int)
}

// Service implements decide.Service.
type Service struct {
	cfg     Config
	reader  Reader
	series  map[schemas.Workload]*series
	planner *plan.Planner
}

var _ decide.Service = (*Service)(nil)

// New returns a service that knows nothing yet, or what is wrong with its configuration.
func New(cfg Config, reader Reader) (*Service, error) {
	if cfg.Left == nil {
		cfg.Left = func(int) {}
	}
	if cfg.Owns == nil {
		cfg.Owns = func(schemas.Workload) bool { return true }
	}
	planner, err := plan.New(cfg.Plan)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, reader: reader, series: map[schemas.Workload]*series{}, planner: planner}, nil
}

const (
	step = time.Minute
	// completeEnough is the completeness from which a window's load is believed. Below it the true load is not known.
	completeEnough = 0.9
	// forgetAfter is when a workload that is no longer heard of is forgotten.
	forgetAfter = 14 * 24 * time.Hour
	// troubledShare and troubledErrors are the share and number of failed calls in a minute from which it counts as trouble.
	troubledShare, troubledErrors = 0.05, 5
	// spokenOf is how long a workload that is no longer heard of is still planned for.
	spokenOf = 5 * time.Minute
	// forecastFor is how long forecasts of a workload that is no longer heard of are published.
	forecastFor = 30 * time.Minute
	// recentMinutes is how far back "now" reaches for shares and instances.
	recentMinutes = 5
	// refitEvery is how often capacity is fitted; it divides an hour.
	refitEvery = 10 * time.Minute
)

// Step decides about the minutes that end in (from, to].
func (s *Service) Step(ctx context.Context, from, to time.Time) (decide.Output, error) {
	windows, err := s.reader.ServiceWindows(ctx, schemas.Resolution(step), from, to)
	if err != nil {
		return decide.Output{}, fmt.Errorf("read windows from %s: %w", from.Format(time.RFC3339), err)
	}
	var out decide.Output
	if err := s.again(ctx, from); err != nil {
		return out, err
	}
	for at := from; at.Before(to); at = at.Add(step) {
		n := 0
		for n < len(windows) && !windows[n].Start.After(at) {
			n++
		}
		if err := s.minute(ctx, at, windows[:n], &out); err != nil {
			return out, err
		}
		windows = windows[n:]
	}
	return out, nil
}

// minute moves everything on by the minute that starts at start.
func (s *Service) minute(ctx context.Context, start time.Time, windows []schemas.ServiceWindow, out *decide.Output) error {
	own, behind, err := s.rejections(ctx, start, windows)
	if err != nil {
		return err
	}
	groups, err := s.group(windows)
	if err != nil {
		return err
	}
	for _, w := range s.known() {
		one := s.series[w]
		if err := one.take(start.Add(step), groups[w], own[w], behind[w], s.cfg.Capacity); err != nil {
			return err
		}
		if start.Sub(one.last) < forecastFor {
			out.Forecasts = append(out.Forecasts, one.forecasts(start.Add(step))...)
		}
		out.Decisions = append(out.Decisions, s.decide(one, start.Add(step))...)
		if start.Sub(one.last) > forgetAfter {
			delete(s.series, w)
		}
	}
	s.planner.Forget(start)
	return nil
}

// group sorts windows by workload, and makes room for the workloads that are new.
func (s *Service) group(windows []schemas.ServiceWindow) (map[schemas.Workload][]schemas.ServiceWindow, error) {
	groups := map[schemas.Workload][]schemas.ServiceWindow{}
	left := map[schemas.Workload]bool{}
	for _, w := range windows {
		key := w.Unversioned()
		if !s.cfg.Owns(key) || key.Overflowed() { // the overflow is no workload
			continue
		}
		if s.series[key] == nil {
			if len(s.series) >= s.cfg.MaxSeries {
				left[key] = true
				continue
			}
			models, err := s.cfg.Models()
			if err != nil {
				return nil, fmt.Errorf("models of %s: %w", key.Key(), err)
			}
			s.series[key] = &series{workload: key, models: models, versions: map[string]*version{}}
		}
		groups[key] = append(groups[key], w)
	}
	s.cfg.Left(len(left))
	return groups, nil
}

// known lists the workloads in a fixed order.
func (s *Service) known() []schemas.Workload {
	return slices.SortedFunc(maps.Keys(s.series), func(a, b schemas.Workload) int {
		return cmp.Or(cmp.Compare(a.Key(), b.Key()), cmp.Compare(a.Tenant, b.Tenant))
	})
}

// take learns from one minute. Without windows it is a missing minute, never one without load.
func (s *series) take(end time.Time, windows []schemas.ServiceWindow, rejected, behind bool, c capacity.Config) error {
	load, believed := 0.0, len(windows) > 0 && !behind
	for _, w := range windows {
		load += w.Load()
		believed = believed && !w.ActedOn && w.Completeness >= completeEnough
		s.last, s.lastID = end, w.ID()
	}
	if !believed {
		load = math.NaN()
	}
	s.observe(load)
	unnamed := slices.ContainsFunc(windows, func(w schemas.ServiceWindow) bool { return w.Overflowed() && w.Offered > 0 })
	for _, w := range windows {
		v, err := s.version(w.Workload, c)
		if err != nil {
			return err
		}
		if v != nil {
			v.take(w, rejected || behind, unnamed)
		}
	}
	for name, v := range s.versions {
		if slices.ContainsFunc(windows, func(w schemas.ServiceWindow) bool { return w.Version == name }) {
			continue
		}
		if v.miss(); v.day.empty() {
			delete(s.versions, name)
		}
	}
	return nil
}

// maxVersions is how many versions of a workload are planned for at a time: names come from telemetry, so somebody could invent them.
const maxVersions = 16

// version returns what is known of a version, from now on at least; nil if there is no room for another.
func (s *series) version(w schemas.Workload, c capacity.Config) (*version, error) {
	v := s.versions[w.Version]
	if v != nil || len(s.versions) >= maxVersions || w.Overflowed() {
		return v, nil
	}
	model, err := capacity.New(c)
	if err != nil {
		return nil, err
	}
	target := s.workload
	target.Version = w.Version
	v = &version{target: target, day: &day{}, capacity: model, refusal: &capacity.Refusal{Code: capacity.InsufficientHistory, Reason: "nothing has been observed"}}
	s.versions[w.Version] = v
	return v, nil
}

// take learns from a window of this version; unnamed says that other calls of the workload came without a version that could be kept.
func (v *version) take(w schemas.ServiceWindow, rejected, unnamed bool) {
	m := minuteOf(w, rejected)
	m.unnamed = unnamed
	v.day.add(m)
	v.window, v.load = w.ID(), w.Load()
	if rejected || w.Completeness < completeEnough || troubled(w) {
		return
	}
	if p, ok := capacity.PointOf(w); ok {
		v.capacity.Observe(p)
	}
}

// miss notes a minute without a window.
func (v *version) miss() {
	v.day.add(minute{})
	v.load = math.NaN()
}

// refit draws the capacity line anew, now and then: it costs about a millisecond.
func (v *version) refit(at time.Time) {
	if at.Unix()%int64(refitEvery.Seconds()) != 0 {
		return
	}
	fit, err := v.capacity.Fit()
	v.fit, v.refusal = fit, nil
	errors.As(err, &v.refusal)
}

// decide asks the planner about every version that was heard of lately.
func (s *Service) decide(one *series, at time.Time) []schemas.Decision {
	if at.Sub(one.last) > spokenOf {
		return nil
	}
	loads, total := map[string]float64{}, 0.0
	names := slices.Sorted(maps.Keys(one.versions))
	for _, name := range names {
		if load, instances := one.versions[name].day.recent(recentMinutes); instances > 0 {
			loads[name] = load
			total += load
		}
	}
	var all []schemas.Decision
	for _, name := range names {
		load, heard := loads[name]
		if !heard || total == 0 {
			continue
		}
		v := one.versions[name]
		v.refit(at)
		if d, say := s.planner.Decide(s.input(one, v, at, load/total)); say {
			all = append(all, d)
		}
	}
	return all
}

// input is what the planner is told about a version that takes a share of its workload's load.
func (s *Service) input(one *series, v *version, at time.Time, share float64) plan.Input {
	_, instances := v.day.recent(recentMinutes)
	in := plan.Input{
		Target: v.target, At: at, Load: v.load, Replicas: instances, History: v.day.history(), Day: v.day.view(),
		Fit: v.fit, Refusal: v.refusal, Window: v.window,
	}
	if expected, low, high, minutes := one.outlook(s.cfg.Lead, s.cfg.Plan.Quantile); minutes > 0 {
		in.Outlook = plan.Outlook{
			At: at.Add(time.Duration(minutes) * time.Minute), Expected: expected * share, Low: low * share, High: high * share, OK: true,
		}
	}
	return in
}
