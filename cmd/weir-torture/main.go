// Command weir-torture sends telemetry whose truth is known through Weir's built binary, one process for each part, does harm to all of them
// meanwhile, and compares what is counted with the truth. See docs/torture.md. Exit codes are those of weir.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirmesh/weir/torture/rename"
	"github.com/weirmesh/weir/torture/run"
)

// Exit codes, as in weir.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 4
	exitInterrupted = 130
)

// usageError is a mistake in how the command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

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
	err := cmd.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage) || errors.Is(err, run.ErrConfig):
		fmt.Fprintf(log, "weir-torture: %v\n", err)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(log, "weir-torture: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(log, "weir-torture: %v\n", err)
	return exitError
}
