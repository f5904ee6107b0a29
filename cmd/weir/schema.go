package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/ddl"
	"github.com/weirmesh/weir/store/clickhouse"
)

func schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Look at the schema in ClickHouse, and bring it up to date",
		Long: "Stages bring the schema up to date when they start. Where their user may not (clickhouse.migrate: false), somebody who may runs\n" +
			"`weir schema apply` before a new version is rolled out, and the stages only check.",
	}
	cmd.AddCommand(schemaVersionCommand(), schemaPlanCommand(), schemaApplyCommand(), schemaPrintCommand())
	return cmd
}

func schemaVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Say which version the schema has, and which this weir wants",
		Example: "  weir schema version --clickhouse ch:8123\n  weir schema version -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchema(cmd, (*app).withStore, func(ctx context.Context, _ *app, c *clickhouse.Client) error {
				at, err := c.SchemaVersion(ctx)
				if err != nil {
					return err
				}
				return printVersion(cmd.OutOrStdout(), at, output)
			})
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	schemaFlags(cmd)
	return cmd
}

// printVersion says which version the schema has and which it should have.
func printVersion(out io.Writer, at int, output string) error {
	all, err := ddl.Migrations()
	if err != nil {
		return err
	}
	if output == "json" {
		return json.NewEncoder(out).Encode(map[string]int{"schema": at, "weir": len(all)})
	}
	_, err = fmt.Fprintf(out, "the schema has version %d, this weir knows %d\n", at, len(all))
	return err
}

func schemaPlanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "Print the statements that `weir schema apply` would run",
		Long: "Prints SQL: the statements of every migration that the schema lacks, in order, each followed by the one that records it. Any\n" +
			"ClickHouse client can run it. Every statement may run twice. No SQL is printed if the schema is up to date.",
		Example: "  weir schema plan --clickhouse ch:8123 > upgrade.sql",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchema(cmd, (*app).withStore, func(ctx context.Context, _ *app, c *clickhouse.Client) error {
				pending, err := c.Pending(ctx)
				if err != nil {
					return err
				}
				if len(pending) == 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), "nothing to do: the schema is up to date")
				}
				return printMigrations(cmd.OutOrStdout(), pending)
			})
		},
	}
	schemaFlags(cmd)
	return cmd
}

// printMigrations writes migrations as one SQL script.
func printMigrations(out io.Writer, all []ddl.Migration) error {
	if len(all) == 0 {
		return nil
	}
	for _, sql := range ddl.Preparation() {
		if _, err := fmt.Fprintf(out, "%s;\n\n", sql); err != nil {
			return fmt.Errorf("print schema: %w", err)
		}
	}
	for _, m := range all {
		if _, err := fmt.Fprintf(out, "-- %s\n", m.Name); err != nil {
			return fmt.Errorf("print schema: %w", err)
		}
		for _, sql := range append(m.Statements, m.Record()) {
			if _, err := fmt.Fprintf(out, "%s;\n\n", sql); err != nil {
				return fmt.Errorf("print schema: %w", err)
			}
		}
	}
	return nil
}

func schemaApplyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apply", Short: "Bring schema and retention up to date",
		Long: "Runs what `weir schema plan` prints, and sets how long each table keeps its rows (clickhouse.retention and the keys after it). It\n" +
			"may be run again after any error, and beside stages that run. A schema that a newer weir wrote is refused.",
		Example: "  WEIR_CLICKHOUSE_USER=admin WEIR_CLICKHOUSE_PASSWORD_FILE=admin.password weir schema apply --clickhouse ch:8123",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchema(cmd, (*app).withWritableStore, func(ctx context.Context, a *app, c *clickhouse.Client) error {
				a.cfg.ClickHouse.Migrate = true
				before, err := c.SchemaVersion(ctx)
				if err != nil {
					return err
				}
				if err := a.prepareSchema(ctx, c); err != nil {
					return err
				}
				if err := a.setRetention(ctx, c); err != nil {
					return err
				}
				after, err := c.SchemaVersion(ctx)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the schema had version %d and has %d\n", before, after)
				return err
			})
		},
	}
	schemaFlags(cmd)
	return cmd
}

func schemaFlags(cmd *cobra.Command) {
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	keyFlag(cmd.Flags(), "library", "clickhouse.library")
}

// withSchema gives body the store that with opens for a command.
func withSchema(
	cmd *cobra.Command, with func(*app, context.Context, func(*clickhouse.Client) error) error,
	body func(context.Context, *app, *clickhouse.Client) error,
) error {
	a, err := newTool(cmd)
	if err != nil {
		return err
	}
	return with(a, cmd.Context(), func(c *clickhouse.Client) error { return body(cmd.Context(), a, c) })
}

// withWritableStore gives body a client of the server configured, of the running Weir, or of an engine started for the call.
func (a *app) withWritableStore(ctx context.Context, body func(*clickhouse.Client) error) (err error) {
	if _, live, err := lock.ReadAddresses(a.cfg.DataDir); err != nil {
		return err
	} else if live || a.cfg.ClickHouse.Address != "" {
		return a.withStore(ctx, body)
	}
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	child, err := a.startClickHouse(ctx, false)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, child.Stop(ctx))
	}()
	c, err := clickhouse.New(clickhouse.Config{Address: child.Addr()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return body(c)
}

// prepareSchema brings the schema up to date, or checks it where this process may not change it.
func (a *app) prepareSchema(ctx context.Context, c *clickhouse.Client) error {
	cfg := a.cfg.ClickHouse
	if !cfg.Migrate {
		return c.CheckSchema(ctx)
	}
	return c.Migrate(ctx)
}

// setRetention makes the tables keep their rows as this configuration says. Only who writes windows does it, so that a stage or a tool with
// another configuration does not drop what is to be kept.
func (a *app) setRetention(ctx context.Context, c *clickhouse.Client) error {
	cfg := a.cfg.ClickHouse
	if !cfg.Migrate {
		return nil
	}
	keep := clickhouse.Retention{
		Short: cfg.Retention, Minutes: cfg.Minutes, Hours: cfg.Hours, Forecasts: cfg.Forecasts, Decisions: cfg.Decisions, Spans: cfg.Spans,
	}
	return a.unbroken(ctx, "set how long rows stay", func(ctx context.Context) error { return c.SetRetention(ctx, keep) })
}
