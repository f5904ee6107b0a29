package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/store/embedded"
)

func collectorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "collector",
		Short:   "Take OTLP and write calls and samples to Kafka",
		Example: "  weir collector --kafka kafka-1:9092\n  weir collector --kafka kafka-1:9092 --grpc 0.0.0.0:4317 --config tls.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newStage(cmd, "collector", "kafka")
			if err != nil {
				return err
			}
			if len(a.cfg.Kafka.Addresses) == 0 {
				return usageError{errors.New("where is Kafka? give --kafka host:port, or run everything with `weir up`")}
			}
			return a.withOps(cmd.Context(), func() error {
				k, err := a.connectKafka(cmd.Context(), a.cfg.Kafka.Addresses)
				if err != nil {
					return err
				}
				k.Close() // the exporter brings its own connections; this one made sure of the topics
				a.ready.Set("kafka", nil)
				return a.runCollector(cmd.Context(), a.cfg.Kafka.Addresses)
			})
		},
	}
	f := cmd.Flags()
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "grpc", "collector.grpc")
	keyFlag(f, "http", "collector.http")
	keyFlag(f, "ops", "ops.listen")
	return cmd
}

func featuresCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "features",
		Short:   "Join calls, add them up into windows, write them to ClickHouse",
		Long:    "Runs one worker of the consumer group kafka.group. Start as many as there are partitions, at most.",
		Example: "  weir features --kafka kafka-1:9092 --clickhouse ch:8123",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newStage(cmd, "kafka", "clickhouse", "features")
			if err != nil {
				return err
			}
			if len(a.cfg.Kafka.Addresses) == 0 || a.cfg.ClickHouse.Address == "" {
				return usageError{errors.New("where are Kafka and ClickHouse? give --kafka and --clickhouse host:port, or run everything with `weir up`")}
			}
			return a.withOps(cmd.Context(), func() error { return a.features(cmd.Context()) })
		},
	}
	f := cmd.Flags()
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "ops", "ops.listen")
	return cmd
}

func (a *app) features(ctx context.Context) (err error) {
	k, err := a.connectKafka(ctx, a.cfg.Kafka.Addresses)
	if err != nil {
		return err
	}
	defer k.Close()
	a.ready.Set("kafka", nil)
	s, err := a.connectStore(ctx, a.cfg.ClickHouse.Address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a.ready.Set("clickhouse", nil)
	if err := recordTopics(ctx, k, s); err != nil {
		return err
	}
	group, err := k.Group(a.kafkaConfig(a.cfg.Kafka.Addresses), a.cfg.Kafka.Group, a.log, topicsRead()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, group.Close()) }()
	return a.runFeatures(ctx, group, k, s)
}

func brokerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "broker",
		Short:   "Run the embedded Kafka-protocol broker",
		Long:    "Runs the broker that `weir up` embeds, alone: for tests and small sites, not in place of a Kafka cluster.",
		Example: "  weir broker --listen 127.0.0.1:9092",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := newStage(cmd, "broker")
			if err != nil {
				return err
			}
			held, err := lock.Dir(a.cfg.DataDir)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, held.Release()) }()
			return a.withOps(cmd.Context(), func() error {
				b, err := a.startBroker()
				if err != nil {
					return err
				}
				defer b.Close()
				a.log.Info("Broker is up", "kafka", b.Addr())
				<-cmd.Context().Done()
				return nil
			})
		},
	}
	keyFlag(cmd.Flags(), "listen", "broker.listen")
	keyFlag(cmd.Flags(), "ops", "ops.listen")
	return cmd
}

func clickhouseCommand() *cobra.Command {
	var inherited, readOnly bool
	cmd := &cobra.Command{
		Use:     "clickhouse",
		Short:   "Run the embedded ClickHouse engine behind ClickHouse's HTTP interface",
		Long:    "Runs the engine (libchdb) on <data-dir>/clickhouse. `weir up` starts this command as its child.",
		Example: "  weir clickhouse --listen 127.0.0.1:8123\n  curl -s '127.0.0.1:8123/?query=SELECT+count()+FROM+weir.service_windows'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newStage(cmd, "clickhouse")
			if err != nil {
				return err
			}
			library, err := embedded.FindLibrary(a.cfg.ClickHouse.Library)
			if err != nil {
				return err
			}
			cfg := engineConfig(a.cfg, library, readOnly, a.log)
			if inherited {
				cfg.Exit = os.Exit
				if cfg.Listener, cfg.Parent, err = embedded.Inherited(); err != nil {
					return err
				}
				return embedded.Serve(cmd.Context(), cfg)
			}
			if cfg.Listener, err = a.listenEngine(); err != nil {
				return err
			}
			return a.withOps(cmd.Context(), func() error {
				cfg.Ready = func() { a.ready.Set("clickhouse", nil) }
				return embedded.Serve(cmd.Context(), cfg)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&readOnly, "read-only", false, "refuse everything but queries")
	f.BoolVar(&inherited, "inherited", false, "take the listener and the parent's pipe from the supervisor")
	_ = f.MarkHidden("inherited") // it fails only for a flag that is not there
	keyFlag(f, "listen", "clickhouse.listen")
	keyFlag(f, "library", "clickhouse.library")
	keyFlag(f, "memory-mib", "clickhouse.memory_mib")
	keyFlag(f, "query-timeout", "clickhouse.query_timeout")
	keyFlag(f, "ops", "ops.listen")
	return cmd
}

// listenEngine opens the engine's listener. The engine speaks plain HTTP, with TLS around it where it is configured.
func (a *app) listenEngine() (net.Listener, error) {
	return a.listen("clickhouse.listen", a.cfg.ClickHouse.Listen)
}

// newStage prepares a command that runs one stage.
func newStage(cmd *cobra.Command, checks ...string) (*app, error) {
	cfg, _, err := loadConfig(cmd, os.Environ())
	if err != nil {
		return nil, err
	}
	return newApp(cfg, cmd.ErrOrStderr(), checks...)
}

// newTool prepares a command that somebody waits for: the terminal is for its answer, so only warnings are logged unless more is asked for.
func newTool(cmd *cobra.Command, checks ...string) (*app, error) {
	cfg, sources, err := loadConfig(cmd, os.Environ())
	if err != nil {
		return nil, err
	}
	if sources.Of("log.level") == "default" {
		cfg.Log.Level = "warn"
	}
	return newApp(cfg, cmd.ErrOrStderr(), checks...)
}

// withOps runs a stage with its operations server beside it.
func (a *app) withOps(ctx context.Context, run func() error) error {
	_, stop, err := a.startOps(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return run()
}

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
