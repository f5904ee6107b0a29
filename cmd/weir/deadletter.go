package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/wire"
)

func deadletterCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{Use: "deadletter", Short: "Look at what could not be read"}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List dead letters: when, where and why",
		Example: "  weir deadletter list\n  weir deadletter list -o json | jq .reason",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.withKafka(cmd.Context(), func(k *kafka.Client) error {
				letters, err := deadLetters(cmd.Context(), k)
				if err != nil {
					return err
				}
				return printLetters(cmd.OutOrStdout(), letters, output)
			})
		},
	}
	cli.Output(list.Flags(), &output, "text or json", "text", "json")
	keyFlag(list.Flags(), "kafka", "kafka.addresses")
	cmd.AddCommand(list)
	return cmd
}

// withKafka gives body a client of the cluster configured, of the running Weir, or of a broker started for the call.
func (a *app) withKafka(ctx context.Context, body func(*kafka.Client) error) (err error) {
	addresses := a.cfg.Kafka.Addresses
	if len(addresses) == 0 {
		running, live, err := lock.ReadAddresses(a.cfg.DataDir)
		if err != nil {
			return err
		}
		if !live || running.Kafka == "" {
			return a.withOwnBroker(body)
		}
		addresses = []string{running.Kafka}
	}
	k, err := kafka.New(a.kafkaConfig(addresses))
	if err != nil {
		return err
	}
	defer k.Close()
	return body(k)
}

// withRunningKafka gives body a client of the cluster configured or of the running Weir.
func (a *app) withRunningKafka(body func(*kafka.Client) error) error {
	addresses := a.cfg.Kafka.Addresses
	if len(addresses) == 0 {
		running, live, err := lock.ReadAddresses(a.cfg.DataDir)
		if err != nil {
			return err
		}
		if !live || running.Kafka == "" {
			return fmt.Errorf("no Weir runs on %s: start it with `weir up`, or name --kafka", a.cfg.DataDir)
		}
		addresses = []string{running.Kafka}
	}
	k, err := kafka.New(a.kafkaConfig(addresses))
	if err != nil {
		return err
	}
	defer k.Close()
	return body(k)
}

func (a *app) withOwnBroker(body func(*kafka.Client) error) (err error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, "broker")); err != nil {
		return fmt.Errorf("there is no log in %s: run `weir up` or `weir replay` on it first, or name another --data-dir", a.cfg.DataDir)
	}
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	return a.withLog(body)
}

// letter is one dead letter as people see it.
type letter struct {
	Time   time.Time `json:"time"`
	Stage  string    `json:"stage"`
	Source string    `json:"source,omitempty"`
	Offset string    `json:"offset,omitempty"`
	Reason string    `json:"reason"`
	Events string    `json:"events,omitempty"`
	Bytes  int       `json:"bytes"`
	Value  []byte    `json:"value"`
}

// deadLetters reads the topic. A letter that was written twice, because its writer crashed, shows once.
func deadLetters(ctx context.Context, k *kafka.Client) ([]letter, error) {
	var all []letter
	seen := map[string]bool{}
	n, err := k.Partitions(ctx, wire.TopicDeadLetter)
	if err != nil {
		return nil, err
	}
	for p := range n {
		err := k.Read(ctx, wire.TopicDeadLetter, p, 0, false, func(m ingest.Message) bool {
			l := letterOf(m)
			key := l.Source + " " + l.Offset
			if l.Offset == "" || !seen[key] {
				seen[key] = true
				all = append(all, l)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func letterOf(m ingest.Message) letter {
	l := letter{Time: m.Time.UTC(), Bytes: len(m.Value), Value: m.Value}
	l.Stage, _ = wire.Find(m.Headers, wire.HeaderStage)
	l.Source, _ = wire.Find(m.Headers, wire.HeaderSource)
	l.Offset, _ = wire.Find(m.Headers, wire.HeaderOffset)
	l.Reason, _ = wire.Find(m.Headers, wire.HeaderReason)
	l.Events, _ = wire.Find(m.Headers, wire.HeaderEvents)
	return l
}

func printLetters(out io.Writer, letters []letter, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		for _, l := range letters {
			if err := enc.Encode(l); err != nil {
				return fmt.Errorf("print dead letters: %w", err)
			}
		}
		return nil
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tSTAGE\tSOURCE\tOFFSET\tREASON\tBYTES\tBEGINS WITH")
	for _, l := range letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%.60q\n", l.Time.Format(time.DateTime), l.Stage, l.Source, l.Offset, l.Reason, l.Bytes, l.Value)
	}
	return w.Flush()
}
