package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/collector"
	"github.com/weirmesh/weir/features"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded"
)

const errAddrInUse = syscall.EADDRINUSE

func (a *app) collectorConfig(addresses []string) collector.Config {
	c := collector.DefaultConfig()
	c.GRPC, c.HTTP = a.cfg.Collector.GRPC, a.cfg.Collector.HTTP
	c.CertFile, c.KeyFile = a.cfg.TLS.CertFile, a.cfg.TLS.KeyFile
	c.MemoryLimitMiB, c.MaxRequestMiB = a.cfg.Collector.MemoryLimitMiB, a.cfg.Collector.MaxRequestMiB
	c.KafkaAddresses, c.KafkaSecurity = addresses, a.kafkaConfig(addresses).Security
	c.Compression, c.Attributes, c.Tenant = a.cfg.Kafka.Compression, a.cfg.Collector.Attributes, a.cfg.Collector.Tenant
	c.MaxWorkloads, c.MaxInstances, c.MaxSeries = a.cfg.Collector.MaxWorkloads, a.cfg.Collector.MaxInstances, a.cfg.Collector.MaxSeries
	c.MaxDays = a.cfg.Collector.MaxDays
	c.MaxFuture, c.MaxPast = a.cfg.Collector.MaxFuture, a.cfg.Collector.MaxPast
	c.Registerer, c.Logger = a.registry, a.log
	return c
}

// runCollector runs the front door until ctx ends.
func (a *app) runCollector(ctx context.Context, addresses []string) error {
	for key, address := range map[string]string{"collector.grpc": a.cfg.Collector.GRPC, "collector.http": a.cfg.Collector.HTTP} {
		if address == "" {
			continue
		}
		if err := config.CheckListen(address, a.cfg.Insecure, a.server != nil); err != nil {
			return cli.UsageError{Err: fmt.Errorf("%s: %w", key, err)}
		}
	}
	c, err := collector.New(a.collectorConfig(addresses))
	if err != nil {
		return err
	}
	// The collector refuses requests above its limit; collecting garbage in time keeps it from getting there. GOMEMLIMIT overrides.
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(a.cfg.Collector.MemoryLimitMiB) << 20 / 10 * 8)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-c.Ready():
			a.ready.Set("collector", nil)
		case <-done:
		}
	}()
	return c.Run(ctx)
}

// runFeatures runs the windows' worker until ctx ends.
func (a *app) runFeatures(ctx context.Context, consumer ingest.Consumer, k *kafka.Client, s *clickhouse.Client) error {
	var shards int
	err := a.unbroken(ctx, "count the partitions", func(ctx context.Context) (err error) {
		shards, err = k.Partitions(ctx, wire.TopicProgress)
		return err
	})
	if err != nil {
		return err
	}
	cfg := features.Config{
		Shards: shards, WriteTimeout: features.DefaultConfig().WriteTimeout,
		Name: hostName("features"), FlushInterval: a.cfg.Features.FlushInterval, MaxRows: a.cfg.Features.MaxRows,
		Generation: int64(a.cfg.Features.Generation), Lateness: a.cfg.Features.Lateness, Idle: a.cfg.Features.Idle,
		KeepSpans: a.cfg.Features.KeepSpans, CheckInterval: a.cfg.Features.CheckInterval, MaxFuture: a.cfg.Collector.MaxFuture,
	}
	w := features.New(cfg, features.Parts{
		Consumer: consumer, Producer: k, Store: s, Accounts: s, Metrics: features.NewMetrics(a.registry), Logger: a.log, Now: time.Now,
		Ready: func(err error) { a.ready.Set("features", err) },
	})
	return w.Run(ctx)
}

// startBroker starts the embedded broker in the data directory.
func (a *app) startBroker() (*broker.Broker, error) {
	if err := config.CheckListen(a.cfg.Broker.Listen, a.cfg.Insecure, a.server != nil); err != nil {
		return nil, cli.UsageError{Err: fmt.Errorf("broker.listen: %w", err)}
	}
	b, err := broker.Start(broker.Config{
		Dir: filepath.Join(a.cfg.DataDir, "broker"), Listen: a.cfg.Broker.Listen, Advertised: a.cfg.Broker.Advertised,
		Sync: a.cfg.Broker.Sync, TLS: a.server, Logger: a.log,
		MinFree: int64(a.cfg.Broker.MinFreeMiB) << 20, Space: a.brokerSpace,
	})
	if err != nil {
		return nil, explainListen(a.cfg.Broker.Listen, err)
	}
	a.ready.Set("broker", nil)
	return b, nil
}

// brokerSpace hears why the embedded broker takes no messages.
func (a *app) brokerSpace(err error) {
	a.ready.Set("broker", err)
	if err != nil {
		a.log.Warn("The broker takes no messages", "reason", err)
	} else {
		a.log.Warn("The broker takes messages again")
	}
}

// startClickHouse starts the embedded engine as a supervised child.
func (a *app) startClickHouse(ctx context.Context, readOnly bool) (*embedded.Child, error) {
	library, err := embedded.FindLibrary(a.cfg.ClickHouse.Library)
	if err != nil {
		return nil, err
	}
	if err := config.CheckListen(a.cfg.ClickHouse.Listen, a.cfg.Insecure, false); err != nil {
		return nil, cli.UsageError{Err: fmt.Errorf("clickhouse.listen: %w", err)}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	address, err := net.ResolveTCPAddr("tcp", a.cfg.ClickHouse.Listen)
	if err != nil {
		return nil, fmt.Errorf("clickhouse.listen: %w", err)
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("clickhouse.listen: %w", explainListen(a.cfg.ClickHouse.Listen, err))
	}
	cfg := embedded.DefaultChildConfig()
	cfg.Listener, cfg.Log, cfg.Stderr = listener, a.log, os.Stderr
	cfg.Command = func() *exec.Cmd { return childCommand(self, library, a.cfg, readOnly) }
	child, err := embedded.StartChild(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a.ready.Set("clickhouse", nil)
	return child, nil
}

// childCommand runs this binary as the engine's process.
func childCommand(self, library string, cfg config.Config, readOnly bool) *exec.Cmd {
	cmd := exec.Command(self, "clickhouse", "--inherited", "--read-only="+strconv.FormatBool(readOnly), "--data-dir", cfg.DataDir,
		"--library", library, "--memory-mib", strconv.Itoa(cfg.ClickHouse.MemoryMiB),
		"--query-timeout", cfg.ClickHouse.QueryTimeout.String(), "--log-level", cfg.Log.Level, "--log-format", cfg.Log.Format)
	// A signal from the terminal is for the parent, which stops the child in its turn.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// engineConfig is the embedded engine's configuration without its listener.
func engineConfig(cfg config.Config, library string, readOnly bool, log *slog.Logger) embedded.Config {
	out := embedded.DefaultConfig()
	out.Library, out.Dir, out.MaxMemory, out.Log = library, filepath.Join(cfg.DataDir, "clickhouse"), int64(cfg.ClickHouse.MemoryMiB)<<20, log
	out.Server.ReadOnly = readOnly
	out.Server.MaxReadTime = cfg.ClickHouse.QueryTimeout
	// A repeated insert must wait for the first to end, see clickhouse.Client.Write.
	out.Server.Writers = 1
	return out
}
