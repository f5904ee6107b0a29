package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// listOptions are the flags of `weir alerts` and `weir decisions`.
type listOptions struct {
	follow, all bool
	workload    string
	limit       int
	output      string
}

func (o *listOptions) flags(cmd *cobra.Command, all string) {
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "then go on with what comes, from Kafka, until interrupted")
	f.BoolVarP(&o.all, "all", "a", false, all)
	f.StringVarP(&o.workload, "workload", "w", "", "only those of this workload")
	f.IntVarP(&o.limit, "limit", "n", 50, "how many of the past to show, newest last; 0 for all")
	cli.Output(f, &o.output, "text, or json: one object a line", "text", "json")
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "library", "clickhouse.library")
}

func (o *listOptions) check() error {
	if o.limit < 0 {
		return cli.UsageError{Err: errors.New("--limit must not be negative")}
	}
	return nil
}

func alertsCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Show what is wrong: the findings",
		Long: "Lists findings from the store, one line each, oldest first, and with --follow each change of one as it is published on\n" +
			"weir.alerts. `weir why ID` explains one.",
		Example: "  weir alerts\n  weir alerts --follow --workload checkout\n  weir alerts -o json | jq 'select(.state == \"firing\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return list(cmd, o, listing[schemas.Finding]{
				topic: wire.TopicAlerts, decode: wire.DecodeFinding, encode: wire.EncodeFinding, line: findingLine,
				show: func(f schemas.Finding) bool { return o.all || f.State != schemas.Pending },
				read: func(ctx context.Context, c *clickhouse.Client, q store.Query) ([]schemas.Finding, error) {
					return c.Findings(ctx, q)
				},
				at: func(f schemas.Finding) schemas.Workload { return f.Workload },
			})
		},
	}
	o.flags(cmd, "also those that have not fired")
	return cmd
}

func decisionsCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "decisions",
		Short: "Show what Weir would do",
		Long: "Lists decisions from the store, one line each, oldest first, and with --follow each one as it is published on weir.decisions.\n" +
			"A decision is a proposal: nothing acts on it. `weir why ID` explains one, `weir report` sums them up.",
		Example: "  weir decisions\n  weir decisions --follow\n  weir decisions --all --workload cart -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return list(cmd, o, listing[schemas.Decision]{
				topic: wire.TopicDecisions, decode: wire.DecodeDecision, encode: wire.EncodeDecision, line: decisionLine,
				show: func(d schemas.Decision) bool { return o.all || d.Verdict == schemas.Propose },
				read: pastDecisions,
				at:   func(d schemas.Decision) schemas.Workload { return d.Target },
			})
		},
	}
	o.flags(cmd, "also those that say why nothing is proposed")
	return cmd
}

func pastDecisions(ctx context.Context, c *clickhouse.Client, q store.Query) ([]schemas.Decision, error) {
	signed, err := c.Decisions(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]schemas.Decision, len(signed))
	for i, d := range signed {
		out[i] = d.Decision
	}
	return out, nil
}

// listing is how one kind of event is listed.
type listing[T any] struct {
	topic  string
	decode func(wire.Event) (T, error)
	encode func(T, string) (wire.Event, error)
	line   func(T) string
	show   func(T) bool // whether people asked for it
	read   func(context.Context, *clickhouse.Client, store.Query) ([]T, error)
	at     func(T) schemas.Workload
}

// list prints what the store holds and then, if asked to, what comes.
func list[T any](cmd *cobra.Command, o listOptions, l listing[T]) error {
	if err := o.check(); err != nil {
		return err
	}
	a, err := newTool(cmd)
	if err != nil {
		return err
	}
	p := &printer[T]{listing: l, options: o, out: cmd.OutOrStdout()}
	if !o.follow {
		if err := p.past(cmd.Context(), a); err != nil || p.printed {
			return err
		}
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), "nothing yet; `weir status` says how far the windows are decided about, --all shows more")
		return err
	}
	return a.withRunningKafka(func(k *kafka.Client) error {
		from, err := k.Bounds(cmd.Context(), l.topic) // before the store is read: what comes in between shows twice rather than never
		if err != nil {
			return err
		}
		if err := p.past(cmd.Context(), a); err != nil {
			return err
		}
		return p.follow(cmd.Context(), k, from)
	})
}

// printer prints the events of one listing.
type printer[T any] struct {
	listing[T]
	options listOptions

	mu      sync.Mutex // guards the rest: partitions are followed side by side
	out     io.Writer
	printed bool // something was
}

// past prints what the store holds, the newest last.
func (p *printer[T]) past(ctx context.Context, a *app) error {
	return a.withStore(ctx, func(c *clickhouse.Client) error {
		values, err := p.read(ctx, c, store.Query{Workload: p.options.workload, Newest: true})
		if err != nil {
			return err
		}
		values = slices.DeleteFunc(values, func(v T) bool { return !p.show(v) })
		if n := p.options.limit; n > 0 && len(values) > n {
			values = values[:n]
		}
		for _, value := range slices.Backward(values) {
			if err := p.print(value); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow prints what comes behind the given offsets until ctx ends, which is no error.
func (p *printer[T]) follow(ctx context.Context, k *kafka.Client, from []kafka.Bounds) error {
	group, ctx := errgroup.WithContext(ctx)
	for partition, bounds := range from {
		group.Go(func() error {
			var failed error
			err := k.Read(ctx, p.topic, partition, bounds.End, true, func(m ingest.Message) bool {
				failed = p.take(m)
				return failed == nil
			})
			return errors.Join(failed, err)
		})
	}
	err := group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (p *printer[T]) take(m ingest.Message) error {
	if _, control := wire.Find(m.Headers, wire.HeaderControl); control {
		return nil
	}
	e, err := wire.DecodeEvent(m.Key, m.Value, m.Headers)
	if err != nil {
		return fmt.Errorf("read %s offset %d: %w", m.Source, m.Offset, err)
	}
	value, err := p.decode(e)
	if err != nil {
		return fmt.Errorf("read event %s of %s: %w", e.ID, p.topic, err)
	}
	if w := p.options.workload; !p.show(value) || w != "" && p.at(value).Name != w {
		return nil
	}
	return p.print(value)
}

func (p *printer[T]) print(value T) error {
	text := p.line(value)
	if p.options.output == "json" {
		e, err := p.encode(value, "/weir")
		if err != nil {
			return err
		}
		text = string(e.Data)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.printed = true
	_, err := fmt.Fprintln(p.out, text)
	return err
}

// findingLine is a finding in one line.
func findingLine(f schemas.Finding) string {
	return fmt.Sprintf("%s  %-8s %-5s %-24s %s  %s", f.UpdatedAt.Format(time.DateTime), f.State, f.Severity, f.Workload.Versioned(), f.ID, oneLine(f.Explanation))
}

// decisionLine is a decision in one line.
func decisionLine(d schemas.Decision) string {
	what := fmt.Sprintf("%s %g -> %g %s", d.Kind, d.Current, d.Proposed, d.Kind.Unit())
	if d.Verdict == schemas.Decline {
		what = fmt.Sprintf("%s declined: %s", d.Kind, d.Code)
	}
	return fmt.Sprintf("%s  %-28s %-24s until %s  %s  %s", d.MadeAt.Format(time.DateTime), what, d.Target.Versioned(),
		d.ValidUntil.Format(time.TimeOnly), d.ID, oneLine(d.Reason))
}

// oneLine keeps a sentence on its line, and escape sequences out of a terminal: names in it come from telemetry.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
