package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
)

// countOptions are the flags of `weir why --count`.
type countOptions struct {
	count, edge, window, at string
	spans                   int
}

func (o *countOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.count, "count", "", "explain the calls of this workload in one window: name, name@version or cluster/namespace/name")
	f.StringVar(&o.edge, "edge", "", "explain the calls of an edge, as CALLER>CALLED; no caller: from outside the mesh")
	f.StringVar(&o.window, "window", "1m", "length of the window: 10s, 1m or 1h")
	f.StringVar(&o.at, "at", "", "a time in the window (RFC 3339, or as SQL prints it, in UTC); empty for the newest window that is whole")
	f.IntVar(&o.spans, "spans", 0, "with --count: also list up to so many messages that hold the workload's spans")
	keyFlag(f, "kafka", "kafka.addresses")
}

func (o *countOptions) asked() bool { return o.count != "" || o.edge != "" }

// args wants an id, unless a number is asked about.
func (o *countOptions) args(cmd *cobra.Command, args []string) error {
	switch {
	case o.asked() && len(args) > 0:
		return fmt.Errorf("give an id (%s), or --count or --edge, not both", args[0])
	case !o.asked() && len(args) != 1:
		return errors.New("give one id of a decision or finding, or --count WORKLOAD; `weir decisions` and `weir alerts` list ids")
	}
	return nil
}

// question is what the flags ask for.
func (o *countOptions) question() (q clickhouse.CountOf, err error) {
	if o.count != "" && o.edge != "" {
		return q, cli.UsageError{Err: errors.New("give --count or --edge, not both")}
	}
	q.Workload = o.count
	if o.edge != "" {
		if q.Caller, q.Workload, q.Edge = strings.Cut(o.edge, ">"); !q.Edge || q.Workload == "" {
			return q, cli.UsageError{Err: fmt.Errorf("--edge %q is no edge: write it like 'front>cart'", o.edge)}
		}
	}
	length, err := time.ParseDuration(o.window)
	q.Resolution = schemas.Resolution(length)
	if err != nil || !slices.Contains(schemas.Resolutions(), q.Resolution) {
		return q, cli.UsageError{Err: fmt.Errorf("--window %q is not kept: 10s, 1m or 1h", o.window)}
	}
	if o.at == "" {
		return q, nil
	}
	if q.At, err = time.Parse(time.RFC3339, o.at); err != nil {
		if q.At, err = time.Parse(time.DateTime, o.at); err != nil { // as `weir query` prints it
			return q, cli.UsageError{Err: fmt.Errorf("--at %q is no time: write it like 2026-03-04T09:30:00Z", o.at)}
		}
	}
	return q, nil
}

// newestWhole is an instant in the newest window of a length that windows of 10 s have passed.
func newestWhole(ctx context.Context, c *clickhouse.Client, length schemas.Resolution) (time.Time, error) {
	t, err := c.Totals(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if t.LastWindow.IsZero() {
		return time.Time{}, errors.New("nothing is counted yet: `weir status` shows how far telemetry has come")
	}
	return t.LastWindow.Truncate(time.Duration(length)).Add(-time.Nanosecond), nil
}

// countAnswer is everything that stands behind a number.
type countAnswer struct {
	Workloads    []string               `json:"workloads"` // that the name means, with their versions
	Caller       *string                `json:"caller,omitempty"`
	WindowStart  time.Time              `json:"window_start"`
	WindowEnd    time.Time              `json:"window_end"`
	Total        clickhouse.Counted     `json:"total"`
	Sampled      bool                   `json:"sampled"` // a record stands for more than one call
	Completeness float64                `json:"completeness"`
	ByEvidence   []clickhouse.Counted   `json:"by_evidence"`
	BySource     []countSource          `json:"by_source"`
	Instances    []clickhouse.Counted   `json:"instances,omitempty"`
	Callers      []clickhouse.Counted   `json:"callers,omitempty"`
	Agreement    []clickhouse.Agreement `json:"agreement"`
	Gaps         []countGap             `json:"gaps"`
	Log          countLog               `json:"log"`
}

type countSource struct {
	clickhouse.Counted
	Mark int64 `json:"mark"` // up to which offset the table counts this source on that day
}

type countGap struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Kind    string    `json:"kind"`
	Source  string    `json:"source"`
	Share   float64   `json:"share"`
	Records uint64    `json:"records"`
	Detail  string    `json:"detail"`
}

// whyCount answers `weir why --count`.
func (a *app) whyCount(cmd *cobra.Command, o *countOptions, output string) error {
	q, err := o.question()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	var answer countAnswer
	if err := a.withStore(ctx, func(c *clickhouse.Client) (err error) {
		if q.At.IsZero() {
			if q.At, err = newestWhole(ctx, c, q.Resolution); err != nil {
				return err
			}
		}
		answer, err = countBehind(ctx, c, q)
		return err
	}); err != nil {
		return err
	}
	if len(answer.Workloads) == 0 {
		return fmt.Errorf("there is no call of %s in the window %s of %s: `weir query` shows which workloads there are, `weir status` how far it is counted",
			q.Workload, o.window, q.Start().Format(time.RFC3339))
	}
	err = a.withKafka(ctx, func(k *kafka.Client) (err error) {
		answer.Log, err = countInLog(ctx, k, q, answer.BySource, o.spans)
		return err
	})
	if err != nil {
		answer.Log = countLog{Unknown: err.Error()}
	}
	if output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(answer)
	}
	return answer.print(cmd.OutOrStdout())
}

// countBehind reads what the store knows of a number.
func countBehind(ctx context.Context, c *clickhouse.Client, q clickhouse.CountOf) (countAnswer, error) {
	a := countAnswer{WindowStart: q.Start(), WindowEnd: q.End()}
	if q.Edge {
		a.Caller = &q.Caller
	}
	names, err := c.CountParts(ctx, q, "workload")
	if err != nil || len(names) == 0 {
		return a, err
	}
	for _, p := range names {
		a.Workloads = append(a.Workloads, p.Name)
	}
	total, err := c.CountParts(ctx, q, "")
	if err != nil || len(total) == 0 {
		return a, err
	}
	a.Total, a.Sampled = total[0], total[0].Sampled()
	if err := a.readParts(ctx, c, q); err != nil {
		return a, err
	}
	if a.Agreement, err = c.CountAgrees(ctx, q); err != nil {
		return a, err
	}
	if a.Completeness, err = c.CountComplete(ctx, q); err != nil {
		return a, err
	}
	gaps, err := c.GapsIn(ctx, a.WindowStart, a.WindowEnd)
	a.Gaps = []countGap{}
	for _, g := range gaps {
		a.Gaps = append(a.Gaps, countGap{timeOf(g.From), timeOf(g.To), string(g.Kind), g.Source, g.Share, g.Records, g.Detail})
	}
	return a, err
}

// readParts divides the number by what contributed to it.
func (a *countAnswer) readParts(ctx context.Context, c *clickhouse.Client, q clickhouse.CountOf) (err error) {
	if a.ByEvidence, err = c.CountParts(ctx, q, "evidence"); err != nil {
		return err
	}
	sources, err := c.CountParts(ctx, q, "source")
	if err != nil {
		return err
	}
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	marks, err := c.DayMarks(ctx, q, names)
	if err != nil {
		return err
	}
	for _, s := range sources {
		a.BySource = append(a.BySource, countSource{s, marks[s.Name]})
	}
	if q.Edge {
		return nil
	}
	if a.Instances, err = c.CountParts(ctx, q, "instance"); err != nil {
		return err
	}
	a.Callers, err = c.CountParts(ctx, q, "caller")
	return err
}

// print writes the answer for people.
func (a countAnswer) print(out io.Writer) error {
	t := a.Total
	from := ""
	if a.Caller != nil {
		from = fmt.Sprintf(" from %s", callerName(*a.Caller))
	}
	fmt.Fprintf(out, "%d calls of %s%s from %s to %s\n\n", t.Calls, strings.Join(a.Workloads, ", "), from, moment(a.WindowStart), moment(a.WindowEnd))
	fmt.Fprintf(out, "offered %d, rejected by the mesh %d, by Weir %d, failed %d\n", t.Offered, t.RejectedMesh, t.RejectedWeir, t.Errors)
	sampled := "each stands for one call"
	if a.Sampled {
		sampled = fmt.Sprintf("sampled: a record stands for %.2f calls on average", float64(t.Units)/65536/float64(max(1, t.Observed)))
	}
	fmt.Fprintf(out, "observed %d records, %s\n", t.Observed, sampled)
	if a.Caller == nil {
		fmt.Fprintf(out, "of %d spans that ended here: %d came again and were dropped, %d had no parent (orphans), %d could not be used or counted\n",
			t.Spans, t.Duplicates, t.Orphans, t.Missing)
	}
	fmt.Fprintf(out, "%d records ended before they began, %d rows came after the window was closed\n", t.ClockSkew, t.Revision)
	fmt.Fprintf(out, "completeness %.4g; %s\n", a.Completeness, a.Log.closed())
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	printParts(w, "EVIDENCE", a.ByEvidence)
	fmt.Fprintln(w, "\nSOURCE\tCALLS\tRECORDS\tSPANS\tDUPLICATES\tORPHANS\tFLUSHES END AT\tMARK")
	for _, s := range a.BySource {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d to %d\t%d\n", s.Name, s.Calls, s.Observed, s.Spans, s.Duplicates, s.Orphans, s.FirstFlush, s.LastFlush, s.Mark)
	}
	printParts(w, "INSTANCE", a.Instances)
	for i := range a.Callers {
		a.Callers[i].Name = callerName(a.Callers[i].Name)
	}
	printParts(w, "CALLER", a.Callers)
	fmt.Fprintln(w, "\nCOMPARED WITH\tWINDOW\tCALLS\tRECORDS\t")
	for _, c := range a.Agreement {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", c.Table, c.Window, c.Calls, c.Observed, map[bool]string{true: "agrees", false: "DIFFERS"}[c.Agrees])
	}
	for _, g := range a.Gaps {
		fmt.Fprintf(w, "\ngap (%s)\t%s to %s\t%s\tshare %.3g\t%s\n", g.Kind, moment(g.From), moment(g.To), g.Source, g.Share, g.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.Log.print(out)
}

// callerName is how people are told of a caller that is no workload.
func callerName(name string) string {
	switch name {
	case schemas.Outside:
		return "outside"
	case schemas.UnknownCaller:
		return "? (never seen)"
	}
	return name
}

func printParts(w io.Writer, title string, parts []clickhouse.Counted) {
	if len(parts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\tCALLS\tRECORDS\tFAILED\n", title)
	for _, p := range parts {
		name := p.Name
		if name == "" {
			name = "-"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", name, p.Calls, p.Observed, p.Errors)
	}
}
