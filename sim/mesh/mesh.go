package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// ErrRan is returned by a second Run: a Mesh runs once.
var ErrRan = errors.New("the mesh ran already")

// Mesh is one run of a simulated mesh. It is not safe for concurrent use.
type Mesh struct {
	cfg      Config
	services []*service
	entries  []float64 // by service
	all      []*version
	until    int64 // Unix ns: no request arrives later

	arriving                  *arrivals
	chance, names, ids, noise *rand.Rand

	now      int64 // Unix ns
	calendar calendar
	spare    []*call
	origins  int
	faults   uint64 // bit i: fault i is on
	crashed  map[int][]crash

	ran    bool
	yield  func(Batch) error
	failed error // of yield
	batch  Batch
	truth  Truth
	totals map[string]Counts
}

// New returns a mesh at the start of its run. The configuration must not be changed afterwards.
func New(cfg Config, seed uint64) (*Mesh, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make mesh: %w", err)
	}
	source := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
	m := &Mesh{
		cfg: cfg, now: cfg.Start.UnixNano(), until: cfg.End().UnixNano(),
		chance: source(1), names: source(2), ids: source(3), noise: source(4), crashed: map[int][]crash{}, totals: map[string]Counts{},
	}
	m.arriving = newArrivals(&m.cfg, source(5))
	m.truth = Truth{Scenario: cfg.Name, Seed: seed, From: cfg.Start.UTC(), To: cfg.End().UTC()}
	m.truth.Events, m.truth.Faults = cfg.happenings()
	m.build()
	m.planAhead()
	return m, nil
}

// build makes services, versions and the instances that are ready from the start.
func (m *Mesh) build() {
	byName := map[string]*service{}
	for i := range m.cfg.Services {
		cfg := &m.cfg.Services[i]
		s := &service{cfg: cfg}
		for k := range cfg.Versions {
			v := newVersion(s, &cfg.Versions[k])
			v.since, v.nobody, v.hash = m.now, m.origin(v, ""), m.letters(10)
			s.versions, m.all = append(s.versions, v), append(m.all, v)
			s.weights = append(s.weights, v.cfg.Weight)
			m.reconcile(v, 0)
		}
		byName[cfg.Name] = s
		m.services = append(m.services, s)
		m.entries = append(m.entries, cfg.Entry)
	}
	for _, s := range m.services {
		for _, c := range s.cfg.Calls {
			s.calls = append(s.calls, byName[c.To])
		}
	}
}

// planAhead enters into the calendar what the configuration foresees.
func (m *Mesh) planAhead() {
	start := m.now
	for i, e := range m.cfg.Events {
		if from, _ := m.cfg.span(e.From, e.To); e.Kind == Scale {
			m.calendar.plan(event{at: start + max(0, int64(from)), what: onScale, index: i})
		}
	}
	for i, f := range m.cfg.Faults {
		from, to := m.cfg.span(f.From, f.To)
		m.calendar.plan(event{at: start + max(0, int64(from)), what: onFault, index: i})
		if to < m.cfg.Length {
			m.calendar.plan(event{at: start + int64(to), what: onFaultEnd, index: i})
		}
	}
	m.calendar.plan(event{at: start + int64(time.Minute), what: onMinute})
	m.planArrival(0)
}

func (m *Mesh) planArrival(after time.Duration) {
	if next, ok := m.arriving.next(after); ok {
		m.calendar.plan(event{at: m.cfg.Start.UnixNano() + int64(next), what: onArrival})
	}
}

// Run simulates until the end, and on until every call has ended. It hands over batches as they fill, and at least one in each simulated
// minute, and stops with the error of yield or of ctx. Yield may use the methods of Mesh, which then work at the batch's time.
func (m *Mesh) Run(ctx context.Context, yield func(Batch) error) error {
	if m.ran {
		return ErrRan
	}
	m.ran, m.yield = true, yield
	for len(m.calendar.heap) > 0 && m.failed == nil {
		e := m.calendar.pop()
		m.now = e.at
		m.happen(&e)
		for len(m.batch.Spans) >= BatchSpans && m.failed == nil {
			m.flush()
		}
		if e.what == onMinute && m.failed == nil {
			if m.flush(); m.failed == nil {
				m.failed = ctx.Err()
			}
		}
	}
	return m.failed
}

// happen lets an event happen.
func (m *Mesh) happen(e *event) {
	switch e.what {
	case onMinute:
		m.minute()
	case onFault:
		m.beginFault(e.index)
	case onFaultEnd:
		m.endFault(e.index)
	case onScale:
		change := m.cfg.Events[e.index]
		m.failed = m.SetReplicas(change.Service, change.Version, change.Replicas)
	case onReady:
		m.becomeReady(e.instance)
	case onArrival:
		m.planArrival(time.Duration(m.now - m.cfg.Start.UnixNano()))
		m.arriveFromOutside()
	default:
		m.happenTo(e.call, e)
	}
}

// happenTo lets an event happen to a call, unless it ended or goes on differently.
func (m *Mesh) happenTo(c *call, e *event) {
	switch {
	case e.what == onTimeout && c.child == e.token:
		m.settle(c, timedOut, 0)
	case e.what == onTimeout || c.id != e.token:
	case e.what == onWorked:
		m.worked(c)
	case e.what == onAnswer:
		m.answer(c)
	case e.what == onResend:
		m.attempt(c)
	}
}

// minute ends a minute. After the end of the run there are further ones while calls are under way.
func (m *Mesh) minute() {
	m.closeMinute()
	if m.now < m.until || m.underWay() {
		m.calendar.plan(event{at: m.now + int64(time.Minute), what: onMinute})
	}
}

func (m *Mesh) underWay() bool {
	for _, v := range m.all {
		if v.inFlight > 0 {
			return true
		}
	}
	return false
}

// heard reports whether the minute that ends now has telemetry: a series can lack minutes, and after the end there is none.
func (m *Mesh) heard() bool {
	n := (m.now-m.cfg.Start.UnixNano())/int64(time.Minute) - 1
	series := m.cfg.Load.Series
	return m.now <= m.until && (series == nil || !math.IsNaN(series[n]))
}

// flush hands a batch over. It runs between events, so that yield may change the mesh.
func (m *Mesh) flush() {
	n := min(len(m.batch.Spans), BatchSpans)
	b := Batch{Spans: m.batch.Spans[:n], Gauges: m.batch.Gauges, Until: at(m.now)}
	if rest := m.batch.Spans[n:]; len(rest) > 0 {
		b.Until = at(rest[0].End)
	}
	m.failed = m.yield(b)
	m.batch.Spans = m.batch.Spans[:copy(m.batch.Spans, m.batch.Spans[n:])]
	m.batch.Gauges = m.batch.Gauges[:0]
}

// Now is the simulated time.
func (m *Mesh) Now() time.Time { return at(m.now) }

// id draws the id of a span.
func (m *Mesh) id() uint64 { return m.ids.Uint64() | 1 }

func (m *Mesh) trace() schemas.TraceID {
	var t schemas.TraceID
	binary.BigEndian.PutUint64(t[:8], m.ids.Uint64()|1)
	binary.BigEndian.PutUint64(t[8:], m.ids.Uint64())
	return t
}

// lag is how long a new instance of a version takes, in ns.
func (c Config) lag(v *version) int64 { return int64(v.service.cfg.StartLag) }

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }
