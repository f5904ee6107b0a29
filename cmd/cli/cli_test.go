package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
)

// program is a command with a group below it, whose command says what it is told to.
func program(says error) *cobra.Command {
	var form string
	root := &cobra.Command{Use: "tool", SilenceErrors: true, SilenceUsage: true}
	group, one := &cobra.Command{Use: "group"}, &cobra.Command{Use: "one", RunE: func(*cobra.Command, []string) error { return says }}
	cli.Output(one.Flags(), &form, "text or json", "text", "json")
	group.AddCommand(one)
	root.AddCommand(group)
	root.SetOut(io.Discard)
	cli.Strict(root)
	return root
}

func TestExitCodes(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		args string
		ctx  context.Context
		says error
		code int
		log  string
	}{
		{"group one", t.Context(), nil, cli.Done, ""},
		{"group one -o json", t.Context(), nil, cli.Done, ""},
		{"group", t.Context(), nil, cli.Done, ""},
		{"group one", t.Context(), errors.New("no"), cli.Failed, "tool: no\n"},
		{"group one", t.Context(), context.Canceled, cli.Failed, "tool: context canceled\n"},
		{"group one", over, fmt.Errorf("wait: %w", context.Canceled), cli.Interrupted, "tool: interrupted\n"},
		{"group one", t.Context(), cli.RefusedError{Err: errors.New("not now")}, cli.Refused, "tool: not now\n"},
		{"group one", t.Context(), fmt.Errorf("x: %w", cli.UsageError{Err: errors.New("so not")}), cli.Usage, "tool: x: so not\n"},
		{"group one -o yaml", t.Context(), nil, cli.Usage, `output "yaml" is not known: text or json (see ` + "`tool group one --help`"},
		{"group one two", t.Context(), nil, cli.Usage, "(see `tool group one --help`)"},
		{"group two", t.Context(), nil, cli.Usage, `unknown command "two"`},
		{"two", t.Context(), nil, cli.Usage, `unknown command "two"`},
		{"group one --flag", t.Context(), nil, cli.Usage, "unknown flag: --flag (see"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var log strings.Builder
			root := program(tt.says)
			root.SetArgs(strings.Fields(tt.args))
			if code := cli.Run(tt.ctx, root, "tool", &log); code != tt.code || !strings.Contains(log.String(), tt.log) {
				t.Errorf("code %d, log %q; want %d and %q", code, log.String(), tt.code, tt.log)
			}
		})
	}
}
