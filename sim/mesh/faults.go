package mesh

import (
	"math"
)

// concerns reports whether a fault is one of this version.
func (f *Fault) concerns(v *version) bool {
	return (f.Service == "" || f.Service == v.service.cfg.Name) && (f.Version == "" || f.Version == v.cfg.Name)
}

// beginFault lets fault n begin.
func (m *Mesh) beginFault(n int) {
	f := &m.cfg.Faults[n]
	m.faults |= 1 << n
	for _, v := range m.all {
		if !f.concerns(v) {
			continue
		}
		hit := m.victims(f, v)
		if f.Kind == Crash {
			v.down += len(hit)
			m.crashed[n] = append(m.crashed[n], crash{v, len(hit)})
		}
		for _, i := range hit {
			if f.Kind == Crash {
				m.crash(i)
				continue
			}
			i.faults |= 1 << n
			i.effects = m.effectsOf(i)
		}
	}
}

// crash is how many instances of a version a fault took.
type crash struct {
	version *version
	count   int
}

// victims are the instances that a fault hits when it begins: those of its collector, or the oldest of each version.
func (m *Mesh) victims(f *Fault, v *version) []*instance {
	n := int(math.Ceil(f.Share * float64(len(v.all))))
	var hit []*instance
	for _, i := range v.all {
		if f.Collector == i.origin.Collector || f.Collector == 0 && len(hit) < n {
			hit = append(hit, i)
		}
	}
	return hit
}

// afflict lets the faults that hit everything, now and later, hit a new instance too.
func (m *Mesh) afflict(i *instance) {
	for n := range m.cfg.Faults {
		f := &m.cfg.Faults[n]
		everyone := f.Collector == 0 && f.Share == 1 || f.Collector == i.origin.Collector
		if m.faults&(1<<n) != 0 && f.Kind != Crash && everyone && f.concerns(i.version) {
			i.faults |= 1 << n
		}
	}
	i.effects = m.effectsOf(i)
}

// endFault ends fault n.
func (m *Mesh) endFault(n int) {
	m.faults &^= 1 << n
	for _, c := range m.crashed[n] {
		c.version.down -= c.count
		m.reconcile(c.version, m.cfg.lag(c.version))
	}
	delete(m.crashed, n)
	for _, v := range m.all {
		for _, i := range v.all {
			i.faults &^= 1 << n
			i.effects = m.effectsOf(i)
		}
	}
}

// effectsOf adds up what the faults of an instance do to it.
func (m *Mesh) effectsOf(i *instance) effects {
	e := healthy()
	for n := range m.cfg.Faults {
		if i.faults&(1<<n) == 0 {
			continue
		}
		f := &m.cfg.Faults[n]
		switch f.Kind {
		case Latency:
			e.latency *= f.Size
		case Slowdown:
			e.slowdown *= f.Size
		case Errors:
			e.errors = 1 - (1-e.errors)*(1-f.Size)
		case Limiter:
			e.limit = 1 - (1-e.limit)*(1-f.Size)
		case RetryStorm:
			e.storm = max(e.storm, int(f.Size))
		case TelemetryLoss:
			e.mute = true
		case Crash:
		}
	}
	return e
}

// crash takes an instance away with everything inside it.
func (m *Mesh) crash(i *instance) {
	m.remove(i)
	for len(i.inside) > 0 {
		m.end(i.inside[len(i.inside)-1], 503, flagGone)
	}
}
