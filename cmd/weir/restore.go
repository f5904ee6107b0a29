package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
)

func restoreCommand() *cobra.Command {
	var from string
	var storeOnly bool
	cmd := &cobra.Command{
		Use:   "restore --from DIR",
		Short: "Put a backup back, so that what came after it is counted again",
		Long: "Puts a backup into a data directory that does not exist yet. With --store, the directory keeps its log and gets only the windows\n" +
			"and decisions of the backup; the stages then read from where they were when it was made, and count what the store lacks. With\n" +
			"--clickhouse and --kafka it sets the stages back in the same way, after ClickHouse has restored its part; they must not run.",
		Example: "  weir restore --from /backups/monday --data-dir ./weir-data\n" +
			"  weir restore --from /backups/monday --data-dir ./weir-data --store\n" +
			"  weir restore --from /backups/monday --clickhouse ch:8123 --kafka kafka-1:9092",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			external, err := a.external()
			if err != nil {
				return err
			}
			if from == "" {
				return cli.UsageError{Err: errors.New("where from? give --from DIR")}
			}
			m, err := readManifest(from)
			if err != nil {
				return err
			}
			ctx, out := cmd.Context(), cmd.OutOrStdout()
			switch {
			case external:
				return a.withRunningKafka(func(k *kafka.Client) error { return a.setBack(ctx, k, m, out) })
			case storeOnly:
				return a.restoreStore(ctx, from, m, out)
			}
			return a.restoreDirectory(ctx, from, m, out)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`DIR` that weir backup made")
	cmd.Flags().BoolVar(&storeOnly, "store", false, "keep the log of the data directory, restore only what was counted and decided")
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	keyFlag(cmd.Flags(), "kafka", "kafka.addresses")
	return cmd
}

func readManifest(from string) (m manifest, err error) {
	text, err := os.ReadFile(filepath.Join(from, manifestName))
	if err != nil {
		return m, fmt.Errorf("%s is no backup, or one that was not finished: %w", from, err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", manifestName, err)
	}
	return m, nil
}

// restoreDirectory makes a data directory of a backup.
func (a *app) restoreDirectory(ctx context.Context, from string, m manifest, out io.Writer) (err error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, storePart)); err == nil {
		return fmt.Errorf("%s holds data: name another --data-dir, or keep its log with --store", a.cfg.DataDir)
	}
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	var copied manifest
	for _, part := range append(otherParts(), storePart) { // the store last: it is what says that there is data
		if err := copyTree(ctx, filepath.Join(from, part), filepath.Join(a.cfg.DataDir, part), &copied); err != nil {
			return fmt.Errorf("restore %s: %w", part, err)
		}
	}
	if copied.Files != m.Files || copied.Bytes != m.Bytes {
		return fmt.Errorf("the backup had %d files of %d bytes when it was made, and has %d of %d: remove %s, it is not whole",
			m.Files, m.Bytes, copied.Files, copied.Bytes, a.cfg.DataDir)
	}
	_, err = fmt.Fprintf(out, "%s is as it was at %s: `weir up` goes on from there\n", a.cfg.DataDir, m.Made.Format("2006-01-02 15:04:05"))
	return err
}

// restoreStore exchanges the store of a data directory for that of a backup, and sets the stages back. The old store stays beside it.
func (a *app) restoreStore(ctx context.Context, from string, m manifest, out io.Writer) (err error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, "broker")); err != nil {
		return fmt.Errorf("there is no log in %s: restore all of it, without --store", a.cfg.DataDir)
	}
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	store := filepath.Join(a.cfg.DataDir, storePart)
	coming := store + ".coming"
	if err := os.RemoveAll(coming); err != nil { // of a restore that was broken off
		return fmt.Errorf("restore: %w", err)
	}
	if err := copyTree(ctx, filepath.Join(from, storePart), coming, &manifest{}); err != nil {
		return fmt.Errorf("restore %s: %w", storePart, err)
	}
	// Set back first: beside the old store that costs time only, its marks hold what is counted.
	if err := a.withLog(func(k *kafka.Client) error { return a.setBack(ctx, k, m, out) }); err != nil {
		return err
	}
	old := store + ".before-" + m.Made.Format("20060102T150405")
	if err := os.Rename(store, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(coming, store); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	_, err = fmt.Fprintf(out, "the store is as it was at %s, the former one is in %s\n", m.Made.Format("2006-01-02 15:04:05"), old)
	return err
}

// setBack commits the positions of a backup. What the log no longer holds is said: it cannot be counted again.
func (a *app) setBack(ctx context.Context, k *kafka.Client, m manifest, out io.Writer) error {
	return a.sessions(ctx, k, func(group string, s ingest.Session) error {
		for _, at := range s.Assigned() {
			p, ok := positionOf(m, group, at.Source.String())
			if !ok {
				return fmt.Errorf("the backup knows nothing of %s: it is of another log", at.Source)
			}
			if p.Durable < at.First {
				if _, err := fmt.Fprintf(out, "%s: the log begins at offset %d, messages from %d on are lost\n", at.Source, at.First, p.Durable); err != nil {
					return err
				}
			}
			if err := s.Commit(ctx, at.Source, ingest.Position{Restart: p.Restart, Durable: p.Durable}); err != nil {
				return err
			}
		}
		return nil
	})
}

func positionOf(m manifest, group, source string) (savedPosition, bool) {
	for _, p := range m.Positions {
		if p.Group == group && p.Source == source {
			return p, true
		}
	}
	return savedPosition{}, false
}
