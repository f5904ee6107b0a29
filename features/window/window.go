// Package window adds calls up into partial windows of event time: tumbling, aligned to the Unix epoch, for each workload, edge and
// instance, at every resolution.
//
// Partials are additive and never wait for a window to close: whatever came since the last flush is one more partial. A Set belongs to
// one source. It counts a call for a table only if the call's message is above that table's mark for the day of the window, so
// messages may be read again.
package window

import (
	"math/bits"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

const (
	// maxDuration bounds one call's duration in a window's sum, so that a few absurd records do not drown the rest.
	maxDuration = uint64(7 * 24 * time.Hour)
	// maxAdded bounds what one record adds to a sum, so that a few absurd ones cannot overflow it.
	maxAdded = uint64(1) << 56
)

// Config says what a Set starts from.
type Config struct {
	Source schemas.Source
	Floor  int64         // messages below this offset are counted already, in every table
	Marks  schemas.Marks // how far each table counts beyond the floor; marks of other sources are ignored
}

// Set is the open partials of one source. It is not safe for concurrent use.
type Set struct {
	source string
	tables []schemas.Table
	floor  int64
	above  int64 // messages above this offset are counted in every table
	marks  schemas.Marks
	days   map[schemas.Day]*firsts
	series map[key]*series
	rows   int
	closed int64
}

// key is a series' identity: from is empty except for edges, Instance except for instances.
type key struct {
	subject  schemas.Subject
	from     schemas.Workload
	to       schemas.Workload
	instance string
}

// series is the open windows of one key.
type series struct {
	windows map[windowKey]*partial
}

type windowKey struct {
	table int
	start int64
}

type partial struct {
	measures  [schemas.MeasureCount]uint64
	evidence  schemas.Evidence
	histogram histogram
	callers   map[string]struct{}
	late      bool
}

// firsts is the first offset that counted for a day, by table.
type firsts []int64

const unset = int64(-1)

// New returns an empty Set.
func New(cfg Config) *Set {
	s := &Set{
		source: cfg.Source.String(), tables: schemas.Tables(), floor: cfg.Floor, above: unset, marks: cfg.Marks,
		days: map[schemas.Day]*firsts{}, series: map[key]*series{},
	}
	for mark, offset := range cfg.Marks {
		if mark.Source == s.source {
			s.above = max(s.above, offset)
		}
	}
	return s
}

// Rows is how many partials the next flush holds.
func (s *Set) Rows() int { return s.rows }

// Close says that every window that ends at or before t (Unix ns) is closed: what still comes for it is a revision.
func (s *Set) Close(t int64) { s.closed = max(s.closed, t) }

// Call adds a call that the message at offset completed.
func (s *Set) Call(offset int64, c *schemas.Call) {
	m := measures(&c.Measure)
	s.add(offset, c.End, key{subject: schemas.ServiceWindows, to: c.To.Workload}, func(p *partial) {
		p.call(&m, c)
		p.caller(c.From.Key())
	})
	s.add(offset, c.End, key{subject: schemas.EdgeWindows, from: c.From.Workload, to: c.To.Workload}, func(p *partial) {
		p.call(&m, c)
	})
	s.add(offset, c.End, key{subject: schemas.InstanceWindows, to: c.To.Workload, instance: c.To.Instance}, func(p *partial) {
		p.call(&m, c)
	})
}

// Count adds one to some measures of the service and instance windows that hold a record of origin o.
func (s *Set) Count(offset int64, o schemas.Origin, end int64, what ...schemas.MeasureID) {
	for _, k := range [...]key{
		{subject: schemas.ServiceWindows, to: o.Workload},
		{subject: schemas.InstanceWindows, to: o.Workload, instance: o.Instance},
	} {
		s.add(offset, end, k, func(p *partial) {
			for _, m := range what {
				p.measures[m]++
			}
		})
	}
}

// add lets put change the partials of k at time t, in every table that does not count this message yet.
func (s *Set) add(offset, t int64, k key, put func(*partial)) {
	if offset < s.floor {
		return
	}
	day := schemas.DayOf(t)
	first := s.day(day)
	var of *series
	for i, table := range s.tables {
		if table.Subject != k.subject || s.counted(table, day, offset) {
			continue
		}
		if of == nil {
			of = s.find(k)
		}
		if (*first)[i] == unset {
			(*first)[i] = offset
		}
		start := table.Resolution.Start(t)
		at := windowKey{i, start}
		p, ok := of.windows[at]
		if !ok {
			p = &partial{late: start+int64(table.Resolution) <= s.closed}
			of.windows[at] = p
			s.rows++
		}
		put(p)
	}
}

func (s *Set) counted(t schemas.Table, day schemas.Day, offset int64) bool {
	if offset > s.above {
		return false
	}
	mark, ok := s.marks[schemas.Mark{Table: t, Day: day, Source: s.source}]
	return ok && offset <= mark
}

func (s *Set) day(d schemas.Day) *firsts {
	f, ok := s.days[d]
	if !ok {
		made := make(firsts, len(s.tables))
		for i := range made {
			made[i] = unset
		}
		f = &made
		s.days[d] = f
	}
	return f
}

func (s *Set) find(k key) *series {
	of, ok := s.series[k]
	if !ok {
		of = &series{windows: map[windowKey]*partial{}}
		s.series[k] = of
	}
	return of
}

// Flush moves the partials into rows, by table; last is the last offset they include. The Set is empty afterwards and goes on.
func (s *Set) Flush(last int64, rows map[schemas.Table][]schemas.Partial) {
	for k, of := range s.series {
		dimensions := k.dimensions()
		for at, p := range of.windows {
			table := s.tables[at.table]
			rows[table] = append(rows[table], schemas.Partial{
				Start: at.start, Dimensions: dimensions, Source: s.source,
				FirstOffset: (*s.days[schemas.DayOf(at.start)])[at.table], LastOffset: last,
				Measures: p.measuresWithRevision(), Evidence: p.evidence, Histogram: p.histogram, Callers: p.callerNames(),
			})
		}
	}
	clear(s.series)
	clear(s.days)
	s.rows = 0
}

func (k key) dimensions() []string {
	d := []string{k.to.Tenant}
	switch k.subject {
	case schemas.EdgeWindows:
		d = append(d, k.from.Dimensions()...)
		return append(d, k.to.Dimensions()...)
	case schemas.InstanceWindows:
		return append(append(d, k.to.Dimensions()...), k.instance)
	}
	return append(d, k.to.Dimensions()...)
}

// measures are what one call adds to any window it belongs to, its duration and bytes aside.
func measures(m *schemas.Measure) [schemas.MeasureCount]uint64 {
	var out [schemas.MeasureCount]uint64
	weigh := func(what schemas.MeasureID, yes bool) {
		if yes {
			out[what] = uint64(m.Weight)
		}
	}
	var o schemas.Outcome
	if served(m) { // how a refusal looked to the caller is no outcome of the callee's
		o = m.Status.Outcome(m.Flags)
	}
	out[schemas.Observed] = 1
	weigh(schemas.Calls, served(m))
	weigh(schemas.RejectedMesh, m.Flags&schemas.FlagRejectedMesh != 0)
	weigh(schemas.RejectedWeir, m.Flags&schemas.FlagRejectedWeir != 0)
	weigh(schemas.Errors, o.Error)
	weigh(schemas.Errors4xx, o.HTTP4xx)
	weigh(schemas.Errors5xx, o.HTTP5xx)
	weigh(schemas.ErrorsGRPC, o.GRPC)
	weigh(schemas.ErrorsTransport, o.Transport)
	weigh(schemas.StatusKnown, o.Known)
	weigh(schemas.Retries, m.Flags&schemas.FlagRetry != 0)
	if m.Flags&schemas.FlagClockSkew != 0 {
		out[schemas.ClockSkew] = 1
	}
	return out
}

// served reports whether the call reached its workload.
func served(m *schemas.Measure) bool {
	return m.Flags&(schemas.FlagRejectedMesh|schemas.FlagRejectedWeir) == 0
}

func (p *partial) call(m *[schemas.MeasureCount]uint64, c *schemas.Call) {
	for i := range m {
		p.measures[i] += m[i]
	}
	p.evidence |= c.Evidence
	p.measures[schemas.RequestBytes] += weighted(c.RequestBytes, c.Weight)
	p.measures[schemas.ResponseBytes] += weighted(c.ResponseBytes, c.Weight)
	if served(&c.Measure) {
		p.measures[schemas.DurationNS] += weighted(min(c.Duration, maxDuration), c.Weight)
		p.histogram.add(schemas.BucketOf(c.Duration), uint64(c.Weight))
	}
}

func (p *partial) caller(name string) {
	if p.callers == nil {
		p.callers = map[string]struct{}{}
	}
	if _, known := p.callers[name]; !known && len(p.callers) >= schemas.MaxCallers {
		name = schemas.More
	}
	p.callers[name] = struct{}{}
}

func (p *partial) callerNames() []string {
	names := make([]string, 0, len(p.callers))
	for name := range p.callers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p *partial) measuresWithRevision() [schemas.MeasureCount]uint64 {
	m := p.measures
	if p.late {
		m[schemas.Revision] = 1
	}
	return m
}

// weighted is value*weight/65,536, at most maxAdded.
func weighted(value uint64, w schemas.Weight) uint64 {
	high, low := bits.Mul64(value, uint64(w))
	if high >= maxAdded>>48 {
		return maxAdded
	}
	return high<<48 | low>>16
}
