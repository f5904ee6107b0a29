package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// stack is every stage in one process, with the parts it embeds:
//
//	OTLP -> collector -> broker -> features -> ClickHouse (child) -> forecast, detect -> broker -> actuator
//
// It starts from the right, so that each part finds what it writes to, and stops from the left, so that each part can still hand on what
// it holds.
type stack struct {
	*app
	addresses lock.Addresses
	kafka     *kafka.Client
	store     *clickhouse.Client
}

// stopTime bounds the stop of the embedded engine.
const stopTime = 20 * time.Second

// runStack starts everything on the data directory, calls body once all is ready, and stops when body returns, ctx ends or a part fails.
// body may be nil: then it runs until ctx ends.
func (a *app) runStack(ctx context.Context, body func(context.Context, *stack) error) (err error) {
	held, err := lock.Dir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	s := &stack{app: a, addresses: lock.Addresses{Started: time.Now().UTC()}}

	address, stopOps, err := a.startOps(ctx)
	if err != nil {
		return err
	}
	defer stopOps()
	s.addresses.Ops = address

	stopStore, failed, err := s.startStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopStore()) }()

	stopKafka, err := s.startKafka(ctx)
	if err != nil {
		return err
	}
	defer stopKafka()
	if err := s.recordTopics(ctx, s.kafka, s.store); err != nil {
		return err
	}
	return s.flow(ctx, held, failed, body)
}

// startStore starts the engine, or connects to the one configured. failed is closed if the engine is given up.
func (s *stack) startStore(ctx context.Context) (stop func() error, failed <-chan struct{}, err error) {
	s.addresses.ClickHouse = s.cfg.ClickHouse.Address
	end := func() error { return nil }
	if s.addresses.ClickHouse == "" {
		child, err := s.startClickHouse(ctx, false)
		if err != nil {
			return nil, nil, err
		}
		s.addresses.ClickHouse, failed = child.Addr(), child.Done()
		end = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
			defer cancel()
			return child.Stop(ctx)
		}
	}
	s.store, err = s.connectStore(ctx, s.addresses.ClickHouse)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	if err := s.setRetention(ctx, s.store); err != nil {
		return nil, nil, errors.Join(err, s.store.Close(), end())
	}
	s.ready.Set("clickhouse", nil)
	return func() error { return errors.Join(s.store.Close(), end()) }, failed, nil
}

// startKafka starts the broker, or connects to the cluster configured.
func (s *stack) startKafka(ctx context.Context) (stop func(), err error) {
	end := func() {}
	addresses := s.cfg.Kafka.Addresses
	if len(addresses) == 0 {
		b, err := s.startBroker()
		if err != nil {
			return nil, err
		}
		addresses, end = []string{b.Addr()}, b.Close
	}
	s.addresses.Kafka = addresses[0]
	s.kafka, err = s.connectKafka(ctx, addresses, "collector", "features", stageForecast, stageDetect, stageActuator)
	if err != nil {
		end()
		return nil, err
	}
	s.ready.Set("broker", nil)
	return func() { s.kafka.Close(); end() }, nil
}

// flow runs the stages, and body beside them. They are told to stop from the front door on, so that each can still hand on what it holds.
func (s *stack) flow(ctx context.Context, held *lock.Lock, storeFailed <-chan struct{}, body func(context.Context, *stack) error) error {
	var stages tasks
	defer stages.end()
	for _, stage := range s.stages() {
		stages.start(context.WithoutCancel(ctx), stage)
	}
	s.addresses.OTLPGRPC, s.addresses.OTLPHTTP = s.cfg.Collector.GRPC, s.cfg.Collector.HTTP
	work := background(ctx, func(ctx context.Context) error {
		if err := s.untilReady(ctx); err != nil {
			return err
		}
		if err := held.WriteAddresses(s.addresses); err != nil {
			return err
		}
		s.log.Info("Weir is up", "otlp_grpc", s.addresses.OTLPGRPC, "otlp_http", s.addresses.OTLPHTTP, "kafka", s.addresses.Kafka,
			"clickhouse", s.addresses.ClickHouse, "ops", s.addresses.Ops, "data_dir", s.cfg.DataDir)
		if body == nil {
			<-ctx.Done()
			return nil
		}
		return body(ctx, s)
	})
	defer work.end()
	select {
	case <-work.done:
	case <-stages.ended:
		return errors.Join(stages.stop(), errStopped)
	case <-storeFailed:
		return errors.New("the embedded ClickHouse was given up after it failed again and again: see the log above")
	}
	return errors.Join(work.stop(), stages.stop())
}

// stages are what runs, in the order in which it is told to stop.
func (s *stack) stages() []func(context.Context) error {
	all := []func(context.Context) error{
		func(ctx context.Context) error { return s.runCollector(ctx, []string{s.addresses.Kafka}) },
		func(ctx context.Context) error {
			return s.runFeatures(ctx, s.kafka.Direct(s.cfg.Kafka.Group, topicsRead()...), s.kafka, s.store)
		},
	}
	metrics := decide.NewMetrics(s.registry)
	for _, d := range []decider{s.forecaster(s.store), s.detector(s.store)} {
		all = append(all, func(ctx context.Context) error {
			return s.runDecider(ctx, d, s.kafka.Direct(groupOf(d.stage), wire.TopicProgress), s.kafka, s.store, metrics)
		})
	}
	return append(all, func(ctx context.Context) error {
		return s.runActuator(ctx, s.kafka.Direct(groupOf(stageActuator), wire.TopicDecisions), s.kafka, s.store)
	})
}

// errStopped goes with the error of a stage that should have run on.
var errStopped = errors.New("a stage stopped, so everything stops")

// untilReady waits until every part says so.
func (s *stack) untilReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.ready.Err() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for all parts: %w", ctx.Err())
		}
	}
	return nil
}

// tasks run beside each other.
type tasks struct {
	all   []*task
	ended chan struct{} // holds something once one of them has ended
}

func (t *tasks) start(ctx context.Context, run func(context.Context) error) {
	if t.ended == nil {
		t.ended = make(chan struct{}, 1)
	}
	t.all = append(t.all, background(ctx, func(ctx context.Context) error {
		defer func() {
			select {
			case t.ended <- struct{}{}:
			default: // somebody else has ended before
			}
		}()
		return run(ctx)
	}))
}

// end ends all, one after the other. It may be called more than once.
func (t *tasks) end() {
	for _, one := range t.all {
		one.end()
	}
}

// stop ends all and returns their errors.
func (t *tasks) stop() error {
	t.end()
	var errs []error
	for _, one := range t.all {
		errs = append(errs, one.err)
	}
	return errors.Join(errs...)
}

// task is something that runs beside the rest.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func background(ctx context.Context, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.err = run(ctx)
	}()
	return t
}

// end ends the task and waits for it. It may be called more than once.
func (t *task) end() {
	t.cancel()
	<-t.done
}

// stop ends the task and returns its error.
func (t *task) stop() error {
	t.end()
	return t.err
}

// freeAddress finds a loopback port nobody uses just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
