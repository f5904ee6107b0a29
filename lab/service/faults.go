package service

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// effects is what the faults that hold do to an instance. It is never changed: new faults make a new one.
type effects struct {
	faults []spec.Fault // that lead to it

	delay     time.Duration
	errors    float64 // share of requests, as the two that follow
	blackHole float64
	wrong     float64
	outage    bool
	work      float64 // factor, as the one that follows
	delivery  float64
	growth    float64            // MiB a second
	clock     time.Duration      // ahead
	hang      map[string]float64 // by callee: share of calls
	again     map[string]float64 // by callee: further attempts
	edges     map[string]float64 // by callee: calls for each request
	leak      float64            // KiB for each request
}

// slowRelease is the factor on the work of a version that is bad by being slow.
const slowRelease = 4

// effectsOf leaves out faults that name somebody else, and those that are not an instance's to carry out.
func effectsOf(faults []spec.Fault, c Config) *effects {
	e := &effects{
		faults: []spec.Fault{}, work: 1, delivery: 1,
		hang: map[string]float64{}, again: map[string]float64{}, edges: map[string]float64{},
	}
	for _, f := range faults {
		if info, known := f.Kind.Info(); known && info.Where == spec.AtInstances && c.meant(f) {
			e.add(f)
			e.faults = append(e.faults, f)
		}
	}
	return e
}

func (c Config) meant(f spec.Fault) bool {
	is := func(wanted, own string) bool { return wanted == "" || wanted == own }
	return is(f.Service, c.Service.Name) && is(f.Version, c.Version.Name) && is(f.Instance, c.Pod) && is(f.Region, c.Region)
}

func (e *effects) add(f spec.Fault) {
	switch f.Kind {
	case spec.Delay:
		e.delay += time.Duration(f.Size * float64(time.Millisecond))
	case spec.Errors:
		e.errors = either(e.errors, f.Size)
	case spec.CPUBurn, spec.Brownout:
		e.work *= f.Size
	case spec.BadRelease:
		if f.Size == 0 {
			e.work *= slowRelease
		}
		e.errors = either(e.errors, f.Size)
	case spec.BlackHole:
		e.blackHole = either(e.blackHole, f.Size)
	case spec.LogOnly:
		e.wrong = either(e.wrong, f.Size)
	case spec.RegionOutage:
		e.outage = true
	case spec.MemoryGrowth:
		e.growth += f.Size
	case spec.QueueGrowth:
		e.delivery *= f.Size
	case spec.WrongClock:
		e.clock += time.Duration(f.Size * float64(time.Second))
	case spec.Exfiltration:
		e.leak += f.Size
	default:
		e.addCalls(f)
	}
}

func (e *effects) addCalls(f spec.Fault) {
	switch f.Kind {
	case spec.DependencyTimeout:
		e.hang[f.To] = either(e.hang[f.To], f.Size)
	case spec.RetryStorm:
		e.again[f.To] += f.Size
	case spec.NewEdge:
		e.edges[f.To] += f.Size
	}
}

// either is the probability that one or the other happens.
func either(a, b float64) float64 { return 1 - (1-a)*(1-b) }

// newEdges returns who is called besides, in a fixed order.
func (e *effects) newEdges() []string { return slices.Sorted(maps.Keys(e.edges)) }

// faults are the faults that hold now. Safe for concurrent use.
type faults struct {
	now     atomic.Pointer[effects]
	changed chan struct{} // holds a value when there are new ones
}

func newFaults(first []spec.Fault, c Config) *faults {
	f := &faults{changed: make(chan struct{}, 1)}
	f.now.Store(effectsOf(first, c))
	return f
}

func (f *faults) set(now []spec.Fault, c Config) *effects {
	e := effectsOf(now, c)
	f.now.Store(e)
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return e
}
