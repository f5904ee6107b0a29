package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/internal/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Explain or check the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use:   "explain",
		Short: "Print every key with its meaning, default and current value",
		Long:  "Prints a complete configuration file: every key with its meaning, unit, default, present value and where that came from.",
		Example: "  weir config explain > weir.yaml\n" +
			"  WEIR_KAFKA_COMPRESSION=zstd weir config explain --config weir.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, sources, err := loadConfig(cmd, os.Environ())
			if err != nil {
				return err
			}
			return config.Explain(cmd.OutOrStdout(), cfg, sources)
		},
	}, &cobra.Command{
		Use:     "check [FILE]",
		Short:   "Check a configuration file and the environment",
		Example: "  weir config check weir.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := cmd.Flags().Set("config", args[0]); err != nil {
					return fmt.Errorf("check %s: %w", args[0], err)
				}
			}
			if _, _, err := loadConfig(cmd, os.Environ()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "configuration is valid")
			return err
		},
	})
	return cmd
}
