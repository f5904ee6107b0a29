// Command weir-lab runs a real Istio mesh on loopback, without containers, and Weir beside it. People call it as `weir lab`.
// Exit codes are those of weir.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

// Exit codes, as in weir.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 4
	exitInterrupted = 130
)

// usageError is a mistake in how a command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, log io.Writer) int {
	root := newRoot(out, log) //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(log, "weir lab: %v\n", err)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(log, "weir lab: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(log, "weir lab: %v\n", err)
	return exitError
}

func newRoot(out, log io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "A real Istio mesh on this machine, with faults on a dial",
		Long: "A Kubernetes control plane, istiod, stock Envoys and small services on loopback, without containers, with load from outside and\n" +
			"Weir beside them. Everything the lab starts ends with `weir lab down`, whatever happened in between. docs/lab.md says what is real\n" +
			"in it and what is stood in for.",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "weir lab"},
		Example: "  weir lab up                         # a shop with a dozen services\n  weir lab up --file mine.yaml        # your own mesh; `weir lab example` prints one\n" +
			"  weir lab fault delay --service catalog --size 200 --for 1m\n  weir lab compare                    # what was sent against what Weir counted\n  weir lab down",
	}
	root.SetOut(out)
	root.SetErr(log)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
	})
	root.PersistentFlags().String("dir", "", "folder of the lab: its tools and, in run/, all that a running lab keeps\n(default $WEIR_LAB_CACHE, or weir/lab in your cache folder)")
	root.AddCommand(
		upCommand(), downCommand(), statusCommand(), exampleCommand(), faultCommand(), loadCommand(), compareCommand(), costCommand(),
		recordCommand(), kubectlCommand(), tracingCommand(), superviseCommand(), serviceCommand(), generateCommand(),
	)
	root.CompletionOptions.DisableDefaultCmd = true // `weir completion` completes this too
	checkUsage(root)
	return root
}

// checkUsage makes wrong arguments of every command below root usage errors.
func checkUsage(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			c.Args, c.RunE = cobra.ArbitraryArgs, subCommandOnly
		}
		check := c.Args
		if check == nil && !c.HasSubCommands() {
			check = cobra.NoArgs
		}
		if check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
				}
				return nil
			}
		}
		checkUsage(c)
	}
}

// subCommandOnly is what a command does that is there for its sub-commands.
func subCommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command %q for %q (see `%s --help`)", args[0], cmd.CommandPath(), cmd.CommandPath())}
	}
	return cmd.Help()
}
