package mesh

import (
	"math"
	"time"
)

// effects is what faults do to an instance.
type effects struct {
	latency, slowdown float64 // times
	errors, limit     float64 // shares
	storm             int     // further attempts
	mute              bool
}

func healthy() effects { return effects{latency: 1, slowdown: 1} }

// state is where an instance is in its life.
type state uint8

const (
	starting state = iota
	ready
	draining // gets no more calls
	gone
)

// instance is one pod.
type instance struct {
	origin  *Origin
	version *version
	state   state
	faults  uint64 // bit i: fault i is on here
	effects effects

	inside  []*call // calls that wait, are worked on, or wait for others
	waiting fifo    // of them, those that wait for a worker
	taken   int     // workers that are taken
	working int     // of them, those that work

	since int64   // since when working is as it is
	busy  float64 // worker seconds since the last minute began
	up    float64 // seconds it was ready since the last minute began
}

// free reports whether a worker is free.
func (i *instance) free() bool { return i.taken < i.version.cfg.Workers }

// full reports whether a further call can neither work nor wait.
func (i *instance) full() bool { return !i.free() && i.waiting.len() >= i.version.service.cfg.Queue }

// work changes how many workers work at time now.
func (i *instance) work(now int64, change int) {
	i.settle(now)
	i.working += change
}

// settle adds up the time until now.
func (i *instance) settle(now int64) {
	if i.state == ready || i.state == draining {
		passed := time.Duration(now - i.since).Seconds()
		i.busy += passed * float64(i.working)
		i.up += passed
	}
	i.since = now
}

// utilisation is the share of the minute that ends now in which its workers worked; it begins the next minute.
func (i *instance) utilisation(now int64) (busy, capacity float64) {
	i.settle(now)
	busy, capacity = i.busy, i.up*float64(i.version.cfg.Workers)
	i.busy, i.up = 0, 0
	return busy, capacity
}

func (i *instance) enter(c *call) {
	c.instance, c.slot = i, len(i.inside)
	i.inside = append(i.inside, c)
}

func (i *instance) leave(c *call) {
	last := i.inside[len(i.inside)-1]
	i.inside[c.slot], last.slot = last, c.slot
	i.inside[len(i.inside)-1] = nil
	i.inside = i.inside[:len(i.inside)-1]
}

// fifo is a queue in a ring.
type fifo struct {
	ring        []*call
	head, count int
}

func (f *fifo) len() int { return f.count }

func (f *fifo) push(c *call) {
	if f.count == len(f.ring) {
		grown := make([]*call, max(8, 2*len(f.ring)))
		for k := range f.count {
			grown[k] = f.ring[(f.head+k)%len(f.ring)]
		}
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.count)%len(f.ring)] = c
	f.count++
}

func (f *fifo) pop() *call {
	c := f.ring[f.head]
	f.ring[f.head] = nil
	f.head = (f.head + 1) % len(f.ring)
	f.count--
	return c
}

// version is the state of one version of a service.
type version struct {
	cfg     *Version
	service *service
	nobody  *Origin // reports calls that found no instance
	hash    string  // as in the names of pods

	all   []*instance // none of them gone
	ready []*instance
	want  int // replicas asked for
	down  int // replicas that a crash holds down

	mu, sigma float64 // of lognormal work, in log seconds

	counts   Counts
	inFlight int
	since    int64
	area     float64 // calls in flight x seconds
}

// service is the state of one service.
type service struct {
	cfg      *Service
	versions []*version
	weights  []float64
	calls    []*service
}

func newVersion(s *service, cfg *Version) *version {
	v := &version{cfg: cfg, service: s, want: cfg.Replicas}
	// The lognormal distribution with the mean and coefficient of variation that are asked for.
	v.sigma = math.Sqrt(math.Log(1 + cfg.Spread*cfg.Spread))
	v.mu = math.Log(cfg.Work.Seconds()) - v.sigma*v.sigma/2
	return v
}

// flight changes how many calls are in flight at time now.
func (v *version) flight(now int64, change int) {
	v.area += time.Duration(now-v.since).Seconds() * float64(v.inFlight)
	v.since = now
	v.inFlight += change
}

func (v *version) key() string { return v.service.cfg.Name + "@" + v.cfg.Name }

// without removes one instance from a list, in order.
func without(list []*instance, gone *instance) []*instance {
	kept := list[:0]
	for _, i := range list {
		if i != gone {
			kept = append(kept, i)
		}
	}
	clear(list[len(kept):])
	return kept
}
