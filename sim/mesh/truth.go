package mesh

import (
	"time"
)

// Counts is what happened to calls. A call belongs to the minute of its end.
type Counts struct {
	Offered    uint64 `json:"offered"`    // Served + Rejected
	Served     uint64 `json:"served"`     // reached a worker, or waited for one
	Failed     uint64 `json:"failed"`     // of those, ended with a status of 500 or above
	Rejected   uint64 `json:"rejected"`   // refused before that
	Retries    uint64 `json:"retries"`    // of the offered ones, repeated attempts
	Unreported uint64 `json:"unreported"` // of the offered ones, those whose span was lost
}

func (c *Counts) add(o Counts) {
	c.Offered += o.Offered
	c.Served += o.Served
	c.Failed += o.Failed
	c.Rejected += o.Rejected
	c.Retries += o.Retries
	c.Unreported += o.Unreported
}

// Truth is what was so in a run, as JSON has it.
type Truth struct {
	Scenario string      `json:"scenario"`
	Seed     uint64      `json:"seed"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	Arrivals uint64      `json:"arrivals"` // requests from outside
	Ended    uint64      `json:"ended"`    // of those, with an answer
	Events   []Happening `json:"events"`
	Faults   []Happening `json:"faults"`
	Totals   []Total     `json:"totals"`
	Minutes  []Minute    `json:"minutes"` // in order of time, then as in Totals
}

// Happening is an event or a fault with its times. What it does not have is 0 or "".
type Happening struct {
	Kind      string    `json:"kind"`
	Service   string    `json:"service,omitempty"`
	Version   string    `json:"version,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Factor    float64   `json:"factor,omitempty"`
	Replicas  int       `json:"replicas,omitempty"`
	Share     float64   `json:"share,omitempty"`
	Collector int       `json:"collector,omitempty"`
	Size      float64   `json:"size,omitempty"`
}

// Total is what happened to the calls of a version in the whole run.
type Total struct {
	Service string `json:"service"`
	Version string `json:"version"`
	Counts
}

// Minute is what happened to a version in the minute that begins at Start.
type Minute struct {
	Start       time.Time `json:"start"`
	Service     string    `json:"service"`
	Version     string    `json:"version"`
	Ready       int       `json:"ready"`       // replicas, at its end
	Utilisation float64   `json:"utilisation"` // share of the workers' time in which they worked; 0 without workers
	InFlight    float64   `json:"in_flight"`   // mean number of calls inside
	Counts
}

// Truth returns what was so up to now. It must not be called while Run runs, except from yield. The caller owns the result.
func (m *Mesh) Truth() Truth {
	t := m.truth
	t.Totals, t.Minutes = nil, append([]Minute(nil), t.Minutes...)
	for _, v := range m.all {
		total := m.totals[v.key()]
		total.add(v.counts)
		t.Totals = append(t.Totals, Total{Service: v.service.cfg.Name, Version: v.cfg.Name, Counts: total})
	}
	return t
}

// happenings tells events and faults in absolute times.
func (c Config) happenings() (events, faults []Happening) {
	events, faults = []Happening{}, []Happening{}
	for _, e := range c.Events {
		from, to := c.span(e.From, e.To)
		events = append(events, Happening{
			Kind: string(e.Kind), Service: e.Service, Version: e.Version, From: c.Start.Add(from), To: c.Start.Add(to),
			Factor: e.Factor, Replicas: e.Replicas,
		})
	}
	for _, f := range c.Faults {
		from, to := c.span(f.From, f.To)
		faults = append(faults, Happening{
			Kind: string(f.Kind), Service: f.Service, Version: f.Version, From: c.Start.Add(from), To: c.Start.Add(to),
			Share: f.Share, Collector: f.Collector, Size: f.Size,
		})
	}
	return events, faults
}

// record reports an ended call and counts it.
func (m *Mesh) record(c *call, by *Origin, status int, flags string) {
	one := Counts{Offered: 1}
	if refused(flags) {
		one.Rejected = 1
	} else {
		one.Served = 1
		if status >= statusError {
			one.Failed = 1
		}
	}
	if c.resend > 0 {
		one.Retries = 1
	}
	if m.mute(c) {
		one.Unreported = 1
	} else {
		m.batch.Spans = append(m.batch.Spans, Span{
			Trace: c.trace, ID: c.id, Parent: c.parent, Start: c.start, End: m.now, Origin: by,
			Status: status, Flags: flags, Resend: c.resend,
		})
	}
	c.version.counts.add(one)
}

// mute reports whether nobody hears of the call. What no instance reports, the first collector hears.
func (m *Mesh) mute(c *call) bool {
	return c.instance != nil && c.instance.effects.mute
}

// closeMinute writes down what happened in the minute that ends now.
func (m *Mesh) closeMinute() {
	for _, v := range m.all {
		v.flight(m.now, 0)
		row := Minute{
			Start: at(m.now).Add(-time.Minute), Service: v.service.cfg.Name, Version: v.cfg.Name, Ready: len(v.ready),
			InFlight: v.area / time.Minute.Seconds(), Counts: v.counts,
		}
		total := m.totals[v.key()]
		total.add(v.counts)
		m.totals[v.key()] = total
		v.counts, v.area = Counts{}, 0
		row.Utilisation = m.gauges(v)
		m.truth.Minutes = append(m.truth.Minutes, row)
	}
}

// gauges reports the CPU use of a version's instances, and returns the true use of them together.
func (m *Mesh) gauges(v *version) float64 {
	const floor = 0.02 // what a pod uses without calls
	busy, capacity := 0.0, 0.0
	for _, i := range v.all {
		b, c := i.utilisation(m.now)
		busy, capacity = busy+b, capacity+c
		if c == 0 {
			continue
		}
		noise := floor * (0.5 + m.noise.Float64())
		if !i.effects.mute && m.heard() {
			value := min(1, b/c+noise)
			m.batch.Gauges = append(m.batch.Gauges, Gauge{Origin: i.origin, At: m.now - int64(time.Millisecond), Value: value})
		}
	}
	if capacity == 0 {
		return 0
	}
	return busy / capacity
}
