package compare

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteEdges writes the comparison as a table for people, and below it the reasons.
func WriteEdges(out io.Writer, edges []Edge) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from\tto\tsent\treceived\tweir\tdiff\trejected\terrors\tweir\t4xx\tweir\tp50 ms\tp99 ms\tverdict\t")
	for _, e := range edges {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%+d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%.2f\t%s\t\n",
			outside(e.From), e.To, count(e.Sent), count(e.Received), e.Weir, e.Difference, e.Rejected,
			e.Errors, e.WeirErrors, e.ClientErrors, e.Weir4xx, e.P50, e.P99, e.Verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, e := range edges {
		if e.Why != "" {
			if _, err := fmt.Fprintf(out, "%s: %s -> %s: %s\n", e.Verdict, outside(e.From), e.To, e.Why); err != nil {
				return err
			}
		}
	}
	return nil
}

func outside(workload string) string {
	if workload == "" {
		return "(outside)"
	}
	return workload
}

func count(n *uint64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// WriteLatency writes the comparison of latencies as a table for people.
func WriteLatency(out io.Writer, quantiles []Quantile) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "quantile\tclient ms\tweir ms\tclient may be ms\tagree\t")
	for _, q := range quantiles {
		fmt.Fprintf(w, "%g\t%.2f\t%.2f\t%.2f to %.2f\t%t\t\n", q.Q, q.Client, q.Weir, q.Low, q.High, q.Agree)
	}
	return w.Flush()
}

// WriteSpending writes what each role spent as a table for people.
func WriteSpending(out io.Writer, spent []Spent) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "role\tCPU s\tshare\tms per 1000 calls\tms per request\t")
	for _, s := range spent {
		fmt.Fprintf(w, "%s\t%.2f\t%.1f %%\t%.2f\t%.3f\t\n", s.Role, s.CPU.Seconds(), 100*s.Share,
			1e3*s.PerThousandCalls.Seconds(), 1e3*s.PerRequest.Seconds())
	}
	return w.Flush()
}
