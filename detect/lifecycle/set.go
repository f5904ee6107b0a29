package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const (
	forget     = 24 * time.Hour // series that were silent for so long are dropped
	sweepEvery = time.Minute
	most       = 20_000 // series; more are not watched, so that invented names cannot fill the memory
)

// Set watches the error rate and mean latency of every workload at every version. It is not safe for concurrent use.
type Set struct {
	detector func(schemas.Signal) detect.Detector
	series   map[key]*series
	versions map[schemas.Workload][]*series // by workload without version: siblings
	firing   map[string]int                 // findings that fire, by workload key
	refused  uint64
}

type key struct {
	workload schemas.Workload
	signal   schemas.Signal
}

// series is one signal of one workload at one version.
type series struct {
	key
	detector detect.Detector
	machine  *Machine
	last     time.Time    // start of the window observed last
	score    detect.Score // of that window
}

// seen is a series and the index of its window.
type seen struct {
	*series
	window int
}

// NewSet returns a set whose series are judged by the detectors that detector returns, a new one at each call; nil where a signal is not
// to be watched.
func NewSet(detector func(schemas.Signal) detect.Detector) *Set {
	return &Set{
		detector: detector, series: map[key]*series{}, versions: map[schemas.Workload][]*series{}, firing: map[string]int{},
	}
}

// Observe takes all windows that end at end, in any order, and returns what changed, ordered by workload, version and signal. Steps
// come in order of time; one without windows matters, because silence ends findings.
func (s *Set) Observe(end time.Time, windows []schemas.ServiceWindow) []schemas.Finding {
	all := make([]seen, 0, 2*len(windows))
	for i, w := range windows {
		for _, signal := range []schemas.Signal{schemas.SignalErrorRate, schemas.SignalLatency} {
			if one := s.find(key{w.Workload, signal}); one != nil {
				one.last, one.score = w.Start, one.detector.Observe(w)
				all = append(all, seen{one, i})
			}
		}
	}
	var out []schemas.Finding
	for _, one := range all {
		if f, ok := s.step(one.series, windows[one.window]); ok {
			out = append(out, f)
		}
	}
	if end.Truncate(sweepEvery).Equal(end) {
		out = s.sweep(end, out)
	}
	slices.SortFunc(out, order)
	return out
}

// Firing reports whether any finding fires on the workload, see schemas.Workload.Key.
func (s *Set) Firing(workload string) bool { return s.firing[workload] > 0 }

// Active returns the findings that fire, as published last, in the order of Observe.
func (s *Set) Active() []schemas.Finding {
	if len(s.firing) == 0 {
		return nil
	}
	var out []schemas.Finding
	for _, one := range s.series {
		if one.machine.Firing() {
			out = append(out, *one.machine.active)
		}
	}
	slices.SortFunc(out, order)
	return out
}

// Refused counts the windows that were not watched because there were too many series.
func (s *Set) Refused() uint64 { return s.refused }

// step moves the machine of a series on and lets its detector learn where nothing is wrong.
func (s *Set) step(one *series, w schemas.ServiceWindow) (schemas.Finding, bool) {
	var siblings []Sibling
	if one.score.OutOfBounds() {
		siblings = s.siblings(one)
	}
	before := one.machine.Firing()
	f, ok := one.machine.Step(w, one.score, siblings)
	s.count(one, before)
	switch {
	case ok && f.State == schemas.Resolved && one.score.OutOfBounds(): // accepted: it is normal from now on
		one.detector = s.detector(one.signal)
	case one.machine.active == nil && !one.score.OutOfBounds() && !w.ActedOn:
		one.detector.Learn()
	}
	return f, ok
}

func (s *Set) count(one *series, before bool) {
	name := one.workload.Key()
	switch after := one.machine.Firing(); {
	case after && !before:
		s.firing[name]++
	case before && !after:
		if s.firing[name]--; s.firing[name] == 0 {
			delete(s.firing, name)
		}
	}
}

// siblings are the other versions that were judged in the same window.
func (s *Set) siblings(of *series) []Sibling {
	var out []Sibling
	for _, v := range s.versions[unversioned(of.workload)] {
		if v != of && v.signal == of.signal && v.score.Windows > 0 && v.last.Equal(of.last) {
			out = append(out, Sibling{v.workload.Version, v.score.Pooled})
		}
	}
	slices.SortFunc(out, func(a, b Sibling) int { return cmp.Compare(a.Version, b.Version) })
	return out
}

func (s *Set) find(k key) *series {
	if one, ok := s.series[k]; ok {
		return one
	}
	if len(s.series) >= most {
		s.refused++
		return nil
	}
	d := s.detector(k.signal)
	if d == nil {
		return nil
	}
	one := &series{key: k, detector: d, machine: NewMachine(Subject{k.workload, k.signal, d.ID()})}
	s.series[k] = one
	all := unversioned(k.workload)
	s.versions[all] = append(s.versions[all], one)
	return one
}

// sweep ends the findings of series that fell silent and drops those that have been silent for a day.
func (s *Set) sweep(now time.Time, out []schemas.Finding) []schemas.Finding {
	for k, one := range s.series {
		before := one.machine.Firing()
		if f, ok := one.machine.Expire(now); ok {
			out = append(out, f)
		}
		s.count(one, before)
		if now.Sub(one.last) >= forget {
			s.drop(k, one)
		}
	}
	return out
}

func (s *Set) drop(k key, one *series) {
	delete(s.series, k)
	all := unversioned(k.workload)
	s.versions[all] = slices.DeleteFunc(s.versions[all], func(v *series) bool { return v == one })
	if len(s.versions[all]) == 0 {
		delete(s.versions, all)
	}
}

func unversioned(w schemas.Workload) schemas.Workload {
	w.Version = ""
	return w
}

func order(a, b schemas.Finding) int {
	return cmp.Or(
		cmp.Compare(a.Workload.Versioned(), b.Workload.Versioned()), cmp.Compare(a.Workload.Tenant, b.Workload.Tenant),
		cmp.Compare(a.Workload.Region, b.Workload.Region), cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.Revision, b.Revision),
	)
}
