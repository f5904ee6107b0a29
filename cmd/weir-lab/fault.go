package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/spec"
)

func faultCommand() *cobra.Command {
	var f control.NewFault
	cmd := &cobra.Command{
		Use:   "fault KIND",
		Short: "Break something, or do something innocent, on purpose",
		Long: "Begins a fault, which lasts for --for or until `weir lab fault end`. What was done, where, and when is written to truth.jsonl in the\n" +
			"lab's folder. `weir lab fault list` shows all kinds with what their --size means.",
		Example: "  weir lab fault list\n  weir lab fault delay --service catalog --size 200 --for 1m\n  weir lab fault bad_release --service catalog --version v2 --size 0.3\n" +
			"  weir lab fault flash_crowd --size 3 --for 2m\n  weir lab fault end all",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return kindNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			info, ok := spec.FaultKind(args[0]).Info()
			if !ok {
				return cli.UsageError{Err: fmt.Errorf("there is no fault %q: `weir lab fault list` shows them", args[0])}
			}
			f.Kind = info.Kind
			if !cmd.Flags().Changed("size") {
				f.Size = info.Default
			}
			return begin(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Service, "service", "", "service it happens to")
	flags.StringVar(&f.Version, "version", "", "only this version of it")
	flags.StringVar(&f.Instance, "instance", "", "only this pod of it")
	flags.StringVar(&f.Region, "region", "", "region it happens in")
	flags.StringVar(&f.To, "to", "", "the dependency that it is about")
	flags.Float64Var(&f.Size, "size", 0, "how much; what it means depends on the kind (default: the kind's own)")
	flags.DurationVar(&f.Length, "for", 0, "how long; 0 until it is ended")
	cmd.AddCommand(faultListCommand(), faultEndCommand())
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range spec.Kinds() {
		names = append(names, string(k.Kind)+"\t"+k.Summary)
	}
	return names
}

func begin(cmd *cobra.Command, f control.NewFault) error {
	if f.Length < 0 {
		return cli.UsageError{Err: errors.New("--for must not be negative")}
	}
	lab, _, err := clientOf(cmd)
	if err != nil {
		return err
	}
	held, err := lab.Fault(cmd.Context(), f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds %s\n", held.ID, duration(held))
	return err
}

func duration(h control.Fault) string {
	if h.Until.IsZero() {
		return "until `weir lab fault end " + h.ID + "`"
	}
	return "until " + h.Until.Format(time.TimeOnly) + " UTC"
}

func faultListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show every kind of fault, and which hold now", Example: "  weir lab fault list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := printKinds(cmd.OutOrStdout()); err != nil {
				return err
			}
			lab, _, err := clientOf(cmd)
			if err != nil {
				return err
			}
			s, err := lab.Status(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				return nil
			}
			if err != nil {
				return err
			}
			return printHeld(cmd.OutOrStdout(), s.Faults)
		},
	}
}

func printKinds(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tCLASS\tNEEDS\tSIZE\tDEFAULT\tWHAT HAPPENS")
	for _, k := range spec.Kinds() {
		needs, size, usual := "-", "-", "-"
		if k.Target != "" {
			needs = "--" + strings.ReplaceAll(k.Target, ", ", " --")
		}
		if k.Size != "" {
			size, usual = k.Size, fmt.Sprint(k.Default)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Kind, k.Class, needs, size, usual, k.Summary)
	}
	return w.Flush()
}

func printHeld(out io.Writer, held []control.Fault) error {
	if len(held) == 0 {
		_, err := fmt.Fprintln(out, "\nNo fault holds.")
		return err
	}
	fmt.Fprintln(out, "\nThese hold:")
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for _, h := range held {
		fmt.Fprintf(w, "  %s\tsince %s\t%s\t%s\n", h.ID, h.From.Format(time.TimeOnly), duration(h), targetOf(h.Fault))
	}
	return w.Flush()
}

// targetOf says in words what a fault is about.
func targetOf(f spec.Fault) string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"service", f.Service}, {"version", f.Version}, {"instance", f.Instance}, {"region", f.Region}, {"to", f.To},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("size %g", f.Size)), ", ")
}

func faultEndCommand() *cobra.Command {
	return &cobra.Command{
		Use: "end ID|all", Short: "End a fault, or all of them", Example: "  weir lab fault end delay-1\n  weir lab fault end all", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, _, err := clientOf(cmd)
			if err != nil {
				return err
			}
			ids, err := toEnd(cmd.Context(), lab, args[0])
			if err != nil {
				return err
			}
			for _, id := range ids {
				t, err := lab.EndFault(cmd.Context(), id)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s ended after %s\n", id, t.To.Sub(t.From).Round(time.Second))
			}
			return nil
		},
	}
}

func toEnd(ctx context.Context, lab *control.Client, id string) ([]string, error) {
	if id != "all" {
		return []string{id}, nil
	}
	s, err := lab.Status(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, h := range s.Faults {
		ids = append(ids, h.ID)
	}
	slices.Sort(ids)
	return ids, nil
}
