// Package cli is what Weir's programs have in common: exit codes, what wrong usage looks like, and flags with few values.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	Done        = 0
	Failed      = 1
	Refused     = 2 // a guardrail said no
	Approval    = 3 // somebody must approve first
	Usage       = 4
	Interrupted = 130
)

// UsageError is a mistake in how a command was called.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// RefusedError is a guardrail's no: nothing was changed, or nothing more.
type RefusedError struct{ Err error }

func (e RefusedError) Error() string { return e.Err.Error() }
func (e RefusedError) Unwrap() error { return e.Err }

// Run runs the command line that root was given, tells errors on log under the program's name, and returns the exit code.
func Run(ctx context.Context, root *cobra.Command, name string, log io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return Done
	}
	code := codeOf(err)
	if code == Failed && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		code, err = Interrupted, errors.New("interrupted")
	}
	fmt.Fprintf(log, "%s: %v\n", name, err)
	return code
}

func codeOf(err error) int {
	var usage UsageError
	var refused RefusedError
	switch {
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		return Usage
	case errors.As(err, &refused):
		return Refused
	}
	return Failed
}

// Strict makes wrong flags and arguments of root and every command below it usage errors. A command without Args takes none, and one that is
// there for those below it prints its help.
func Strict(root *cobra.Command) {
	root.SetFlagErrorFunc(usageOf)
	strict(root)
}

func strict(above *cobra.Command) {
	for _, c := range above.Commands() {
		check := c.Args
		if check == nil {
			check = cobra.NoArgs
		}
		if c.HasSubCommands() && !c.Runnable() {
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() } // so that a word that is no command is an error
		}
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageOf(cmd, err)
			}
			return nil
		}
		strict(c)
	}
}

func usageOf(cmd *cobra.Command, err error) error {
	return UsageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
}
