// Package window adds calls up into partial windows of event time: tumbling, aligned to the Unix epoch, for each workload, edge and
// instance, at every resolution.
//
// Partials are additive and never wait for a window to close: whatever came since the last flush is one more partial. A Set belongs to
// one source. It counts a call for a table only if the call's message is above that table's mark for the day of the window, so
// messages may be read again.
package window

import (
	"github.com/weirmesh/weir/schemas"
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
	days   map[schemas.Day]firsts
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

// series is the open windows of one key. Nearly all messages count in every table; they are added to the shortest windows only, and the
// longer ones are made from those at the flush. The others, which some table has counted before a crash and some has not, are added table
// by table.
type series struct {
	shortest map[int64]*partial // by start; count in every table
	windows  map[windowKey]*partial
}

type windowKey struct {
	table int
	start int64
}

// firsts is the first offset that counted for a day, by table.
type firsts []int64

const unset = int64(-1)

// New returns an empty Set.
func New(cfg Config) *Set {
	s := &Set{
		source: cfg.Source.String(), tables: schemas.Tables(), floor: cfg.Floor, above: unset, marks: cfg.Marks,
		days: map[schemas.Day]firsts{}, series: map[key]*series{},
	}
	for mark, offset := range cfg.Marks {
		if mark.Source == s.source {
			s.above = max(s.above, offset)
		}
	}
	return s
}

// Rows is how many partials are held; the next flush adds those of longer windows, which are fewer.
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

// Retried adds a call to the retries of the windows that hold it, for which the message at offset tells that it was one.
func (s *Set) Retried(offset int64, c *schemas.Call) {
	put := func(p *partial) { p.measures[schemas.Retries] += uint64(c.Weight) }
	for _, k := range [...]key{
		{subject: schemas.ServiceWindows, to: c.To.Workload},
		{subject: schemas.EdgeWindows, from: c.From.Workload, to: c.To.Workload},
		{subject: schemas.InstanceWindows, to: c.To.Workload, instance: c.To.Instance},
	} {
		s.add(offset, c.End, k, put)
	}
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
	everywhere := offset > s.above
	for i, table := range s.tables {
		if table.Subject != k.subject || !everywhere && s.counted(table, day, offset) {
			continue
		}
		if first[i] == unset {
			first[i] = offset
		}
		if !everywhere {
			start := table.Resolution.Start(t)
			put(open(s, s.find(k).windows, windowKey{i, start}, start, table.Resolution))
		}
	}
	if everywhere {
		shortest := schemas.Shortest()
		start := shortest.Start(t)
		put(open(s, s.find(k).shortest, start, start, shortest))
	}
}

// open returns the partial under a key, and makes it if need be.
func open[K comparable](s *Set, in map[K]*partial, at K, start int64, length schemas.Resolution) *partial {
	p, ok := in[at]
	if !ok {
		p = &partial{late: start+int64(length) <= s.closed}
		in[at] = p
		s.rows++
	}
	return p
}

func (s *Set) counted(t schemas.Table, day schemas.Day, offset int64) bool {
	mark, ok := s.marks[schemas.Mark{Table: t, Day: day, Source: s.source}]
	return ok && offset <= mark
}

func (s *Set) day(d schemas.Day) firsts {
	f, ok := s.days[d]
	if !ok {
		f = make(firsts, len(s.tables))
		for i := range f {
			f[i] = unset
		}
		s.days[d] = f
	}
	return f
}

func (s *Set) find(k key) *series {
	of, ok := s.series[k]
	if !ok {
		of = &series{shortest: map[int64]*partial{}, windows: map[windowKey]*partial{}}
		s.series[k] = of
	}
	return of
}

// Flush moves the partials into rows, by table; last is the last offset they include. The Set is empty afterwards and goes on.
func (s *Set) Flush(last int64, rows map[schemas.Table][]schemas.Partial) {
	for k, of := range s.series {
		s.rollUp(k.subject, of)
		dimensions := k.dimensions()
		for at, p := range of.windows {
			table := s.tables[at.table]
			rows[table] = append(rows[table], schemas.Partial{
				Start: at.start, Dimensions: dimensions, Source: s.source,
				FirstOffset: s.days[schemas.DayOf(at.start)][at.table], LastOffset: last,
				Measures: p.measuresWithRevision(), Evidence: p.evidence, Histogram: p.histogram, Callers: p.callerNames(),
			})
		}
	}
	clear(s.series)
	clear(s.days)
	s.rows = 0
}

// rollUp adds the shortest windows of a series to its windows of every length.
func (s *Set) rollUp(subject schemas.Subject, of *series) {
	for i, table := range s.tables {
		if table.Subject != subject {
			continue
		}
		for t, p := range of.shortest {
			start := table.Resolution.Start(t)
			open(s, of.windows, windowKey{i, start}, start, table.Resolution).merge(p)
		}
	}
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
