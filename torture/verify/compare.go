package verify

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirmesh/weir/torture/traffic"
)

// Kind says how a window differs from the truth.
type Kind string

// The kinds of differences. A window of the wrong number of calls is short or over whatever else is wrong with it.
const (
	Missing Kind = "missing" // the truth has it, the table does not
	Extra   Kind = "extra"   // the table has it, the truth does not
	Short   Kind = "short"   // fewer calls
	Over    Kind = "over"    // more calls
	Unequal Kind = "unequal" // as many calls, but errors, retries, durations, spans or orphans differ, or the histogram holds other calls
)

// Kinds lists them all.
func Kinds() []Kind { return []Kind{Missing, Extra, Short, Over, Unequal} }

// Difference is one window that is wrong.
type Difference struct {
	Kind      Kind
	Start     time.Time
	Series    string // dimensions, joined with tabs
	Want, Got traffic.Counts
}

func (d Difference) String() string {
	return fmt.Sprintf("%-8s %s %q: %s", d.Kind, d.Start.Format(time.RFC3339), d.Series, changes(d.Want, d.Got))
}

// changes are the counts that differ.
func changes(want, got traffic.Counts) string {
	var out []string
	for _, c := range []struct {
		name      string
		want, got uint64
	}{
		{"calls", want.Calls, got.Calls},
		{"errors", want.Errors, got.Errors},
		{"retries", want.Retries, got.Retries},
		{"duration_ns", want.DurationNS, got.DurationNS},
		{"spans", want.Spans, got.Spans},
		{"orphans", want.Orphans, got.Orphans},
	} {
		if c.want != c.got {
			out = append(out, fmt.Sprintf("%s %d, want %d", c.name, c.got, c.want))
		}
	}
	if len(out) == 0 {
		return "its histogram or observed calls are not its calls"
	}
	return strings.Join(out, "; ")
}

// comparison is one table on its way through.
type comparison struct {
	view   view
	series map[string]int
	left   map[traffic.Window]traffic.Counts // of the truth, not read yet
	out    Table
}

func newComparison(v view, truth traffic.Table) *comparison {
	c := &comparison{
		view: v, series: truth.Series, left: make(map[traffic.Window]traffic.Counts, len(truth.Windows)),
		out: Table{Name: v.name, Wrong: map[Kind]int{}},
	}
	for w, counts := range truth.Windows {
		if v.public { // which shows no others, and only their calls
			if counts.Calls == 0 {
				continue
			}
			counts.Spans, counts.Orphans = 0, 0
		}
		c.left[w] = counts
		c.out.Want.Add(counts)
	}
	return c
}

const fields = 8 // before the dimensions

// row compares one line with the truth.
func (c *comparison) row(line []byte) error {
	var n [fields]uint64
	rest := line
	for i := range n {
		field, after, ok := bytes.Cut(rest, []byte{'\t'})
		if !ok {
			return fmt.Errorf("read %q: %d fields are too few", line, i)
		}
		var err error
		if n[i], err = strconv.ParseUint(string(field), 10, 64); err != nil {
			return fmt.Errorf("read %q: %w", line, err)
		}
		rest = after
	}
	got := traffic.Counts{Calls: n[1], Errors: n[2], Retries: n[3], DurationNS: n[4], Spans: n[5], Orphans: n[6]}
	c.judge(string(rest), int64(n[0]), got, n[7] == 1)
	return nil
}

// judge compares one window with the truth.
func (c *comparison) judge(series string, start int64, got traffic.Counts, sound bool) {
	n, known := c.series[series]
	w := traffic.Window{Series: n, Start: start}
	want, found := c.left[w]
	found = found && known
	if found {
		delete(c.left, w)
	}
	if c.view.public && alike(want.DurationNS, got.DurationNS) {
		got.DurationNS = want.DurationNS
	}
	c.out.Got.Add(got)
	var kind Kind
	switch {
	case !found:
		kind = Extra
	case got.Calls < want.Calls:
		kind = Short
	case got.Calls > want.Calls:
		kind = Over
	case got != want || !sound:
		kind = Unequal
	default:
		c.out.Equal++
		return
	}
	c.differ(Difference{kind, time.Unix(start, 0).UTC(), series, want, got})
}

// alike reports whether two durations are the same but for the rounding of a floating-point number.
func alike(a, b uint64) bool {
	return max(a, b)-min(a, b) <= 1+a>>40
}

func (c *comparison) differ(d Difference) {
	c.out.Wrong[d.Kind]++
	first := c.out.First
	at, _ := slices.BinarySearchFunc(first, d, before)
	if first = slices.Insert(first, at, d); len(first) > Differences {
		first = first[:Differences]
	}
	c.out.First = first
}

func before(a, b Difference) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Series, b.Series))
}

// result is the comparison once all rows were read: what is left of the truth is missing.
func (c *comparison) result() Table {
	names := make([]string, len(c.series))
	for name, n := range c.series {
		names[n] = name
	}
	for w, want := range c.left {
		c.differ(Difference{Kind: Missing, Start: time.Unix(w.Start, 0).UTC(), Series: names[w.Series], Want: want})
	}
	return c.out
}

// lines calls fn with each line.
func lines(in io.Reader, fn func([]byte) error) error {
	s := bufio.NewScanner(in)
	for s.Scan() {
		if err := fn(s.Bytes()); err != nil {
			return err
		}
	}
	return s.Err()
}
