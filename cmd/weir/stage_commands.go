package main

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
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
				return cli.UsageError{Err: errors.New("where is Kafka? give --kafka host:port, or run everything with `weir up`")}
			}
			return a.withOps(cmd.Context(), func() error {
				k, err := a.connectKafka(cmd.Context(), a.cfg.Kafka.Addresses, "collector")
				if err != nil {
					return err
				}
				k.Close() // the exporter brings its own connections; this one made sure of the topics
				a.ready.Set("kafka", nil)
				go a.sayUp(cmd.Context(), "Collector is up", "otlp_grpc", a.cfg.Collector.GRPC, "otlp_http", a.cfg.Collector.HTTP)
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
			return a.worker(cmd.Context(), "features", a.cfg.Kafka.Group, topicsRead(), func(ctx context.Context, c ingest.Consumer, k *kafka.Client, s *clickhouse.Client) error {
				if err := a.setRetention(ctx, s); err != nil {
					return err
				}
				if err := a.recordTopics(ctx, k, s); err != nil {
					return err
				}
				return a.runFeatures(ctx, c, k, s)
			})
		},
	}
	stageFlags(cmd)
	return cmd
}

func forecastCommand() *cobra.Command {
	return deciderCommand(stageForecast, "Forecast load and propose replicas",
		"Follows the closed one-minute windows, writes forecasts with their intervals, and proposes replicas ahead of the load, or says why\n"+
			"it does not.", (*app).forecaster)
}

func detectCommand() *cobra.Command {
	return deciderCommand(stageDetect, "Find trouble and propose to move traffic away from it",
		"Follows the closed 10-second windows, publishes findings on weir.alerts as they fire and resolve, and proposes to lower the share of\n"+
			"traffic of a version that is in trouble.", (*app).detector)
}

// deciderCommand runs one worker of a decision service.
func deciderCommand(stage, short, long string, of func(*app, *clickhouse.Client) decider) *cobra.Command {
	cmd := &cobra.Command{
		Use:     stage,
		Short:   short,
		Long:    long + " Runs one worker of its\nconsumer group; the workers share the workloads. What it says is signed, see events.signing_key.",
		Example: "  weir " + stage + " --kafka kafka-1:9092 --clickhouse ch:8123",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newStage(cmd, "kafka", "clickhouse", stage)
			if err != nil {
				return err
			}
			return a.worker(cmd.Context(), stage, groupOf(stage), []string{wire.TopicProgress}, func(ctx context.Context, c ingest.Consumer, k *kafka.Client, s *clickhouse.Client) error {
				return a.runDecider(ctx, of(a, s), c, k, s, decide.NewMetrics(a.registry))
			})
		},
	}
	stageFlags(cmd)
	return cmd
}

func actuatorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   stageActuator,
		Short: "Settle decisions and report what would be done (dry run)",
		Long: "Takes decisions from weir.decisions, refuses those that are forged, expired or against the limits, settles those that contradict each\n" +
			"other, compares with the current state of the cluster (--kubeconfig) or of a folder (--manifests), and writes what it would do.\n" +
			"It changes nothing. `weir report` shows the result.",
		Example: "  weir actuator --kafka kafka-1:9092 --clickhouse ch:8123 --kubeconfig ~/.kube/config\n" +
			"  weir actuator --kafka kafka-1:9092 --clickhouse ch:8123 --manifests ./manifests",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newStage(cmd, "kafka", "clickhouse", stageActuator)
			if err != nil {
				return err
			}
			return a.worker(cmd.Context(), stageActuator, groupOf(stageActuator), []string{wire.TopicDecisions}, a.runActuator)
		},
	}
	stageFlags(cmd)
	stateFlags(cmd)
	return cmd
}

// stageFlags are the flags of a stage that reads Kafka and ClickHouse.
func stageFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "ops", "ops.listen")
}

// stateFlags say where the current state is read.
func stateFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	keyFlag(f, "kubeconfig", "actuator.kubeconfig")
	keyFlag(f, "manifests", "actuator.manifests")
}

// worker runs one worker of a stage that reads topics in a consumer group. The stage's role says which other topics it uses.
func (a *app) worker(ctx context.Context, stage, group string, topics []string, run func(context.Context, ingest.Consumer, *kafka.Client, *clickhouse.Client) error) error {
	if len(a.cfg.Kafka.Addresses) == 0 || a.cfg.ClickHouse.Address == "" {
		return cli.UsageError{Err: errors.New("where are Kafka and ClickHouse? give --kafka and --clickhouse host:port, or run everything with `weir up`")}
	}
	return a.withOps(ctx, func() (err error) {
		k, err := a.connectKafka(ctx, a.cfg.Kafka.Addresses, stage)
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
		consumer, err := k.Group(a.kafkaConfig(a.cfg.Kafka.Addresses), group, a.log, topics...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, consumer.Close()) }()
		go a.sayUp(ctx, "Stage is up", "stage", stage, "group", group)
		return run(ctx, consumer, k, s)
	})
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
