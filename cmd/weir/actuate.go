package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator"
	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/guard"
	"github.com/weirmesh/weir/actuator/kubernetes"
	"github.com/weirmesh/weir/actuator/manifests"
	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/internal/signing"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// runActuator settles decisions until ctx ends.
func (a *app) runActuator(ctx context.Context, consumer ingest.Consumer, k *kafka.Client, s *clickhouse.Client) error {
	key, err := a.signingKey()
	if err != nil {
		return err
	}
	trusted, err := a.trustedKeys(key)
	if err != nil {
		return err
	}
	state, err := a.clusterState()
	if err != nil {
		return err
	}
	cfg := actuator.DefaultConfig()
	cfg.Stages = []string{stageForecast, stageDetect}
	cfg.Limits = guard.Default()
	cfg.Limits.MinReplicas, cfg.Limits.MaxReplicas, cfg.Limits.Frozen = a.cfg.Actuator.MinReplicas, a.cfg.Actuator.MaxReplicas, a.cfg.Actuator.Frozen
	w, err := actuator.New(cfg, actuator.Parts{
		Consumer: consumer, State: state, Outcomes: s, Metrics: actuator.NewMetrics(a.registry), Logger: a.log, Now: time.Now,
		Verify: func(m ingest.Message) (schemas.Decision, error) { return verified(m, trusted) },
		Publish: func(ctx context.Context, all []schemas.DecisionOutcome) error {
			return a.publishOutcomes(ctx, k, key, all)
		},
		Published: func(ctx context.Context) (map[string]bool, error) { return settled(ctx, k) },
		DeadLetter: func(ctx context.Context, m ingest.Message, reason error) error {
			return rejectDecision(ctx, k, m, reason)
		},
		Ready: func(err error) { a.ready.Set(stageActuator, err) },
	})
	if err != nil {
		return cli.UsageError{Err: err}
	}
	return w.Run(ctx)
}

// trustedKeys are those whose decisions are believed: the ones configured, or this process's own.
func (a *app) trustedKeys(own ed25519.PrivateKey) (map[string]ed25519.PublicKey, error) {
	if files := a.cfg.Events.TrustedKeys; len(files) > 0 {
		return signing.LoadTrusted(files...)
	}
	public, ok := own.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the signing key has no ed25519 public key")
	}
	return map[string]ed25519.PublicKey{wire.KeyID(public): public}, nil
}

// inCluster stands for the cluster that this process runs in, where a kubeconfig is named.
const inCluster = "in-cluster"

// clusterState is where the current state is read; nil = nowhere.
func (a *app) clusterState() (cluster.Source, error) {
	c := a.cfg.Actuator
	switch {
	case c.Manifests != "":
		return manifests.Open(c.Manifests)
	case c.Kubeconfig == inCluster:
		return kubernetes.New(kubernetes.Config{Context: c.Context})
	case c.Kubeconfig != "":
		return kubernetes.New(kubernetes.Config{Kubeconfig: c.Kubeconfig, Context: c.Context})
	}
	return nil, nil //nolint:nilnil // no source is a source that is not read
}

// verified reads a decision and makes sure that somebody trusted has signed it.
func verified(m ingest.Message, trusted map[string]ed25519.PublicKey) (schemas.Decision, error) {
	e, err := wire.DecodeEvent(m.Key, m.Value, m.Headers)
	if err != nil {
		return schemas.Decision{}, err
	}
	if err := wire.Verify(e, trusted); err != nil {
		return schemas.Decision{}, err
	}
	return wire.DecodeDecision(e)
}

// publishOutcomes tells others. An outcome that cannot be an event is left out: it is in the store, and no repetition would mend it.
func (a *app) publishOutcomes(ctx context.Context, k *kafka.Client, key ed25519.PrivateKey, all []schemas.DecisionOutcome) error {
	partitions, err := k.Partitions(ctx, wire.TopicOutcomes)
	if err != nil {
		return err
	}
	var records []ingest.Record
	for _, o := range all {
		e, err := wire.EncodeOutcome(o, o.Target, "/weir/"+stageActuator)
		if err == nil {
			err = wire.Sign(&e, key)
		}
		if err != nil {
			a.log.Error("Outcome cannot be published; it is in the store", "decision", o.DecisionID, "error", err)
			continue
		}
		name, value, headers := e.Encode()
		records = append(records, ingest.Record{
			Topic: wire.TopicOutcomes, Partition: wire.PartitionOf([]byte(e.PartitionKey), partitions), Key: name, Value: value, Headers: headers,
		})
	}
	return k.Produce(ctx, records...)
}

// settled lists the decisions whose outcomes are published.
func settled(ctx context.Context, k *kafka.Client) (map[string]bool, error) {
	events, err := published(ctx, k, wire.TopicOutcomes, time.Time{})
	if err != nil {
		return nil, err
	}
	decisions := map[string]bool{}
	for id := range events {
		decision, _, _ := strings.Cut(id, ".")
		decisions[decision] = true
	}
	return decisions, nil
}

// rejectDecision keeps a message of weir.decisions that is not believed.
func rejectDecision(ctx context.Context, k *kafka.Client, m ingest.Message, reason error) error {
	return k.Produce(ctx, ingest.Record{
		Topic: wire.TopicDeadLetter, Key: []byte(m.Source.String()), Value: wire.Unreadable(m.Value),
		Headers: []wire.Header{
			{Key: wire.HeaderReason, Value: redact.Text(reason.Error())},
			{Key: wire.HeaderStage, Value: stageActuator},
			{Key: wire.HeaderSource, Value: m.Source.String()},
			{Key: wire.HeaderOffset, Value: fmt.Sprint(m.Offset)},
		},
	})
}
