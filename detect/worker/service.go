// Package worker turns closed 10-second windows into findings, and findings on versions into proposals to move traffic away from them.
//
// Everything here is a function of the windows given, in their order: no clock, no chance.
package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/detect/lifecycle"
	"github.com/weirmesh/weir/detect/residual"
	"github.com/weirmesh/weir/detect/shift"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas"
)

// Reader reads closed windows.
type Reader interface {
	// ServiceWindows returns the windows with from <= start and end <= to, ordered by start and then by name and version.
	ServiceWindows(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.ServiceWindow, error)
	// Incomplete returns the windows with from <= start and end <= to about which telemetry is missing, as far as is known by now.
	Incomplete(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.Incomplete, error)
}

// Service implements decide.Service.
type Service struct {
	reader Reader
	owns   func(schemas.Workload) bool
	series *lifecycle.Set
	shifts *shift.Planner
}

var _ decide.Service = (*Service)(nil)

// New returns a service that knows nothing yet. It decides about the workloads that owns says; nil means all.
func New(reader Reader, owns func(schemas.Workload) bool) *Service {
	if owns == nil {
		owns = func(schemas.Workload) bool { return true }
	}
	return &Service{reader: reader, owns: owns, series: lifecycle.NewSet(residual.New), shifts: shift.NewPlanner()}
}

// Step decides about the windows that end in (from, to].
func (s *Service) Step(ctx context.Context, from, to time.Time) (decide.Output, error) {
	step := time.Duration(schemas.Shortest())
	windows, err := s.reader.ServiceWindows(ctx, schemas.Shortest(), from, to)
	if err != nil {
		return decide.Output{}, fmt.Errorf("read windows from %s: %w", from.Format(time.RFC3339), err)
	}
	windows = slices.DeleteFunc(windows, func(w schemas.ServiceWindow) bool { return !s.owns(w.Workload) || w.Overflowed() })
	var out decide.Output
	for at := from; at.Before(to); at = at.Add(step) {
		n := 0
		for n < len(windows) && !windows[n].Start.After(at) {
			n++
		}
		end := at.Add(step)
		out.Findings = append(out.Findings, s.series.Observe(end, windows[:n])...)
		firing := s.series.Active()
		if err := s.again(ctx, end, firing); err != nil {
			return decide.Output{}, err
		}
		out.Decisions = append(out.Decisions, s.shifts.Step(end, windows[:n], firing)...)
		windows = windows[n:]
	}
	return out, nil
}

// again asks once more about the windows that a shift would rest on: that one was incomplete is known seconds or minutes after it was read.
func (s *Service) again(ctx context.Context, end time.Time, firing []schemas.Finding) error {
	if len(firing) == 0 {
		return nil
	}
	incomplete, err := s.reader.Incomplete(ctx, schemas.Shortest(), end.Add(-shift.Lookback), end)
	if err != nil {
		return fmt.Errorf("read what is missing before %s: %w", end.Format(time.RFC3339), err)
	}
	s.shifts.Lower(incomplete)
	return nil
}
