package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/store/clickhouse"
)

// refusedf is a guardrail's no.
func refusedf(format string, args ...any) error {
	return cli.RefusedError{Err: fmt.Errorf(format, args...)}
}

func topicsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "Make, compare and change the Kafka topics, and print the rights that stages need"}
	cmd.AddCommand(topicsPlanCommand(), topicsApplyCommand(), topicsMigrateCommand(), topicsACLsCommand())
	return cmd
}

func topicsPlanCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Compare the topics with the configuration",
		Long: "Shows for each topic whether it is there, its partitions, copies and settings, what differs from the configuration, and what may\n" +
			"lose messages. It changes nothing.",
		Example: "  weir topics plan --kafka kafka-1:9092\n  weir topics plan -o json | jq '.[].risks[]?'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.withRunningKafka(func(k *kafka.Client) error {
				plan, err := a.planTopics(cmd.Context(), k)
				if err != nil {
					return err
				}
				return plan.print(cmd.OutOrStdout(), output)
			})
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	keyFlag(cmd.Flags(), "kafka", "kafka.addresses")
	return cmd
}

func topicsApplyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make missing topics, and set what differs from the configuration",
		Long: "Does what `weir topics plan` shows: makes the topics that are missing and sets retention and the like. It never changes a number\n" +
			"of partitions or copies. A shorter retention deletes what is older.",
		Example: "  weir topics apply --kafka kafka-1:9092 --config weir.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.withRunningKafka(func(k *kafka.Client) error { return a.applyTopics(cmd.Context(), k, cmd.OutOrStdout()) })
		},
	}
	keyFlag(cmd.Flags(), "kafka", "kafka.addresses")
	return cmd
}

func topicsMigrateCommand() *cobra.Command {
	m := migration{}
	yes := false
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Change the number of partitions of weir.calls and weir.samples",
		Long: "Moves weir.calls and weir.samples to kafka.partitions so that every call is still counted exactly once. Stop the collectors first and\n" +
			"leave features running: the command ends every partition's stream, waits until features has counted all of it, asks to stop\n" +
			"features, and changes the topics. More partitions are added, and the log stays. For fewer the topics are made anew, and their\n" +
			"log, which is counted by then, is gone. Without --yes it only says what it would do. It can be interrupted and run again.",
		Example: "  weir topics migrate --partitions 128 --kafka kafka-1:9092 --clickhouse ch:8123\n" +
			"  weir topics migrate --partitions 128 --kafka kafka-1:9092 --clickhouse ch:8123 --yes --wait 10m\n" +
			"  weir topics migrate --made-anew --yes    # the topics were deleted and made again by somebody",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			m.app, m.out, m.dry = a, cmd.OutOrStdout(), !yes
			return a.withCluster(cmd.Context(), func(k *kafka.Client, s *clickhouse.Client) error {
				m.kafka, m.store = k, s
				return m.run(cmd.Context())
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&yes, "yes", false, "do it; without, only say what would be done")
	f.BoolVar(&m.anew, "made-anew", false, "the topics were deleted and made again: count their new log from its start")
	f.DurationVar(&m.quiet, "quiet", 10*time.Second, "how long nobody may write before it counts as silence")
	keyFlag(f, "partitions", "kafka.partitions")
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	return cmd
}

func topicsACLsCommand() *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "acls [ROLE]",
		Short: "Print the rights that each stage needs, as lines for kafka-acls.sh",
		Long: "Prints scripts that give the users of the stages exactly the rights they need, one user for each: <prefix>collector,\n" +
			"<prefix>features and so on. With a role, only that one's. deploy/kafka/acls holds them for the prefix User:weir-.",
		Example: "  weir topics acls\n  weir topics acls features --principal-prefix 'User:CN=weir-'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.printACLs(cmd.OutOrStdout(), prefix, args)
		},
	}
	cmd.Flags().StringVar(&prefix, "principal-prefix", "User:weir-", "what the names of the users begin with")
	return cmd
}

func (a *app) printACLs(out io.Writer, prefix string, only []string) error {
	roles := kafka.Roles(a.cfg.Kafka.Group)
	if len(only) > 0 {
		role, err := kafka.RoleOf(a.cfg.Kafka.Group, only[0])
		if err != nil {
			var names []string
			for _, r := range roles {
				names = append(names, r.Name)
			}
			return cli.UsageError{Err: fmt.Errorf("%w: %s", err, strings.Join(names, ", "))}
		}
		roles = slices.Insert([]kafka.Role(nil), 0, role)
	}
	for _, r := range roles {
		if _, err := io.WriteString(out, r.Script(prefix+r.Name)); err != nil {
			return fmt.Errorf("print rights: %w", err)
		}
	}
	return nil
}

// withCluster gives body clients of the Kafka and the ClickHouse that are configured.
func (a *app) withCluster(ctx context.Context, body func(*kafka.Client, *clickhouse.Client) error) (err error) {
	if len(a.cfg.Kafka.Addresses) == 0 || a.cfg.ClickHouse.Address == "" {
		return cli.UsageError{Err: errors.New("where are Kafka and ClickHouse? give --kafka and --clickhouse host:port; the embedded broker's topics keep their partitions")}
	}
	k, err := kafka.New(a.kafkaConfig(a.cfg.Kafka.Addresses))
	if err != nil {
		return cli.UsageError{Err: err}
	}
	defer k.Close()
	s, err := a.connectStore(ctx, a.cfg.ClickHouse.Address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return body(k, s)
}
