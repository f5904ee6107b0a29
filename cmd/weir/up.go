package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/schemas/wire"
)

func topicsRead() []string { return []string{wire.TopicCalls, wire.TopicSamples} }

func upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run every stage in this process",
		Long: "Runs collector, broker, features, forecast, detect, actuator and ClickHouse in one process (ClickHouse as a child), with everything\n" +
			"they keep under --data-dir. For laptops, tests and small sites. Send it OTLP; it goes on with its data after a restart or a crash.",
		Example: "  weir up\n  weir up --data-dir /var/lib/weir --grpc 127.0.0.1:14317\n  weir up --kafka kafka-1:9092,kafka-2:9092 --clickhouse ch:8123\n" +
			"  weir up --manifests ./manifests     # reports compare with these",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(cmd, os.Environ())
			if err != nil {
				return err
			}
			a, err := newApp(cfg, cmd.ErrOrStderr(), stackParts()...)
			if err != nil {
				return err
			}
			return a.runStack(cmd.Context(), nil)
		},
	}
	stackFlags(cmd)
	return cmd
}

// stackParts are what must be ready before everything is.
func stackParts() []string {
	return []string{"broker", "clickhouse", "collector", "features", stageForecast, stageDetect, stageActuator}
}

// stackFlags are the flags of commands that run every stage.
func stackFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	keyFlag(f, "grpc", "collector.grpc")
	keyFlag(f, "http", "collector.http")
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "ops", "ops.listen")
	keyFlag(f, "library", "clickhouse.library")
	keyFlag(f, "memory-mib", "clickhouse.memory_mib")
	stateFlags(cmd)
}
