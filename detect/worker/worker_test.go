package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect/shift"
	"github.com/weirmesh/weir/detect/worker"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
)

const step = 10 * time.Second

// counted is what the windows would be if the mesh's spans were counted: everything the detect stage sees.
type counted struct {
	windows    []schemas.ServiceWindow
	incomplete []schemas.Incomplete // known only after the windows were read
}

func (c *counted) Incomplete(_ context.Context, _ schemas.Resolution, from, to time.Time) ([]schemas.Incomplete, error) {
	return slices.DeleteFunc(slices.Clone(c.incomplete), func(w schemas.Incomplete) bool {
		return w.Start.Before(from) || w.Start.Add(step).After(to)
	}), nil
}

func (c *counted) ServiceWindows(_ context.Context, _ schemas.Resolution, from, to time.Time) ([]schemas.ServiceWindow, error) {
	begin, _ := slices.BinarySearchFunc(c.windows, from, func(w schemas.ServiceWindow, t time.Time) int { return w.Start.Compare(t) })
	end := begin
	for end < len(c.windows) && !c.windows[end].End().After(to) {
		end++
	}
	return slices.Clone(c.windows[begin:end]), nil
}

// key is one window of one version.
type key struct {
	start            int64
	service, version string
}

// sum is what is counted of it.
type sum struct {
	calls, errors, refused uint64
	ns                     int64
	instances              map[string]bool
}

// count runs a scenario and counts its calls by the window of their end.
func count(t *testing.T, s scenario.Scenario) (*counted, mesh.Config) {
	t.Helper()
	cfg, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(cfg, s.Seed)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[key]*sum{}
	err = m.Run(t.Context(), func(b mesh.Batch) error {
		for i := range b.Spans {
			add(sums, &b.Spans[i])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{}
	for k, v := range sums {
		w := schemas.ServiceWindow{
			Workload: schemas.Workload{Cluster: cfg.Cluster, Namespace: cfg.Namespace, Name: k.service, Version: k.version},
			Start:    time.Unix(0, k.start).UTC(), Length: step, Offered: v.calls + v.refused, Calls: v.calls, Errors: v.errors, StatusKnown: v.calls,
			RejectedMesh: v.refused, Instances: len(v.instances), Completeness: 1,
		}
		if v.calls > 0 {
			w.MeanMs = float64(v.ns) / 1e6 / float64(v.calls)
		}
		c.windows = append(c.windows, w)
	}
	slices.SortFunc(c.windows, func(a, b schemas.ServiceWindow) int {
		if d := a.Start.Compare(b.Start); d != 0 {
			return d
		}
		return strings.Compare(a.Versioned(), b.Versioned())
	})
	return c, cfg
}

func add(sums map[key]*sum, s *mesh.Span) {
	k := key{schemas.Shortest().Start(s.End), s.Origin.Service, s.Origin.Version}
	if sums[k] == nil {
		sums[k] = &sum{instances: map[string]bool{}}
	}
	v := sums[k]
	if s.Refused() {
		v.refused++
		return
	}
	v.calls++
	v.ns += s.End - s.Start
	v.instances[s.Origin.Instance] = true
	if s.Status >= 500 {
		v.errors++
	}
}

// short is the demo without its first two days: the last morning, with its ramp and its fault.
func short(seed uint64, healthy bool) scenario.Scenario {
	const length = 12 * time.Hour
	s := scenario.Default(seed)
	s.Healthy = healthy
	s.Mesh.Start = s.Mesh.Start.Add(s.Mesh.Length - length)
	s.Mesh.Length = length
	s.Mesh.Events = slices.DeleteFunc(s.Mesh.Events, func(e mesh.Event) bool { return e.From >= 0 })
	return s
}

func decideAll(t *testing.T, c *counted, cfg mesh.Config) decide.Output {
	t.Helper()
	out, err := worker.New(c, nil).Step(t.Context(), cfg.Start, cfg.End())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTheDemosFaultIsFound: for five seeds of five, within three windows, and nothing before it.
func TestTheDemosFaultIsFound(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c, cfg := count(t, short(seed, false))
			fault := cfg.Faults[0]
			began := cfg.End().Add(fault.From)
			limit := began.Truncate(step).Add(3 * step)
			if began != began.Truncate(step) {
				limit = limit.Add(step) // the window in which it began is not wholly its own
			}
			out := decideAll(t, c, cfg)
			found := false
			for _, f := range out.Findings {
				if f.State != schemas.Firing {
					continue
				}
				if f.UpdatedAt.Before(began) {
					t.Errorf("%s before anything was wrong: %s", f.Workload.Versioned(), f.Explanation)
				}
				if f.Workload.Name == fault.Service && f.Workload.Version == fault.Version && !f.UpdatedAt.After(limit) {
					found = true
				}
			}
			if !found {
				t.Errorf("%v on %s@%s began %s and was not found by %s", fault.Kind, fault.Service, fault.Version, began, limit)
			}
			if !slices.ContainsFunc(out.Decisions, func(d schemas.Decision) bool {
				return d.Kind == schemas.Shift && d.Verdict == schemas.Propose && d.Target.Version == fault.Version && d.Proposed < d.Current
			}) {
				t.Error("nobody proposes to lower the share of the version that is in trouble")
			}
			for _, d := range out.Decisions {
				if err := d.Validate(); err != nil {
					t.Errorf("%s: %v", d.Reason, err)
				}
			}
		})
	}
}

// TestWhatIsMissedLaterShiftsNothing: the windows were whole when they were read, and later it is known that they were not.
func TestWhatIsMissedLaterShiftsNothing(t *testing.T) {
	c, cfg := count(t, short(1, false))
	for _, w := range c.windows {
		if began := cfg.End().Add(cfg.Faults[0].From); w.Start.After(began.Add(-time.Minute)) {
			c.incomplete = append(c.incomplete, schemas.Incomplete{Workload: w.Workload, Start: w.Start, Completeness: 0.9})
		}
	}
	declined := 0
	for _, d := range decideAll(t, c, cfg).Decisions {
		if d.Verdict == schemas.Propose {
			t.Errorf("on nine tenths of what happened: %s", d.Reason)
		}
		if d.Code == shift.CodeIncomplete {
			declined++
		}
	}
	if declined == 0 {
		t.Error("nobody says why nothing is proposed")
	}
}

// TestNothingActsOnTheOverflow: the demo's fault leads to nothing where its workload stands for all names that were too many.
func TestNothingActsOnTheOverflow(t *testing.T) {
	c, cfg := count(t, short(1, false))
	for i := range c.windows {
		c.windows[i].Version = schemas.Overflow
	}
	if out := decideAll(t, c, cfg); len(out.Findings) > 0 || len(out.Decisions) > 0 {
		t.Errorf("%d findings and %d decisions", len(out.Findings), len(out.Decisions))
	}
}

// TestHealthyMorningsAreSilent: the same mornings with the same ramp, without the fault.
func TestHealthyMorningsAreSilent(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c, cfg := count(t, short(seed, true))
			out := decideAll(t, c, cfg)
			for _, f := range out.Findings {
				if f.State != schemas.Pending {
					t.Errorf("%s %s: %s", f.Workload.Versioned(), f.State, f.Explanation)
				}
			}
			if len(out.Decisions) > 0 {
				t.Errorf("%d decisions, the first: %s", len(out.Decisions), out.Decisions[0].Reason)
			}
		})
	}
}

// TestStepsMayBeCutAnywhere: what is decided does not depend on how many windows a step covers.
func TestStepsMayBeCutAnywhere(t *testing.T) {
	s := short(1, false)
	s.Mesh.Length, s.Mesh.Start = 3*time.Hour, s.Mesh.Start.Add(9*time.Hour)
	c, cfg := count(t, s)
	whole := decideAll(t, c, cfg)
	pieces := worker.New(c, nil)
	var got decide.Output
	for at, n := cfg.Start, 1; at.Before(cfg.End()); n = n%7 + 1 {
		next := at.Add(time.Duration(n) * step)
		if next.After(cfg.End()) {
			next = cfg.End()
		}
		out, err := pieces.Step(t.Context(), at, next)
		if err != nil {
			t.Fatal(err)
		}
		got.Findings, got.Decisions = append(got.Findings, out.Findings...), append(got.Decisions, out.Decisions...)
		at = next
	}
	if len(whole.Findings) == 0 || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", whole) {
		t.Errorf("%d findings and %d decisions in one go, %d and %d in pieces, or others", len(whole.Findings), len(whole.Decisions), len(got.Findings), len(got.Decisions))
	}
}
