package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/internal/privacy"
	"github.com/weirmesh/weir/store/clickhouse"
)

func privacyCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "privacy",
		Short: "Show what is kept, where, why and how long; erase by name",
		Long: "Lists every field of every topic, table and file that Weir keeps: what it can hold, why it is kept, how long by this\n" +
			"configuration, and who can read it.",
		Example: "  weir privacy\n  weir privacy -o markdown > privacy.md\n  weir privacy erase --workload shop/cart",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return printPrivacy(cmd.OutOrStdout(), privacySettings(a.cfg), output)
		},
	}
	cli.Output(cmd.Flags(), &output, "text, json or markdown", "text", "json", "markdown")
	cmd.AddCommand(eraseCommand())
	return cmd
}

func privacySettings(cfg config.Config) privacy.Settings {
	c := cfg.ClickHouse
	return privacy.Settings{
		privacy.KafkaRetention: cfg.Kafka.Retention, privacy.DeadLetterRetention: min(cfg.Kafka.DeadLetterRetention, cfg.Kafka.Retention),
		privacy.StoreRetention: c.Retention, privacy.MinutesRetention: c.Minutes, privacy.HoursRetention: c.Hours,
		privacy.ForecastsRetention: c.Forecasts, privacy.DecisionsRetention: c.Decisions, privacy.SpansRetention: c.Spans,
		privacy.GapsRetention: max(c.Retention, c.Minutes, c.Hours),
	}
}

func printPrivacy(out io.Writer, s privacy.Settings, format string) error {
	switch format {
	case "markdown":
		_, err := io.WriteString(out, privacy.Markdown(s))
		return err
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(privacy.Inventory(s))
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "WHERE\tNAME\tFIELDS\tCAN HOLD\tKEPT\tWHY")
	for _, p := range privacy.Inventory(s) {
		for _, f := range p.Fields {
			names := strings.Join(f.Names, ", ")
			if f.Kind == privacy.Measure && len(f.Names) > 3 {
				names = fmt.Sprintf("%s and %d more", f.Names[0], len(f.Names)-1)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Where, strings.Join(p.Names, ", "), names, f.Kind, p.Kept, f.Why)
		}
	}
	return w.Flush()
}

// erasure is what `weir privacy erase` says.
type erasure struct {
	Done   bool                `json:"done"`
	Tables []clickhouse.Erased `json:"tables"`
	// Mentions are columns of other rows whose text names the subject.
	Mentions []clickhouse.Mention `json:"mentions"`
	Kafka    []heldTopic          `json:"kafka"` // what the log still holds
}

// heldTopic is a topic that may hold the subject until a time.
type heldTopic struct {
	Topic string    `json:"topic"`
	Until time.Time `json:"until"` // the latest that a message written now is kept
}

func eraseCommand() *cobra.Command {
	var s clickhouse.Subject
	var yes bool
	var output string
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Erase a workload, an instance or a tenant from ClickHouse",
		Long: "Shows which rows name a workload, an instance or a tenant and, with --yes, erases them from every table. What is counted of\n" +
			"others does not change, and nothing is counted again when the log is read again. Kafka keeps its messages until their\n" +
			"retention is over; it says until when. docs/privacy.md says what else belongs to it.",
		Example: "  weir privacy erase --workload shop/cart\n  weir privacy erase --workload shop/cart --yes\n" +
			"  weir privacy erase --instance cart-7d9f-x2kqp --clickhouse ch:8123 --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			var e erasure
			err = a.withWritableStore(cmd.Context(), func(c *clickhouse.Client) (err error) {
				e, err = a.erase(cmd.Context(), c, s, yes, cmd.ErrOrStderr())
				return err
			})
			if errors.Is(err, clickhouse.ErrSubject) {
				return cli.UsageError{Err: err}
			}
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Workload, "workload", "", "workload to erase, as namespace/name")
	f.StringVar(&s.Instance, "instance", "", "instance to erase")
	f.StringVar(&s.Tenant, "tenant", "", "tenant to erase")
	f.BoolVar(&yes, "yes", false, "erase; without it, only show what would be erased")
	cli.Output(f, &output, "text or json", "text", "json")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "library", "clickhouse.library")
	return cmd
}

func (a *app) erase(ctx context.Context, c *clickhouse.Client, s clickhouse.Subject, yes bool, progress io.Writer) (e erasure, err error) {
	now := time.Now()
	if !yes {
		e.Tables, err = c.Erasable(ctx, s)
	} else {
		fmt.Fprintln(progress, "erasing; tables are rewritten, which takes a while where they are large")
		e.Done = true
		e.Tables, err = c.Erase(ctx, s, now)
	}
	if err != nil {
		return e, err
	}
	for _, p := range privacy.Inventory(privacySettings(a.cfg)) {
		if p.Where == privacy.Kafka && p.Names[0] != "weir.progress" {
			e.Kafka = append(e.Kafka, heldTopic{p.Names[0], now.Add(p.Keep.For(privacySettings(a.cfg))).UTC().Truncate(time.Second)})
		}
	}
	e.Mentions, err = c.Mentions(ctx, s)
	return e, err
}

func (e erasure) print(out io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	what := map[bool]string{false: "would be erased", true: "erased"}[e.Done]
	if len(e.Tables) == 0 {
		fmt.Fprintln(out, "no table has it: names are as in `weir query 'SELECT DISTINCT tenant, namespace, workload, instance FROM instance_windows'`")
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, t := range e.Tables {
		named := ""
		if t.Named > 0 {
			named = fmt.Sprintf("\t%d rows of others: the name goes", t.Named)
		}
		fmt.Fprintf(w, "%s\t%d rows %s%s\n", t.Table, t.Rows, what, named)
	}
	for _, m := range e.Mentions {
		fmt.Fprintf(w, "%s.%s\t%d rows of others mention it in their text\tthey go with their retention\n", m.Table, m.Column, m.Rows)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nKafka may hold messages of it until their retention is over, counted from when they were written:")
	for _, k := range e.Kafka {
		fmt.Fprintf(w, "%s\tat the latest until %s\n", k.Topic, moment(k.Until))
	}
	if !e.Done && len(e.Tables) > 0 {
		fmt.Fprintln(w, "\nNothing was erased. Add --yes to erase, after its telemetry has ended.")
	}
	return w.Flush()
}
