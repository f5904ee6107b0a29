// Package size estimates what a mesh's telemetry takes on disk, and costs, from what some minutes of it took. It has no clock and asks
// nobody: what was measured comes in, an Estimate goes out.
//
// Rows of windows do not grow with calls: a workload that is called once or a thousand times in ten seconds has one row for each partition
// of the log. So the estimate goes by how often each key had a row. A key seen in n of w windows is taken as one whose records come at random
// at the rate that makes such a share likely, -ln(1 - n/w) for each window; longer windows, more calls and more workloads follow from that.
package size

import "time"

// Measured is what was found in some minutes of traffic.
type Measured struct {
	From, To  time.Time // event time; To is not part of it
	Calls     float64   // counted in that time, by weight
	Spans     float64   // records of any kind
	Workloads int
	Edges     int
	Instances int
	// Windows holds for each subject (service, edge, instance) how many of its keys, the log's partition among them, have a row in n of the
	// 10 s windows.
	Windows map[string]map[int]int
	Rows    map[string]uint64 // rows of the time, by table other than those of windows
	Tables  []Table
	Topics  []Topic
}

// Table is what a table takes now.
type Table struct {
	Name          string
	Rows, Bytes   uint64        // of all active parts, on disk: compressed, with indexes
	LargestRows   uint64        // of the part with the most rows: the one that is merged best
	LargestBytes  uint64        //
	Kept          time.Duration // how long rows stay; 0 = for good
	UnmergedParts int           // parts that were never merged

	// Of tables of windows, else 0. A row with more calls has more buckets, which is most of what it takes.
	Buckets  float64 // mean of a row in the sample
	RowCalls float64 // mean of a row in the sample
}

// Topic is what records in the log take.
type Topic struct {
	Name      string
	Rows      uint64 // of the messages looked at
	Bytes     uint64 // of them, as a client sees them: not compressed
	DiskRows  uint64 // rows whose messages take DiskBytes
	DiskBytes uint64 // on the broker's disk: compressed; 0 = not known
	Kept      time.Duration
}

// WhatIf is the mesh that is estimated for. Zero fields are as measured.
type WhatIf struct {
	CallsPerSecond float64
	Workloads      int // edges and instances grow with them
}

// Prices are what storage costs, and how many copies there are.
type Prices struct {
	GBMonth   float64 // of one GB (1e9 bytes) for a month
	Replicas  int     // of ClickHouse
	LogCopies int     // of each message
}

// Range is an estimate between two figures.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Times returns the range with both ends multiplied.
func (r Range) Times(f float64) Range { return Range{r.Low * f, r.High * f} }

// Plus returns the sum of two ranges.
func (r Range) Plus(o Range) Range { return Range{r.Low + o.Low, r.High + o.High} }
