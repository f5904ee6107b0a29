package service

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

const (
	// maxQueued is how many messages a queue holds; beyond that it answers 429.
	maxQueued = 50_000
	// deliveryTimeout is how long an attempt to deliver may take.
	deliveryTimeout = 5 * time.Second
)

// message is what a queue keeps of one.
type message struct {
	from trace.SpanContext
	id   string // of the request that brought it
}

// queue takes messages at once and delivers them in order, with as many workers as it has slots. It tries until the service behind it
// takes a message or says that it never will.
//
// A delivery is a trace of its own, linked to the one that brought the message. Its root is a PRODUCER span, which a broker's push is:
// it sends. A CONSUMER or SERVER span without a parent would read as a call from outside the mesh.
type queue struct {
	instance *instance
	tracer   trace.Tracer
	messages chan message
	stopping chan struct{}
	workers  sync.WaitGroup
}

func newQueue(i *instance, tel *telemetry) *queue {
	return &queue{
		instance: i, tracer: tel.tracer(), messages: make(chan message, maxQueued), stopping: make(chan struct{}),
	}
}

// put takes a message, if there is room.
func (q *queue) put(ctx context.Context) status {
	select {
	case q.messages <- message{from: trace.SpanContextFromContext(ctx), id: requestID(ctx)}:
		return accepted
	default:
		return queueFull
	}
}

func (q *queue) depth() int { return len(q.messages) }

// start delivers until ctx ends, or stop was called and nothing is left.
func (q *queue) start(ctx context.Context) {
	for range q.instance.cfg.Version.Slots {
		q.workers.Go(func() { q.work(ctx) })
	}
}

func (q *queue) work(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case m := <-q.messages:
			q.deliver(ctx, m)
			continue
		default:
		}
		select {
		case m := <-q.messages:
			q.deliver(ctx, m)
		case <-q.stopping:
			return
		case <-ctx.Done():
		}
	}
}

// drain waits until all messages are delivered or the context of start has ended. No message may be put any more. It counts those that
// are lost.
func (q *queue) drain() {
	close(q.stopping)
	q.workers.Wait()
	if n := len(q.messages); n > 0 {
		q.lose(uint64(n))
	}
}

func (q *queue) lose(n uint64) {
	q.instance.ledger.Add(q.key(), n)
}

func (q *queue) key() ledger.Key {
	i := q.instance
	k := ledger.Key{Side: ledger.Attempted, From: i.cfg.Service.Name, To: i.cfg.Service.Deliver, Outcome: ledger.Lost}
	if to, ok := i.cfg.callee(i.cfg.Service.Deliver); ok {
		if e, ok := to.Endpoint(""); ok {
			k.Endpoint = e.String()
		}
	}
	return k
}

func (q *queue) deliver(ctx context.Context, m message) {
	i := q.instance
	name := i.cfg.Service.Name
	ctx, span := q.tracer.Start(ctx, "send "+name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithLinks(trace.Link{SpanContext: m.from}), trace.WithAttributes(
			attribute.String("messaging.system", "lab"), attribute.String("messaging.destination.name", name),
			attribute.String("messaging.operation.name", "deliver"), attribute.String("messaging.operation.type", "send"),
		))
	defer span.End()
	ctx = withRequestID(ctx, m.id)
	if i.slots.take(ctx) != nil { // as many workers as slots: it is there; taken so that it counts as busy
		q.lose(1)
		return
	}
	defer i.slots.free()
	if !q.deliverOnce(ctx) {
		i.log.ErrorContext(ctx, "Message lost", "to", i.cfg.Service.Deliver)
		q.lose(1)
	}
}

// deliverOnce tries until the message is taken or never will be.
func (q *queue) deliverOnce(ctx context.Context) bool {
	i := q.instance
	for n := 0; ; n++ {
		now := i.faults.now.Load()
		v := i.cfg.Version
		if !pause(ctx, time.Duration(now.work*now.delivery*float64(i.chance.lognormal(v.Work, v.Spread)))) {
			return false
		}
		i.memory.pass()
		to, endpoint, ok := i.calls.find(spec.Call{To: i.cfg.Service.Deliver})
		if !ok {
			return false
		}
		switch i.calls.attempt(ctx, to, endpoint, deliveryTimeout, n, now) {
		case ledger.OK:
			return true
		case ledger.ClientError:
			return false
		}
		if !pause(ctx, retryDelay(n+1)) {
			return false
		}
	}
}
