package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
)

func loadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "load", Short: "Show and change what comes in from outside",
		Example: "  weir lab load show\n  weir lab load rate 2      # twice what the lab file says\n  weir lab load pause       # answers when nothing is under way any more\n  weir lab load resume",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "show", Short: "Print what was sent and how it was answered, as JSON", Example: "  weir lab load show",
			RunE: func(cmd *cobra.Command, _ []string) error { return askLoad(cmd, http.MethodGet, "/counts", nil) },
		},
		&cobra.Command{
			Use: "rate FACTOR", Short: "Multiply the load of the lab file", Example: "  weir lab load rate 2", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				factor, err := strconv.ParseFloat(args[0], 64)
				if err != nil || !(factor >= 0 && factor <= 1000) {
					return cli.UsageError{Err: fmt.Errorf("factor %q is no number from 0 to 1000", args[0])}
				}
				return askLoad(cmd, http.MethodPut, "/rate", map[string]float64{"factor": factor})
			},
		},
		&cobra.Command{
			Use: "pause", Short: "Send nothing, and wait until everything is answered", Example: "  weir lab load pause",
			RunE: func(cmd *cobra.Command, _ []string) error { return askLoad(cmd, http.MethodPut, "/pause", nil) },
		},
		&cobra.Command{
			Use: "resume", Short: "Send again", Example: "  weir lab load resume",
			RunE: func(cmd *cobra.Command, _ []string) error { return askLoad(cmd, http.MethodPut, "/resume", nil) },
		},
	)
	return cmd
}

func askLoad(cmd *cobra.Command, method, path string, in any) error {
	lab, _, err := clientOf(cmd)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := lab.Load(cmd.Context(), method, path, in, &answer); err != nil {
		return err
	}
	if len(answer) == 0 {
		return nil
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", answer)
	return err
}
