package schemas

import "time"

// Resolution is the length of a window.
type Resolution time.Duration

// Resolutions lists the window lengths Weir keeps, shortest first. All divide a day, so that a window never spans two.
func Resolutions() []Resolution {
	return []Resolution{Shortest(), Resolution(time.Minute), Resolution(time.Hour)}
}

// Shortest is the shortest window length; the others are multiples of it.
func Shortest() Resolution { return Resolution(10 * time.Second) }

// Suffix is how tables of this resolution end: 10s, 1m, 1h.
func (r Resolution) Suffix() string {
	switch time.Duration(r) {
	case time.Minute:
		return "1m"
	case time.Hour:
		return "1h"
	}
	return "10s"
}

// Start returns the start of the window that holds t, both in Unix ns. Windows are aligned to the Unix epoch.
func (r Resolution) Start(t int64) int64 {
	rest := t % int64(r)
	if rest < 0 {
		rest += int64(r)
	}
	return t - rest
}

// Day is a UTC calendar day as ClickHouse's toYYYYMMDD writes it, for example 20220822.
type Day int32

// DayOf returns the day of t (Unix ns).
func DayOf(t int64) Day {
	y, m, d := time.Unix(0, t).UTC().Date()
	return Day(y*10000 + int(m)*100 + d)
}

// Subject is what a window is about.
type Subject string

// The subjects of windows; each has one table for each resolution.
const (
	ServiceWindows  Subject = "service"
	EdgeWindows     Subject = "edge"
	InstanceWindows Subject = "instance"
)

// Subjects lists them all.
func Subjects() []Subject {
	return []Subject{ServiceWindows, EdgeWindows, InstanceWindows}
}

// Table is one table of partial windows.
type Table struct {
	Subject    Subject
	Resolution Resolution
}

// Tables lists every table of partial windows.
func Tables() []Table {
	var all []Table
	for _, s := range Subjects() {
		for _, r := range Resolutions() {
			all = append(all, Table{s, r})
		}
	}
	return all
}

// String is the table's name in database weir, for example service_10s.
func (t Table) String() string {
	return string(t.Subject) + "_" + t.Resolution.Suffix()
}

// Gap is a stretch of event time about which telemetry is missing.
type Gap struct {
	From, To int64   // Unix ns
	Scope    string  // Everyone, or Workload.Scope
	Hop      string  // where it went missing: proxy, source, collector, kafka, ingest
	Kind     GapKind // why
	Source   string  // the source that shows it: a partition, a collector; "" = those whom the scope names
	Share    float64 // part of the scope's telemetry that is missing, 0..1
	Records  uint64  // records known to be lost; 0 = not known
	Detail   string
}

// GapKind says what kind of silence a gap is.
type GapKind string

const (
	// GapQuiet: nothing came from the source: there was no traffic, or no telemetry.
	GapQuiet GapKind = "quiet"
	// GapDeadLetter: a message came and could not be read.
	GapDeadLetter GapKind = "dead_letter"
	// GapCollectorSilent: a collector stopped without a word, and senders that it had heard are heard by no other.
	GapCollectorSilent GapKind = "collector_silent"
	// GapDropped: senders, or agents between them and a collector, count records that they dropped.
	GapDropped GapKind = "dropped_at_source"
	// GapLost: collectors have written more rows than were counted.
	GapLost GapKind = "lost_on_the_way"
	// GapSourceSilent: a workload says nothing while its callers call it.
	GapSourceSilent GapKind = "source_silent"
	// GapProxyCountedMore: a workload's own proxies count more requests served than anybody told of.
	GapProxyCountedMore GapKind = "proxy_counted_more"
)
