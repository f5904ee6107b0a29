package schemas

import "time"

// What a collector says about itself in weir.samples. No sender may use these names, see ReservedMetric.
const (
	// CollectorWorkload is the workload that a collector's samples about itself are of; the instance is an id of its process.
	CollectorWorkload = "weir-collector"
	// ReservedMetric begins every name below.
	ReservedMetric = "weir.collector."
	// MetricReceived and MetricSent are running totals of the spans that came in and of the rows that Kafka holds. MetricReceived is also
	// the heartbeat: it comes every HeartbeatInterval.
	MetricReceived = ReservedMetric + "received"
	MetricSent     = ReservedMetric + "sent"
	// MetricDropped is a running total of spans that were taken from nobody: their requests failed for good. The reason is in braces.
	MetricDropped = ReservedMetric + "dropped"
	// MetricStopped is 1, once, when a collector stops as it should.
	MetricStopped = ReservedMetric + "stopped"
	// MetricRows has a sender as its origin and the start of a window as its time: how many rows of that sender, with ends in that window,
	// Kafka holds by the hand of the collector that is named in braces, see RowsMetric. It is told again whenever it has risen.
	MetricRows = ReservedMetric + "rows"
)

// HeartbeatInterval is how often a collector speaks about itself.
const HeartbeatInterval = 5 * time.Second

// RowsMetric is MetricRows of a collector.
func RowsMetric(collector string) string { return MetricRows + "{collector=" + collector + "}" }

// Sender is an Origin without what samples do not tell: region and version.
func (o Origin) Sender() Origin {
	o.Region, o.Version = "", ""
	return o
}

// Everyone is the scope of a gap that concerns the whole mesh.
const Everyone = "*"

// Scope names the workload, over its versions and regions, as the scope of a gap: its Key, behind "tenant:" where it has a tenant. The SQL
// function weirScope says the same.
func (w Workload) Scope() string {
	if w.Tenant == "" {
		return w.Key()
	}
	return w.Tenant + ":" + w.Key()
}

// Heartbeat is what is known of a collector's life.
type Heartbeat struct {
	Tenant    string
	Collector string // the id of its process
	Last      int64  // when it spoke last, Unix ns
	Stopped   bool   // it said that it stops
}

// WrittenRows says how many rows of a sender a collector has written for a window.
type WrittenRows struct {
	From      Origin // as Origin.Sender
	Collector string
	Window    int64 // start, Unix ns
	Rows      uint64
}

// CountedRows says how many rows of a sender are in its window of ten seconds: what features have counted.
type CountedRows struct {
	From   Origin // as Origin.Sender
	Window int64  // start, Unix ns
	Rows   uint64
}

// RunningTotal is a sample of a counter.
type RunningTotal struct {
	From   Origin // as Origin.Sender
	Metric string // with attributes in braces
	Time   int64  // Unix ns
	Value  float64
}

// InstanceCalls is what was counted of the calls to one instance in a window of ten seconds, those that were rejected before it among them.
type InstanceCalls struct {
	From     Origin  // as Origin.Sender; Instance may be empty, where only callers told of the calls
	Window   int64   // start, Unix ns
	Calls    float64 // sum of weights
	Observed uint64  // records of calls
	InFlight float64 // mean number of calls under way, of those that ended in the window
}

// CalledWindow says what was counted of the calls to a workload in a window of ten seconds.
type CalledWindow struct {
	To     Workload // without version and region
	Window int64    // start, Unix ns
	Calls  uint64
	// CallersOnly is the part of Calls on edges that the callers alone told of.
	CallersOnly uint64
}

// Incomplete is a window of a workload at a version about which telemetry is missing.
type Incomplete struct {
	Workload
	Start        time.Time
	Completeness float64 // below 1
}
