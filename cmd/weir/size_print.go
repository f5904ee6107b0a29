package main

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/internal/size"
)

// sizeAnswer is what `weir size -o json` prints.
type sizeAnswer struct {
	Sample sizeSample `json:"sample"`
	size.Estimate
	Currency  string `json:"currency"`
	Replicas  int    `json:"replicas"`
	LogCopies int    `json:"log_copies"`
}

// sizeSample is what the estimate rests on.
type sizeSample struct {
	From           time.Time `json:"from"`
	To             time.Time `json:"to"`
	CallsPerSecond float64   `json:"calls_per_second"`
	SpansPerSecond float64   `json:"spans_per_second"`
	Workloads      int       `json:"workloads"`
	Edges          int       `json:"edges"`
	Instances      int       `json:"instances"`
}

func sampleOf(m size.Measured) sizeSample {
	seconds := m.To.Sub(m.From).Seconds()
	return sizeSample{
		From: m.From, To: m.To, CallsPerSecond: m.Calls / seconds, SpansPerSecond: m.Spans / seconds,
		Workloads: m.Workloads, Edges: m.Edges, Instances: m.Instances,
	}
}

func printSize(out io.Writer, m size.Measured, e size.Estimate, o sizeOptions) error {
	w := bufio.NewWriter(out)
	s := sampleOf(m)
	fmt.Fprintf(w, "Measured    %s to %s: %.1f calls/s and %.1f spans/s, %d workloads, %d edges, %d instances\n",
		m.From.Format("2006-01-02 15:04:05"), m.To.Format("15:04:05 MST"), s.CallsPerSecond, s.SpansPerSecond, s.Workloads, s.Edges, s.Instances)
	if o.what != (size.WhatIf{}) {
		fmt.Fprintf(w, "Estimated   for %.1f calls/s and %.1f spans/s, %d workloads, %d edges, %d instances\n",
			e.CallsPerSecond, e.SpansPerSecond, e.Workloads, e.Edges, e.Instances)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "table or topic\trows a day\tbytes a row\tbytes a day\tkept\tin all\t")
	for _, rows := range [][]size.Stored{e.Tables, e.Topics} {
		for _, r := range rows {
			fmt.Fprintf(t, "%s\t%.0f\t%s\t%s\t%.0f d\t%s\t\n", r.Name, r.RowsPerDay, span(r.BytesPerRow, plain), span(r.BytesPerRow.Times(r.RowsPerDay), si),
				r.Days, span(r.Bytes, si))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nClickHouse  %s\nLog         %s\nAll copies  %s (%d of ClickHouse, %d of the log)\n",
		span(e.Store, si), span(e.Log, si), span(e.Total, si), o.prices.Replicas, o.prices.LogCopies)
	if o.prices.GBMonth > 0 {
		money := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		fmt.Fprintf(w, "Money       %s %s a month for disk at %g a GB\n", span(e.Month, money), o.currency, o.prices.GBMonth)
	}
	fmt.Fprint(w, "\nAs if every hour were like the sample, and when all is as full as it gets. Rows of windows follow from how often each key had one,\n"+
		"their bytes from what rows take now and the buckets that more calls bring. Not in it: topics that hold little, merges under way, free space, CPU and memory.\n")
	for _, text := range e.Warnings {
		fmt.Fprintln(w, "! "+text)
	}
	return w.Flush()
}

// span prints a range, as one figure where its ends look alike.
func span(r size.Range, form func(float64) string) string {
	if low, high := form(r.Low), form(r.High); low != high {
		return low + " to " + high
	}
	return form(r.High)
}

func plain(v float64) string { return fmt.Sprintf("%.0f", v) }

// si prints bytes with a unit of 1000.
func si(v float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if v < 1000 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.3g PB", v)
}
