package schemas

// MeasureID names an additive number of a partial window, in the order of their columns.
type MeasureID int

// What a partial window adds up. Those marked "weighted" are in 1/65,536, see Weight; the rest are whole numbers.
const (
	Calls           MeasureID = iota // weighted: calls that reached the workload
	Observed                         // records of calls
	Errors                           // weighted, the callee's view
	Errors4xx                        // weighted
	Errors5xx                        // weighted
	ErrorsGRPC                       // weighted
	ErrorsTransport                  // weighted
	StatusKnown                      // weighted: calls whose outcome is known
	Retries                          // weighted
	RejectedMesh                     // weighted: refused before they reached the workload
	RejectedWeir                     // weighted: refused by a limit of Weir
	DurationNS                       // sum of durations, ns
	RequestBytes                     // bytes
	ResponseBytes                    // bytes
	Revision                         // partial rows that came after the window was closed
	ClockSkew                        // records that ended before they started
	Spans                            // records of any kind
	Duplicates                       // records that came again
	Orphans                          // records whose parent never came
	Missing                          // records that are known to be lost, or that may have been calls
	MeasureCount
)

// String is the measure's column.
func (m MeasureID) String() string {
	return [MeasureCount]string{
		"calls", "observed", "errors", "errors_4xx", "errors_5xx", "errors_grpc", "errors_transport", "status_known", "retries",
		"rejected_mesh", "rejected_weir", "duration_ns", "request_bytes", "response_bytes", "revision", "clock_skew", "spans",
		"duplicates", "orphans", "missing",
	}[m]
}

// Measures lists the measures that windows of a subject keep. What is known of single records, whatever became of them, has a workload
// but no edge.
func (s Subject) Measures() []MeasureID {
	last := MeasureCount
	if s == EdgeWindows {
		last = Spans
	}
	all := make([]MeasureID, last)
	for i := range all {
		all[i] = MeasureID(i)
	}
	return all
}

// Dimensions lists the columns that tell one window of a subject from another, without its start.
func (s Subject) Dimensions() []string {
	workload := []string{"cluster", "region", "namespace", "workload", "version"}
	dimensions := []string{"tenant"}
	switch s {
	case EdgeWindows:
		for _, end := range []string{"source_", "destination_"} {
			for _, name := range workload {
				dimensions = append(dimensions, end+name)
			}
		}
		return dimensions
	case InstanceWindows:
		return append(append(dimensions, workload...), "instance")
	}
	return append(dimensions, workload...)
}

// Dimensions lists the workload's values in the order of Subject.Dimensions, without the tenant.
func (w Workload) Dimensions() []string {
	return []string{w.Cluster, w.Region, w.Namespace, w.Name, w.Version}
}

// BucketCount is how many calls, weighted, fell into one bucket of the latency histogram.
type BucketCount struct {
	Bucket Bucket
	Count  uint64
}

// Partial is what one source contributed, within one flush, to one window. Partials of a window add up.
type Partial struct {
	Start      int64    // Unix ns
	Dimensions []string // in the order of Subject.Dimensions
	Source     string   // Source.String
	// FirstOffset and LastOffset say which messages are in the flush, for this table, day and source: nothing outside
	// [FirstOffset, LastOffset], and everything inside that was not counted before.
	FirstOffset, LastOffset int64
	Measures                [MeasureCount]uint64
	Evidence                Evidence
	Histogram               []BucketCount // rising by bucket
	Callers                 []string      // service windows only: keys of the calling workloads, at most MaxCallers, then More
}

// MaxCallers is how many distinct callers a partial names; if there are more, one entry More stands for them.
const (
	MaxCallers = 256
	More       = "..."
)
