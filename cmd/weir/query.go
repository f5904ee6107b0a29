package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/store/clickhouse"
)

// formats are the short names of ClickHouse's formats.
func formats() map[string]string {
	return map[string]string{
		"table": "PrettyCompactMonoBlock", "csv": "CSVWithNames", "tsv": "TabSeparatedWithNames", "json": "JSONEachRow", "vertical": "Vertical",
	}
}

func queryCommand() *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Ask ClickHouse in SQL",
		Long: "Runs one statement against the windows: on the running Weir of this data directory, on --clickhouse, or on an engine that is\n" +
			"started read-only for the call. SQL comes as an argument, from --file, or from standard input.\n\n" +
			"Tables to ask: service_windows, edge_windows, instance_windows (10 s; with _1m and _1h for longer ones), samples, gaps,\n" +
			"forecasts, findings, finding_revisions, decisions, outcomes.",
		Example: "  weir query 'SELECT workload, sum(calls) FROM service_windows GROUP BY workload ORDER BY 2 DESC'\n" +
			"  weir query -o csv 'SELECT * FROM edge_windows_1m' > edges.csv\n" +
			"  echo 'SHOW TABLES' | weir query",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			sql, err := statement(args, file, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if name, ok := formats()[format]; ok {
				format = name
			}
			return a.query(cmd.Context(), sql, format, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table, csv, tsv, json, vertical, or the name of any ClickHouse format")
	cmd.Flags().StringVarP(&file, "file", "f", "", "read the statement from this file")
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	keyFlag(cmd.Flags(), "library", "clickhouse.library")
	return cmd
}

// statement finds the SQL: the argument, the file, or standard input.
func statement(args []string, file string, in io.Reader) (string, error) {
	var text []byte
	var err error
	switch {
	case len(args) == 1 && file != "":
		return "", cli.UsageError{Err: errors.New("give the statement as an argument or with --file, not both")}
	case len(args) == 1:
		return args[0], nil
	case file != "":
		text, err = os.ReadFile(file)
	default:
		text, err = io.ReadAll(in)
	}
	if err != nil {
		return "", fmt.Errorf("read statement: %w", err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", cli.UsageError{Err: errors.New("there is no statement to run")}
	}
	return string(text), nil
}

func (a *app) query(ctx context.Context, sql, format string, out io.Writer) (err error) {
	address, stop, err := a.anyClickHouse(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cfg, err := a.clickhouseConfig(address)
	if err != nil {
		return err
	}
	return clickhouse.Query(ctx, cfg, sql, format, out)
}

// anyClickHouse returns the address of a server that has this data directory's windows: the one configured, the one that runs, or one
// started for the call.
func (a *app) anyClickHouse(ctx context.Context) (address string, stop func() error, err error) {
	none := func() error { return nil }
	if a.cfg.ClickHouse.Address != "" {
		return a.cfg.ClickHouse.Address, none, nil
	}
	running, live, err := lock.ReadAddresses(a.cfg.DataDir)
	if err != nil {
		return "", nil, err
	}
	if live && running.ClickHouse != "" {
		return running.ClickHouse, none, nil
	}
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, "clickhouse")); err != nil {
		return "", nil, fmt.Errorf("there is no data in %s: run `weir up` or `weir replay` on it first, or name another --data-dir", a.cfg.DataDir)
	}
	child, err := a.startClickHouse(ctx, true)
	if err != nil {
		return "", nil, err
	}
	return child.Addr(), func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		return child.Stop(ctx)
	}, nil
}

// withStore gives body a client of the server that has this data directory's windows.
func (a *app) withStore(ctx context.Context, body func(*clickhouse.Client) error) (err error) {
	address, stop, err := a.anyClickHouse(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cfg, err := a.clickhouseConfig(address)
	if err != nil {
		return err
	}
	c, err := clickhouse.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := body(c); clickhouse.IsUnknownTable(err) {
		return fmt.Errorf("this data was written by a weir that did not decide yet: run `weir up` on it once: %w", err)
	} else if err != nil {
		return err
	}
	return nil
}
