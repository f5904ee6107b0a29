package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/actuator/report/why"
	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// reportOptions are the flags of `weir report`.
type reportOptions struct {
	output, file string
	since        time.Duration
	at           string
	limit        int
}

func reportCommand() *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Show what is wrong and what Weir would do about it (dry run)",
		Long: "Sums up findings, proposals and why nothing is proposed, with evidence, charts, diffs and how to undo. Nothing was applied.\n" +
			"It reads the store only: of the running Weir of this data directory, of --clickhouse, or of an engine started for the call.\n" +
			"\"Now\" is the wall clock where telemetry is live, and the end of the windows where it is a recording.",
		Example: "  weir report\n  weir report -o html --out report.html\n  weir report --since 2h --limit 5 -o json | jq .digest",
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := map[string]func(io.Writer, report.Report) error{"md": report.Markdown, "json": report.JSON, "html": report.HTML}[o.output]
			switch {
			case o.since <= 0:
				return cli.UsageError{Err: errors.New("--since must be above 0")}
			case o.limit < 1:
				return cli.UsageError{Err: errors.New("--limit must be at least 1")}
			}
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(c *clickhouse.Client) error {
				r, err := gather(cmd.Context(), c, o, time.Now())
				if err != nil {
					return err
				}
				return toFile(o.file, cmd.OutOrStdout(), func(out io.Writer) error { return write(out, r) })
			})
		},
	}
	f := cmd.Flags()
	cli.Output(f, &o.output, "md, json or html", "md", "json", "html")
	f.StringVar(&o.file, "out", "", "write to this file; empty for standard output")
	f.DurationVar(&o.since, "since", 24*time.Hour, "how far back the report reaches")
	f.StringVar(&o.at, "at", "", "as it stood at this time (RFC 3339); empty for now")
	f.IntVar(&o.limit, "limit", 10, "proposals to show, and rows of each table")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "library", "clickhouse.library")
	return cmd
}

// toFile hands write a file, or out if there is no name. The file is there whole or not at all.
func toFile(name string, out io.Writer, write func(io.Writer) error) error {
	if name == "" {
		return write(out)
	}
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// gather reads what a report is made of and makes it.
func gather(ctx context.Context, c *clickhouse.Client, o reportOptions, now time.Time) (report.Report, error) {
	at, replay, err := reportTime(ctx, c, now)
	if err != nil {
		return report.Report{}, err
	}
	if o.at != "" {
		if at, err = time.Parse(time.RFC3339, o.at); err != nil {
			return report.Report{}, cli.UsageError{Err: fmt.Errorf("--at %q is no time: write it like 2026-03-04T09:30:00Z", o.at)}
		}
	}
	in := report.Input{At: at, From: at.Add(-o.since), Replay: replay, Limit: o.limit}
	q := store.Query{From: in.From.Add(-time.Hour), To: at.Add(time.Second)}
	if in.Decisions, err = c.Decisions(ctx, q); err != nil {
		return report.Report{}, err
	}
	if in.Findings, err = c.Findings(ctx, q); err != nil {
		return report.Report{}, err
	}
	in.Findings = slices.DeleteFunc(in.Findings, func(f schemas.Finding) bool { return f.State == schemas.Pending && at.Sub(f.UpdatedAt) > pendingFor })
	var ids []string
	for _, d := range in.Decisions {
		ids = append(ids, d.ID)
	}
	if in.Outcomes, err = c.Outcomes(ctx, ids); err != nil {
		return report.Report{}, err
	}
	if in.DataFrom, in.DataTo, err = dataRange(ctx, c); err != nil {
		return report.Report{}, err
	}
	if in.Series, err = charts(ctx, c, in); err != nil {
		return report.Report{}, err
	}
	return report.Build(in), nil
}

// reportTime is now: the wall clock where decisions are made about live windows, and else the time up to which they are made.
func reportTime(ctx context.Context, c *clickhouse.Client, now time.Time) (at time.Time, replay bool, err error) {
	for _, stage := range []string{stageForecast, stageDetect} {
		positions, err := c.Positions(ctx, stage)
		if err != nil {
			return at, false, err
		}
		for _, p := range positions {
			if at.IsZero() || p.After(at) {
				at = p
			}
		}
	}
	if at.IsZero() || now.Sub(at) < live {
		return now.UTC(), false, nil
	}
	return at, true, nil
}

// pendingFor is longer than a finding can be pending: one that does not fire within three windows ends without a word.
const pendingFor = time.Minute

// live is how far behind the wall clock decisions may be made for telemetry to count as live.
const live = 10 * time.Minute

func dataRange(ctx context.Context, c *clickhouse.Client) (from, to time.Time, err error) {
	if from, err = c.NextWindow(ctx, schemas.Shortest(), time.Time{}); err != nil {
		return from, to, err
	}
	t, err := c.Totals(ctx)
	if err != nil || t.LastWindow.IsZero() {
		return from, to, err
	}
	return from, t.LastWindow.Add(time.Duration(schemas.Shortest())), nil
}

func whyCommand() *cobra.Command {
	var output string
	var count countOptions
	cmd := &cobra.Command{
		Use:   "why [ID]",
		Short: "Explain a decision, a finding, or a count",
		Long: "Shows the chain that led to a decision (windows, finding, decision, outcome) with every number it rests on, or the life of a\n" +
			"finding and what it led to. The beginning of an id will do where no other begins like it. With --count or --edge, shows what\n" +
			"stands behind the calls of one window: evidence, sources, spans that were dropped, gaps, and whether the tables agree.",
		Example: "  weir why d-3f2a\n  weir why f-91c0 -o json\n  weir why --count cart --window 10s --at 2026-03-04T09:30:00Z\n" +
			"  weir why --edge 'front>cart' --at 2026-03-04T09:30:00Z",
		Args: count.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if count.asked() {
				a, err := newTool(cmd)
				if err != nil {
					return err
				}
				return a.whyCount(cmd, &count, output)
			}
			write := map[string]func(io.Writer, why.Explanation) error{"text": why.Text, "json": why.JSON}[output]
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(c *clickhouse.Client) error {
				e, err := explain(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				return write(cmd.OutOrStdout(), e)
			})
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	count.flags(cmd.Flags())
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	keyFlag(cmd.Flags(), "library", "clickhouse.library")
	return cmd
}

// explain finds what an id names, and what belongs to it.
func explain(ctx context.Context, c *clickhouse.Client, id string) (why.Explanation, error) {
	if strings.HasPrefix(id, "f-") {
		return explainFinding(ctx, c, id)
	}
	if !strings.HasPrefix(id, "d-") {
		return why.Explanation{}, cli.UsageError{Err: fmt.Errorf("%q is no id: those of decisions begin with d-, those of findings with f-", id)}
	}
	found, err := c.Decisions(ctx, store.Query{ID: id})
	if err != nil {
		return why.Explanation{}, fmt.Errorf("explain %s: %w", id, err)
	}
	if len(found) == 0 {
		return why.Explanation{}, fmt.Errorf("there is no decision %s: `weir decisions --all` lists them", id)
	}
	d := found[0]
	outcomes, err := c.Outcomes(ctx, []string{d.ID})
	if err != nil {
		return why.Explanation{}, err
	}
	var cause []schemas.Finding
	if d.Cause != "" {
		if cause, err = c.FindingRevisions(ctx, d.Cause); err != nil {
			return why.Explanation{}, err
		}
	}
	return why.ExplainDecision(d, cause, outcomes), nil
}

func explainFinding(ctx context.Context, c *clickhouse.Client, id string) (why.Explanation, error) {
	found, err := c.Findings(ctx, store.Query{ID: id})
	if err != nil {
		return why.Explanation{}, fmt.Errorf("explain %s: %w", id, err)
	}
	if len(found) == 0 {
		return why.Explanation{}, fmt.Errorf("there is no finding %s: `weir alerts --all` lists them", id)
	}
	f := found[0]
	revisions, err := c.FindingRevisions(ctx, f.ID)
	if err != nil {
		return why.Explanation{}, err
	}
	all, err := c.Decisions(ctx, store.Query{From: f.StartedAt, To: f.UpdatedAt.Add(24 * time.Hour), Workload: f.Workload.Key()})
	if err != nil {
		return why.Explanation{}, err
	}
	var ledTo []schemas.SignedDecision
	for _, d := range all {
		if d.Cause == f.ID {
			ledTo = append(ledTo, d)
		}
	}
	return why.ExplainFinding(revisions, ledTo)
}
