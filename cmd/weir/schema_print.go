package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/schemas/ddl"
)

func schemaPrintCommand() *cobra.Command {
	var flavour, cluster string
	cmd := &cobra.Command{
		Use: "print", Short: "Print the whole schema, also for a cluster",
		Long: "Prints every migration as SQL, for one server or for a cluster of servers (--flavour replicated or sharded). A cluster needs Keeper,\n" +
			"the macros shard and replica, and stages with clickhouse.migrate: false whose user has the profile weir_stages.",
		Example: "  weir schema print --flavour replicated --cluster mesh | clickhouse-client -mn",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := ddl.Flavour(flavour)
			if !slices.Contains(ddl.Flavours(), f) {
				return cli.UsageError{Err: fmt.Errorf("there is no flavour %q: use one of %v", flavour, ddl.Flavours())}
			}
			if f != ddl.Single && cluster == "" {
				return cli.UsageError{Err: fmt.Errorf("which cluster? give --cluster with a name of system.clusters")}
			}
			statements, err := flavoured(f, cluster)
			if err != nil {
				return err
			}
			for _, sql := range statements {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s;\n\n", sql); err != nil {
					return fmt.Errorf("print schema: %w", err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&flavour, "flavour", string(ddl.Single), "single, replicated or sharded")
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster in system.clusters")
	return cmd
}

// flavoured is the whole schema, statement by statement, as if it were applied to nothing.
func flavoured(f ddl.Flavour, cluster string) (out []string, err error) {
	all, err := ddl.Migrations()
	if err != nil {
		return nil, err
	}
	statements := ddl.Preparation()
	for _, m := range all {
		statements = append(append(statements, m.Statements...), m.Record())
	}
	if profile := f.Profile(cluster); profile != "" {
		out = append(out, profile)
	}
	for _, sql := range statements {
		out = append(out, f.Render(sql, cluster)...)
	}
	return out, nil
}
