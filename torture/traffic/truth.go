package traffic

import (
	"strings"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Counts is what is true of one window. Edges have no spans and no orphans.
type Counts struct {
	Calls, Errors, Retries uint64
	DurationNS             uint64
	Spans                  uint64 // different ones: what comes again is not counted
	Orphans                uint64 // spans whose parent never comes
}

// Add adds other counts.
func (c *Counts) Add(d Counts) {
	c.Calls += d.Calls
	c.Errors += d.Errors
	c.Retries += d.Retries
	c.DurationNS += d.DurationNS
	c.Spans += d.Spans
	c.Orphans += d.Orphans
}

// shortest is the length of the windows a truth is kept in; the others are multiples of it.
const shortest = 10 * time.Second

// Truth is what must have been counted. Truths of different blocks of one Generator add up. It is not safe for concurrent use.
type Truth struct {
	mesh    *mesh
	windows map[cell]Counts
	total   Counts
}

// cell is one of the shortest windows: of the service and the edge the places are workloads, of the instance they are places.
type cell struct {
	at       uint32 // start, in windows since the Unix epoch
	from, to uint16 // from is set for edges
	subject  subject
}

type subject uint8

const (
	serviceOf subject = iota
	edgeOf
	instanceOf
)

func newTruth(m *mesh) *Truth { return &Truth{mesh: m, windows: map[cell]Counts{}} }

// Total is the sum over all windows of one resolution.
func (t *Truth) Total() Counts { return t.total }

// Add adds another truth of the same Generator.
func (t *Truth) Add(other *Truth) {
	for k, c := range other.windows {
		t.put(k, c)
	}
	t.total.Add(other.total)
}

func (t *Truth) put(k cell, c Counts) {
	sum := t.windows[k]
	sum.Add(c)
	t.windows[k] = sum
}

// call adds a call that ended at a time, in Unix ns.
func (t *Truth) call(caller, to uint16, end int64, c Counts) {
	at, callee := windowOf(end), t.mesh.places[to].workload
	t.put(cell{at: at, to: callee, subject: serviceOf}, c)
	t.put(cell{at: at, from: caller, to: callee, subject: edgeOf}, c)
	t.put(cell{at: at, to: to, subject: instanceOf}, c)
	t.total.Add(c)
}

func (t *Truth) orphan(at uint16, end int64) { t.record(at, end, Counts{Orphans: 1}) }

func (t *Truth) span(at uint16, end int64) { t.record(at, end, Counts{Spans: 1}) }

// record adds what is known of a record, whatever became of it: it has an instance and no edge.
func (t *Truth) record(at uint16, end int64, c Counts) {
	w := windowOf(end)
	t.put(cell{at: w, to: t.mesh.places[at].workload, subject: serviceOf}, c)
	t.put(cell{at: w, to: at, subject: instanceOf}, c)
	t.total.Add(c)
}

func windowOf(end int64) uint32 { return uint32(end / int64(shortest)) }

// Table is the truth about one table of windows.
type Table struct {
	// Series numbers what windows are of, by its name: the dimensions in the order of schemas.Subject, joined with tabs.
	Series  map[string]int
	Windows map[Window]Counts
}

// Window is one window of a series. Start is in Unix seconds.
type Window struct {
	Series int
	Start  int64
}

// Table adds the windows up to those of a table.
func (t *Truth) Table(table schemas.Table) Table {
	out := Table{Series: map[string]int{}, Windows: map[Window]Counts{}}
	numbers := map[cell]int{}
	length := int64(time.Duration(table.Resolution) / time.Second)
	want := subjectOf(table.Subject)
	for k, c := range t.windows {
		if k.subject != want {
			continue
		}
		whose := cell{from: k.from, to: k.to, subject: k.subject}
		n, known := numbers[whose]
		if !known {
			n = len(numbers)
			numbers[whose] = n
			out.Series[strings.Join(t.dimensions(whose), "\t")] = n
		}
		start := int64(k.at) * int64(shortest/time.Second)
		w := Window{n, start - start%length}
		sum := out.Windows[w]
		sum.Add(c)
		out.Windows[w] = sum
	}
	return out
}

func subjectOf(s schemas.Subject) subject {
	switch s {
	case schemas.EdgeWindows:
		return edgeOf
	case schemas.InstanceWindows:
		return instanceOf
	}
	return serviceOf
}

// dimensions are the values that tell a series from others, in the order of schemas.Subject.Dimensions.
func (t *Truth) dimensions(k cell) []string {
	if k.subject == instanceOf {
		o := t.mesh.places[k.to].origin
		return append(append([]string{o.Tenant}, o.Dimensions()...), o.Instance)
	}
	to := t.mesh.workloads[k.to]
	out := []string{to.Tenant}
	if k.subject == edgeOf {
		out = append(out, t.mesh.workloads[k.from].Dimensions()...)
	}
	return append(out, to.Dimensions()...)
}
