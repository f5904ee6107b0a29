package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Examples is how many of each kind of finding a Report spells out.
const Examples = 10

// Finding is one kind of thing that is not as it should be.
type Finding struct {
	Count uint64
	First []string // at most Examples
}

func (f *Finding) add(n uint64, format string, args ...any) {
	f.Count += n
	if len(f.First) < Examples {
		f.First = append(f.First, fmt.Sprintf(format, args...))
	}
}

// Report says what the history comes to. Counts are of spans unless they say otherwise.
type Report struct {
	Sent, Acknowledged uint64
	Messages           uint64 // of the log
	Rows               uint64 // spans of the log, copies included

	// Broken promises.
	Lost      Finding // acknowledged and not in the log
	Phantom   Finding // in the log and never sent
	Misplaced Finding // in more than one partition
	Overtaken Finding // not in the log yet when they were acknowledged
	Altered   Finding // messages of one producer and sequence number that are not the same
	Holes     Finding // offsets
	Rewound   Finding // offsets that came again or too late

	// Nothing wrong with these.
	Recovered uint64 // in the log, though never acknowledged
	Unwritten uint64 // neither acknowledged nor in the log
	Doubled   uint64 // in the log more than once
	Copies    uint64 // of those, rows beyond the first; a span has at most 255
	Repeated  uint64 // messages whose producer and sequence number came before
	Reordered uint64 // messages behind a later one of their producer
	Farthest  int64  // distance in messages within a partition between two that hold spans of one group

	// Stretched are groups that lie further apart in a partition than a join remembers: their spans may be counted twice or not be
	// joined. No promise of the log is broken, so it is no error, but counts may be.
	Stretched Finding
}

// Report judges the history so far.
func (c *Checker) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	c.spans.each(func(number uint64, s *span) {
		switch {
		case s.flags&sent == 0:
		case s.copies == 0 && s.flags&acknowledged != 0:
			r.Lost.add(1, "span %#x was acknowledged and is nowhere", number)
		case s.copies == 0:
			r.Unwritten++
		case s.flags&acknowledged == 0:
			r.Recovered++
		}
		if s.copies > 1 {
			r.Doubled++
			r.Copies += uint64(s.copies) - 1
		}
	})
	for _, at := range c.places() {
		c.logs[at].judge(at, c.cfg.Memory, &r)
	}
	return r
}

func (c *Checker) places() []place {
	var out []place
	for at := range c.logs {
		out = append(out, at)
	}
	slices.SortFunc(out, func(a, b place) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return out
}

func (l *log) judge(at place, memory int64, r *Report) {
	var groups []uint32
	for g := range l.groups {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	for _, g := range groups {
		s := l.groups[g]
		r.Farthest = max(r.Farthest, s.last-s.first)
		if memory > 0 && s.last-s.first > memory {
			r.Stretched.add(1, "%s/%d: group %d is spread over offsets %d to %d", at.topic, at.partition, g, s.first, s.last)
		}
	}
}

type named struct {
	name    string
	finding Finding
}

func (r Report) promises() []named {
	return []named{
		{"lost", r.Lost},
		{"phantom", r.Phantom},
		{"misplaced", r.Misplaced},
		{"overtaken", r.Overtaken},
		{"altered", r.Altered},
		{"holes", r.Holes},
		{"rewound", r.Rewound},
	}
}

// Err says which promises are broken, or nil.
func (r Report) Err() error {
	var all []error
	for _, p := range r.promises() {
		if p.finding.Count > 0 {
			all = append(all, fmt.Errorf("%d %s: %s", p.finding.Count, p.name, p.finding.First[0]))
		}
	}
	return errors.Join(all...)
}

// String is the report as text, a line for each figure and example.
func (r Report) String() string {
	var b strings.Builder
	line := func(name string, n any) { fmt.Fprintf(&b, "%-14s %12d\n", name, n) }
	line("sent", r.Sent)
	line("acknowledged", r.Acknowledged)
	line("messages", r.Messages)
	line("rows", r.Rows)
	for _, p := range append(r.promises(), named{"stretched", r.Stretched}) {
		line(p.name, p.finding.Count)
		for _, example := range p.finding.First {
			fmt.Fprintf(&b, "    %s\n", example)
		}
	}
	line("recovered", r.Recovered)
	line("unwritten", r.Unwritten)
	line("doubled", r.Doubled)
	line("copies", r.Copies)
	line("repeated", r.Repeated)
	line("reordered", r.Reordered)
	line("farthest", r.Farthest)
	return b.String()
}
