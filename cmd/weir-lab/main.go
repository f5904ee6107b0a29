// Command weir-lab runs a real Istio mesh on loopback, without containers, and Weir beside it. People call it as `weir lab`.
// Exit codes are those of weir.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, log io.Writer) int {
	root := newRoot(out, log) //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	return cli.Run(ctx, root, "weir lab", log)
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
	root.PersistentFlags().String("dir", "", "folder of the lab: its tools and, in run/, all that a running lab keeps\n(default $WEIR_LAB_CACHE, or weir/lab in your cache folder)")
	root.AddCommand(
		upCommand(), downCommand(), statusCommand(), exampleCommand(), faultCommand(), loadCommand(), compareCommand(), costCommand(),
		recordCommand(), kubectlCommand(), tracingCommand(), superviseCommand(), serviceCommand(), generateCommand(),
	)
	root.CompletionOptions.DisableDefaultCmd = true // `weir completion` completes this too
	cli.Strict(root)
	return root
}
