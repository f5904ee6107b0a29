package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the status for people.
func (s status) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "HOP\tLAST DATA\tLAG\t")
	if c := s.Collector; c != nil {
		fmt.Fprintf(w, "collector\t%s\t-\treceived %d, sent %d, dropped %d, dead-lettered %d\n",
			s.ago(c.LastData), c.Received, c.Sent, c.Dropped, c.DeadLettered)
	}
	fmt.Fprintf(w, "ingest\t%s\t-\t%d messages in the log\n", s.ago(s.Ingest.LastData), s.Ingest.Messages)
	fmt.Fprintf(w, "features\t%s\t%d\twatermark %s\n", s.ago(s.Features.LastData), s.Features.Lag, moment(s.Features.Watermark))
	fmt.Fprintf(w, "store\t%s\t-\tcalls %d, duplicates %d, orphans %d, missing %d, gaps %d; last window %s\n", s.ago(s.Store.LastData),
		s.Store.Calls, s.Store.Duplicates, s.Store.Orphans, s.Store.Missing, s.Store.Gaps, moment(s.Store.LastWindow))
	fmt.Fprintln(w)
	fmt.Fprintln(w, "SOURCE\tEND\tDURABLE\tLAG\tMARK\tWATERMARK\tLAST DATA")
	for _, p := range s.Sources {
		watermark := moment(p.Watermark)
		if p.Idle {
			watermark += " (idle)"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", p.Source, p.End, p.Durable, p.Lag, offset(p.Mark), watermark, s.ago(p.LastData))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\ndead letters: %d", s.DeadLetters)
	if s.DeadLetters > 0 {
		b.WriteString(" (see `weir deadletter list`)")
	}
	b.WriteByte('\n')
	for _, line := range s.Quiet {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// ago writes when something was, for people who look now.
func (s status) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.TimeOnly), s.Time.Sub(t).Round(time.Second))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateTime)
}

func offset(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
