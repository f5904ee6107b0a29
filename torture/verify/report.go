package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/torture/traffic"
)

// Differences is how many of a table's differences a report spells out: the earliest.
const Differences = 20

// Report is what a comparison found.
type Report struct {
	Tables []Table
	Marks  Marks
}

// Table is how one table or view compares with the truth, in windows.
type Table struct {
	Name      string
	Equal     int
	Wrong     map[Kind]int
	Want, Got traffic.Counts // sums over all windows
	First     []Difference   // at most Differences, by start and series
}

// Err says which tables are wrong, or nil. A comparison of nothing is an error too.
func (r Report) Err() error {
	var all []error
	for _, t := range r.Tables {
		switch {
		case len(t.First) > 0:
			all = append(all, fmt.Errorf("%s: %s, %d equal: %s", t.Name, t.wrong(), t.Equal, t.First[0]))
		case t.Equal == 0:
			all = append(all, fmt.Errorf("%s: no windows", t.Name))
		}
	}
	if r.Marks.Count > 0 {
		all = append(all, fmt.Errorf("%d wrong marks: %s", r.Marks.Count, r.Marks.Wrong[0]))
	}
	return errors.Join(all...)
}

func (t Table) wrong() string {
	var out []string
	for _, k := range Kinds() {
		if n := t.Wrong[k]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, k))
		}
	}
	return strings.Join(out, ", ")
}

// String is the report as text: a line for each table, then what is wrong.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %9s %9s %9s %9s %9s %9s %12s %12s\n", "", "equal", Missing, Extra, Short, Over, Unequal, "calls", "truth")
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%-20s %9d", t.Name, t.Equal)
		for _, k := range Kinds() {
			fmt.Fprintf(&b, " %9d", t.Wrong[k])
		}
		fmt.Fprintf(&b, " %12d %12d\n", t.Got.Calls, t.Want.Calls)
	}
	fmt.Fprintf(&b, "%-20s %9d, wrong %d\n", "marks", r.Marks.Read, r.Marks.Count)
	for _, t := range r.Tables {
		for _, d := range t.First {
			fmt.Fprintf(&b, "%s %s\n", t.Name, d)
		}
	}
	for _, w := range r.Marks.Wrong {
		fmt.Fprintln(&b, w)
	}
	return b.String()
}
