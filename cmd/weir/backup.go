package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/wire"
)

// manifestName is the file that makes a folder a backup; it is written last.
const manifestName = "backup.json"

// manifest says what a backup holds, and from which place in the log on it has to be counted again.
type manifest struct {
	Made      time.Time       `json:"made"`
	Weir      string          `json:"weir"`
	Files     int             `json:"files"`
	Bytes     int64           `json:"bytes"`
	Positions []savedPosition `json:"positions"`
}

// savedPosition is how far a group had come with one partition before anything was copied.
type savedPosition struct {
	Group   string `json:"group"`
	Source  string `json:"source"`
	Restart int64  `json:"restart"`
	Durable int64  `json:"durable"`
}

func backupCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "backup --to DIR",
		Short: "Copy a data directory, or what a backup of your own servers needs",
		Long: "Copies the data directory of a Weir that does not run: windows and decisions, the log, keys, and how far the stages are. With\n" +
			"--clickhouse and --kafka it notes how far the stages are, while they run, and prints the statements that make ClickHouse copy\n" +
			"its part afterwards. The copy holds the private key that signs: keep it as you keep the key.",
		Example: "  weir backup --data-dir ./weir-data --to /backups/monday\n" +
			"  weir backup --clickhouse ch:8123 --kafka kafka-1:9092 --to /backups/monday > backup.sql",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			external, err := a.external()
			if err != nil {
				return err
			}
			if to == "" {
				return cli.UsageError{Err: errors.New("where to? give --to DIR")}
			}
			if external {
				return a.backupPositions(cmd.Context(), to, cmd.OutOrStdout())
			}
			return a.backupDirectory(cmd.Context(), to, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "folder to make; it must not be there")
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	keyFlag(cmd.Flags(), "kafka", "kafka.addresses")
	return cmd
}

// external reports whether both servers are the user's own. One of each cannot be backed up together.
func (a *app) external() (bool, error) {
	k, c := len(a.cfg.Kafka.Addresses) > 0, a.cfg.ClickHouse.Address != ""
	if k != c {
		return false, cli.UsageError{Err: errors.New("name both --clickhouse and --kafka, or neither: their contents belong together")}
	}
	return k, nil
}

// groups are those whose positions go with the store: what they read again, they write again.
func (a *app) groups() map[string][]string {
	return map[string][]string{a.cfg.Kafka.Group: topicsRead(), groupOf(stageActuator): {wire.TopicDecisions}}
}

// sessions calls do with a session of every group.
func (a *app) sessions(ctx context.Context, k *kafka.Client, do func(group string, s ingest.Session) error) error {
	for group, topics := range a.groups() {
		s, err := k.Direct(group, topics...).Session(ctx)
		if err == nil {
			err = errors.Join(do(group, s), s.Close())
		}
		if err != nil {
			return fmt.Errorf("positions of group %s: %w", group, err)
		}
	}
	return nil
}

// positions reads how far every group is.
func (a *app) positions(ctx context.Context, k *kafka.Client) (all []savedPosition, err error) {
	err = a.sessions(ctx, k, func(group string, s ingest.Session) error {
		for _, at := range s.Assigned() {
			all = append(all, savedPosition{group, at.Source.String(), at.Position.Restart, at.Position.Durable})
		}
		return nil
	})
	return all, err
}

// backupDirectory copies a data directory that nobody uses.
func (a *app) backupDirectory(ctx context.Context, to string, out io.Writer) (err error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, "clickhouse")); err != nil {
		return fmt.Errorf("there is no data in %s: name another --data-dir, or --clickhouse and --kafka", a.cfg.DataDir)
	}
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	m := manifest{Made: time.Now().UTC(), Weir: version}
	if err := a.withLog(func(k *kafka.Client) (err error) { m.Positions, err = a.positions(ctx, k); return err }); err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("make the folder of --to, which must not be there yet: %w", err)
	}
	for _, part := range append([]string{storePart}, otherParts()...) {
		if err := copyTree(ctx, filepath.Join(a.cfg.DataDir, part), filepath.Join(to, part), &m); err != nil {
			return fmt.Errorf("back %s up: %w", part, err)
		}
	}
	if err := writeManifest(to, m); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d files, %d MB in %s\n", m.Files, m.Bytes>>20, to)
	return err
}

// withLog gives body a client of the data directory's broker, which is started for the call. The directory is locked already.
func (a *app) withLog(body func(*kafka.Client) error) error {
	b, err := a.startBroker()
	if err != nil {
		return err
	}
	defer b.Close()
	k, err := kafka.New(a.kafkaConfig([]string{b.Addr()}))
	if err != nil {
		return err
	}
	defer k.Close()
	return body(k)
}

// backupStatements copy ClickHouse's part, in this order: positions first, because they must not be ahead of what is decided.
const backupStatements = `BACKUP TABLE weir.positions TO Disk('backups', '%[1]s/positions');
BACKUP DATABASE weir EXCEPT TABLES weir.positions TO Disk('backups', '%[1]s/data');
`

// backupPositions notes how far the stages are; what ClickHouse copies afterwards holds at least that.
func (a *app) backupPositions(ctx context.Context, to string, out io.Writer) error {
	m := manifest{Made: time.Now().UTC(), Weir: version}
	err := a.withRunningKafka(func(k *kafka.Client) (err error) { m.Positions, err = a.positions(ctx, k); return err })
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("make the folder of --to, which must not be there yet: %w", err)
	}
	if err := writeManifest(to, m); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, backupStatements, filepath.Base(to))
	return err
}

func writeManifest(to string, m manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(to, manifestName), append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", manifestName, err)
	}
	return nil
}
