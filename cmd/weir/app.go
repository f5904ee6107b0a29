package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/internal/ops"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// app is what every long-running command has.
type app struct {
	cfg      config.Config
	log      *slog.Logger
	registry *prometheus.Registry
	ready    *ops.Ready
	server   *tls.Config // of listeners; nil = plain text
	client   *tls.Config // for connecting out with TLS
}

// newApp prepares a process; checks are what must be ready before /readyz says so.
func newApp(cfg config.Config, log io.Writer, checks ...string) (*app, error) {
	server, err := config.ServerTLS(cfg)
	if err != nil {
		return nil, err
	}
	client, err := config.ClientTLS(cfg)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a := &app{cfg: cfg, log: newLogger(cfg.Log, log), registry: registry, ready: ops.NewReady(checks...), server: server, client: client}
	a.registerProcess()
	return a, nil
}

func newLogger(cfg config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // config has checked it
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// listen opens a listener, on loopback or as the configuration allows.
func (a *app) listen(what, address string) (net.Listener, error) {
	if err := config.CheckListen(address, a.cfg.Insecure, a.server != nil); err != nil {
		return nil, cli.UsageError{Err: fmt.Errorf("%s: %w", what, err)}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, explainListen(address, err))
	}
	if a.server != nil {
		return tls.NewListener(l, a.server), nil
	}
	return l, nil
}

// explainListen says what to do about a busy port.
func explainListen(address string, err error) error {
	if errors.Is(err, errAddrInUse) {
		return fmt.Errorf("something already listens on %s: stop it or choose another port: %w", address, err)
	}
	return err
}

// startOps serves /healthz, /readyz and /metrics until stop is called.
func (a *app) startOps(ctx context.Context) (address string, stop func(), err error) {
	l, err := a.listen("ops.listen", a.cfg.Ops.Listen)
	if err != nil {
		return "", nil, err
	}
	server := ops.New(ops.Config{Listener: l, Logger: a.log, Registry: a.registry, Ready: a.ready, Pprof: a.cfg.Ops.Pprof})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Run(ctx); err != nil {
			a.log.Error("Operations server stopped", "error", err)
		}
	}()
	return server.Addr(), func() { cancel(); <-done }, nil
}

// sayUp logs once that a stage can work, unless ctx ends before.
func (a *app) sayUp(ctx context.Context, message string, args ...any) {
	select {
	case <-a.ready.First():
		a.log.Info(message, args...)
	case <-ctx.Done():
	}
}

// kafkaConfig is how to reach Kafka at addresses, to use only the given topics, or any if there are none.
func (a *app) kafkaConfig(addresses []string, topics ...string) kafka.Config {
	k := a.cfg.Kafka
	return kafka.Config{
		Addresses: addresses, Compression: k.Compression, ClientID: "weir", Topics: topics,
		Security: kafka.Security{
			TLS: a.kafkaTLS(), CAFile: cmp.Or(k.CAFile, a.cfg.TLS.CAFile), CertFile: k.CertFile, KeyFile: k.KeyFile,
			User: k.User, PasswordFile: k.PasswordFile, Mechanism: k.Mechanism, Insecure: a.cfg.Insecure,
		},
	}
}

// kafkaTLS: an external cluster as configured, the embedded broker as our listeners.
func (a *app) kafkaTLS() bool {
	if len(a.cfg.Kafka.Addresses) > 0 {
		return a.cfg.Kafka.TLS
	}
	return a.server != nil
}

func (a *app) clickhouseConfig(address string) (clickhouse.Config, error) {
	cfg := clickhouse.Config{Address: address, User: a.cfg.ClickHouse.User}
	if a.cfg.ClickHouse.TLS {
		cfg.TLS = a.client
	}
	var err error
	cfg.Password, err = a.cfg.ClickHouse.Password()
	return cfg, err
}

// patiently tries until it works, an error is permanent or a refusal, or cfg.Wait is over.
func (a *app) patiently(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.Wait, fmt.Errorf("gave up after %s (--wait)", a.cfg.Wait))
	defer cancel()
	said := false
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := try(ctx)
		if err == nil || ingest.IsPermanent(err) || kafka.IsRefused(err) {
			return err
		}
		if !said && wait > time.Second {
			a.log.Warn("Still trying", "to", what, "for", a.cfg.Wait, "error", err)
			said = true
		}
		if pause.For(ctx, wait) != nil {
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), err)
		}
	}
}

// unbroken is patiently for what is asked of a server that has answered before: it may be killed between two questions. Only what breaks a
// connection is waited for.
func (a *app) unbroken(ctx context.Context, what string, try func(context.Context) error) error {
	return a.patiently(ctx, what, func(ctx context.Context) error {
		err := try(ctx)
		var network net.Error
		if err == nil || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		return ingest.Permanent{Err: err}
	})
}

// topics are what the stages need, with the numbers of the configuration or their defaults.
func (a *app) topics() []kafka.Topic {
	k := a.cfg.Kafka
	partitions, replication := k.Partitions, k.Replication
	embedded := len(k.Addresses) == 0
	if partitions == 0 {
		partitions = 64
		if embedded {
			partitions = 4
		}
	}
	if replication == 0 {
		replication = 3
		if embedded {
			replication = 1
		}
	}
	var out []kafka.Topic
	for _, name := range []string{
		wire.TopicCalls, wire.TopicSamples, wire.TopicProgress, wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes, wire.TopicDeadLetter,
	} {
		t := kafka.Topic{Name: name, Partitions: partitions, Replication: replication, Retention: k.Retention}
		if replication > 2 {
			t.MinInsync = 2 // one broker may be away, and what is acknowledged still has two copies
		}
		switch name {
		case wire.TopicProgress:
			t.Retention, t.Like = time.Hour, wire.TopicProgress
		case wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes:
			t.Like = wire.TopicProgress // their partitions are the shards of the workloads
		case wire.TopicDeadLetter:
			t.Partitions, t.Retention = 1, min(t.Retention, k.DeadLetterRetention)
		}
		out = append(out, t)
	}
	return out
}

// connectKafka returns a client once the cluster answers, lets it do what the roles do, and has their topics.
func (a *app) connectKafka(ctx context.Context, addresses []string, roles ...string) (*kafka.Client, error) {
	var rights []kafka.Right
	var names []string
	for _, name := range roles {
		role, err := kafka.RoleOf(a.cfg.Kafka.Group, name)
		if err != nil {
			return nil, err
		}
		rights, names = append(rights, role.Rights...), append(names, role.Topics()...)
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	client, err := kafka.New(a.kafkaConfig(addresses, names...))
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	topics := slices.DeleteFunc(a.topics(), func(t kafka.Topic) bool { return !slices.Contains(names, t.Name) })
	err = a.patiently(ctx, "reach Kafka", func(ctx context.Context) error {
		if err := client.Check(ctx, rights...); err != nil {
			return err
		}
		return client.EnsureTopics(ctx, a.cfg.Kafka.CreateTopics, topics...)
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// connectStore returns a client once ClickHouse answers and has this version's schema.
func (a *app) connectStore(ctx context.Context, address string) (*clickhouse.Client, error) {
	cfg, err := a.clickhouseConfig(address)
	if err != nil {
		return nil, err
	}
	if a.cfg.ClickHouse.Address == "" { // elsewhere the limit is the server's
		cfg.MinFree = int64(a.cfg.ClickHouse.MinFreeMiB) << 20
	}
	client, err := clickhouse.New(cfg)
	if err != nil {
		return nil, err
	}
	err = a.patiently(ctx, "reach ClickHouse", client.Ping)
	if err == nil {
		err = a.unbroken(ctx, "prepare the schema", func(ctx context.Context) error { return a.prepareSchema(ctx, client) })
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// recordTopics refuses topics whose number of partitions is not the one their windows were counted with, and tells the client their epochs.
func (a *app) recordTopics(ctx context.Context, k *kafka.Client, s *clickhouse.Client) error {
	return a.unbroken(ctx, "compare the topics with the store", func(ctx context.Context) error { return compareTopics(ctx, k, s) })
}

func compareTopics(ctx context.Context, k *kafka.Client, s *clickhouse.Client) error {
	id, err := k.ClusterID(ctx)
	if err != nil {
		return err
	}
	for _, topic := range []string{wire.TopicCalls, wire.TopicSamples} {
		n, err := k.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		epoch, err := s.CheckTopic(ctx, id, topic, n)
		if err != nil {
			return err
		}
		k.SetEpoch(topic, epoch)
	}
	return nil
}

// learnEpochs tells a client of a cluster that others run the epochs of its topics.
func learnEpochs(ctx context.Context, k *kafka.Client, s *clickhouse.Client) error {
	id, err := k.ClusterID(ctx)
	if err != nil {
		return err
	}
	for _, topic := range topicsRead() {
		known, err := s.Topic(ctx, id, topic)
		if err != nil {
			return err
		}
		k.SetEpoch(topic, known.Epoch)
	}
	return nil
}

// hostName names this process in what it publishes.
func hostName(stage string) string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return fmt.Sprintf("%s@%s/%d", stage, name, os.Getpid())
}
