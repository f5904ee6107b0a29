package size

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Estimate is what a mesh takes. Bytes are compressed, of one copy where nothing else is said.
type Estimate struct {
	CallsPerSecond float64  `json:"calls_per_second"`
	SpansPerSecond float64  `json:"spans_per_second"`
	Workloads      int      `json:"workloads"`
	Edges          int      `json:"edges"`
	Instances      int      `json:"instances"`
	Tables         []Stored `json:"tables"`
	Topics         []Stored `json:"topics"`
	Store          Range    `json:"store_bytes"` // of all tables, when each is as full as it gets
	Log            Range    `json:"log_bytes"`
	Total          Range    `json:"total_bytes"` // of both, with all copies
	Month          Range    `json:"month"`       // money for storage, 0 without a price
	Warnings       []string `json:"warnings"`
}

// Stored is what one table or topic takes.
type Stored struct {
	Name        string  `json:"name"`
	RowsPerDay  float64 `json:"rows_per_day"`
	BytesPerRow Range   `json:"bytes_per_row"`
	Days        float64 `json:"days"` // that rows are kept
	Bytes       Range   `json:"bytes"`
}

const (
	day = 24 * time.Hour
	// shortWindow is the length of the windows that Measured counts.
	shortWindow = 10 * time.Second
	// fewRows: below it a table's fixed costs (headers, marks, indexes) show in its bytes a row.
	fewRows = 10_000
	// shortSample is too short to know how often a seldom called workload is called.
	shortSample = 5 * time.Minute
)

// New estimates. The sample must have a length and calls, else there is nothing to go by and the error says so.
func New(m Measured, what WhatIf, p Prices) (Estimate, error) {
	length := m.To.Sub(m.From)
	if length < shortWindow || m.Calls <= 0 || m.Workloads == 0 {
		return Estimate{}, fmt.Errorf("no calls from %s to %s: name a --from and --to with traffic",
			m.From.Format(time.RFC3339), m.To.Format(time.RFC3339))
	}
	s := scaled(m, what, length)
	e := Estimate{
		CallsPerSecond: m.Calls / length.Seconds() * s.calls, SpansPerSecond: m.Spans / length.Seconds() * s.calls,
		Workloads: s.count(m.Workloads), Edges: s.count(m.Edges), Instances: s.count(m.Instances),
	}
	for _, t := range m.Tables {
		if perDay, known := s.rowsPerDay(t.Name); known && t.Rows > 0 && t.Kept > 0 {
			e.Tables = append(e.Tables, stored(t.Name, perDay, s.perRow(t, perDay), t.Kept))
		}
	}
	for _, t := range m.Topics {
		if perRow := t.perRow(); perRow.High > 0 {
			e.Topics = append(e.Topics, stored(t.Name, s.topicRows(t.Name), perRow, t.Kept))
		}
	}
	e.sum(p)
	e.Warnings = warnings(m, length, e.Tables)
	return e, nil
}

func (e *Estimate) sum(p Prices) {
	slices.SortFunc(e.Tables, func(a, b Stored) int { return cmp.Compare(b.Bytes.High, a.Bytes.High) })
	for _, t := range e.Tables {
		e.Store = e.Store.Plus(t.Bytes)
	}
	for _, t := range e.Topics {
		e.Log = e.Log.Plus(t.Bytes)
	}
	e.Total = e.Store.Times(float64(p.Replicas)).Plus(e.Log.Times(float64(p.LogCopies)))
	e.Month = e.Total.Times(p.GBMonth / 1e9)
}

func stored(name string, perDay float64, perRow Range, kept time.Duration) Stored {
	days := float64(kept) / float64(day)
	return Stored{Name: name, RowsPerDay: perDay, BytesPerRow: perRow, Days: days, Bytes: perRow.Times(perDay * days)}
}

// perRow is between the part that is merged best and all parts together.
func (t Table) perRow() Range {
	all, best := float64(t.Bytes)/float64(t.Rows), float64(t.LargestBytes)/float64(max(1, t.LargestRows))
	if t.LargestRows == 0 {
		best = all
	}
	return Range{min(all, best), max(all, best)}
}

// perRow is between what lies on the broker's disk and what a client sees.
func (t Topic) perRow() Range {
	var r Range
	if t.Rows > 0 {
		r.High = float64(t.Bytes) / float64(t.Rows)
		r.Low = r.High
	}
	if t.DiskRows > 0 && t.DiskBytes > 0 {
		r.Low = float64(t.DiskBytes) / float64(t.DiskRows)
		r.High = max(r.High, r.Low)
	}
	return r
}

// scale is the step from what was measured to the mesh that is estimated for.
type scale struct {
	Measured
	length time.Duration
	calls  float64 // factor of calls and spans
	keys   float64 // factor of workloads, edges and instances
}

func scaled(m Measured, what WhatIf, length time.Duration) scale {
	s := scale{Measured: m, length: length, calls: 1, keys: 1}
	if what.Workloads > 0 {
		s.keys = float64(what.Workloads) / float64(m.Workloads)
		s.calls = s.keys
	}
	if what.CallsPerSecond > 0 {
		s.calls = what.CallsPerSecond * length.Seconds() / m.Calls
	}
	return s
}

func (s scale) count(n int) int { return int(math.Round(float64(n) * s.keys)) }

// perDay is how many of something that was seen n times come in a day.
func (s scale) perDay(n float64) float64 { return n * float64(day) / float64(s.length) }

// rowsPerDay says how many rows a table gets; known is false for tables that nothing was measured of.
func (s scale) rowsPerDay(table string) (rows float64, known bool) {
	subject, suffix, _ := strings.Cut(table, "_")
	length, isWindow := map[string]time.Duration{"10s": shortWindow, "1m": time.Minute, "1h": time.Hour}[suffix]
	if keys, ok := s.Windows[subject]; ok && isWindow {
		return s.windows(keys, length), true
	}
	n, ok := s.Rows[table]
	factor := s.keys
	if table == "spans" {
		factor = s.calls
	}
	return s.perDay(float64(n)) * factor, ok
}

// windows is how many rows windows of a length get in a day.
func (s scale) windows(keys map[int]int, length time.Duration) (rows float64) {
	in := float64(s.length / shortWindow)
	for n, count := range keys {
		share := min(float64(n)/in, 1-1/(2*in)) // a key that was always there is not known to be there for ever
		rate := -math.Log(1-share) * float64(length/shortWindow) * s.calls / s.keys
		rows += float64(count) * s.keys * (1 - math.Exp(-rate))
	}
	return rows * float64(day) / float64(length)
}

// topicRows is how many rows a topic gets in a day.
func (s scale) topicRows(topic string) float64 {
	if topic == "weir.samples" {
		return s.perDay(float64(s.Rows["samples"])) * s.keys
	}
	return s.perDay(s.Spans) * s.calls
}

func warnings(m Measured, length time.Duration, tables []Stored) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if length < shortSample {
		say("The sample is %s long: workloads that are called seldom are missing or counted too low. Ten minutes or more say more.", length)
	}
	var few, unmerged []string
	for _, t := range m.Tables {
		if !slices.ContainsFunc(tables, func(s Stored) bool { return s.Name == t.Name }) {
			continue
		}
		if t.Rows < fewRows {
			few = append(few, t.Name)
		}
		if t.UnmergedParts > 3 {
			unmerged = append(unmerged, t.Name)
		}
	}
	if len(few) > 0 {
		say("Below %d rows, what a table costs once shows in its bytes a row, which come out too high: %s.", fewRows, strings.Join(few, ", "))
	}
	if len(unmerged) > 0 {
		say("Parts that are not merged yet take more than they will: %s. The low figure is of the largest part. Ask again in an hour.",
			strings.Join(unmerged, ", "))
	}
	for _, t := range m.Topics {
		switch {
		case t.Rows > 0 && t.DiskBytes == 0:
			say("How well %s is compressed cannot be seen from here; lz4 makes it about half.", t.Name)
		case t.Rows == 0 && t.DiskBytes > 0:
			say("%s was measured on disk against all that was counted: too low where the log has lost what is older than its retention.", t.Name)
		}
	}
	if len(m.Topics) == 0 {
		say("The log was not measured: nothing runs here, and no --kafka was named.")
	}
	return all
}
