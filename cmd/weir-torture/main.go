// Command weir-torture sends telemetry whose truth is known through Weir's built binary, one process for each part, does harm to all of them
// meanwhile, and compares what is counted with the truth. See docs/torture.md. Exit codes are those of weir.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/torture/rename"
)

func main() {
	if code, child := rename.Child(); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func execute(ctx context.Context, args []string, out, log io.Writer) int {
	cmd := newCommand(out, log) //nolint:contextcheck // cobra hands the context to the command
	cmd.SetArgs(args)
	return cli.Run(ctx, cmd, "weir-torture", log)
}
