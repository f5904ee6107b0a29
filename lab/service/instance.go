package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

const (
	// maxInFlight bounds the requests inside, whose calls are out or that wait for a region: more are refused.
	maxInFlight = 4096
	// logEvery is how many requests one INFO record tells about.
	logEvery = 100
)

// instance works on requests, whatever the protocol they came by.
type instance struct {
	cfg    Config
	ledger *ledger.Ledger
	log    *slog.Logger // to OTLP
	chance *chance
	slots  *slots
	faults *faults
	memory *memory
	calls  *calls
	queue  *queue // nil unless the service is one

	stopped  <-chan struct{} // closed when even work that has begun is given up
	inFlight atomic.Int64
	answered atomic.Int64
}

// request is what a server knows of one.
type request struct {
	endpoint *spec.Endpoint // nil = there is none of that name
	caller   string
	region   string
	password string
}

// reply is what a server answers.
type reply struct {
	status status
	bytes  int
	wrong  bool // the body is not what it should be
}

// handle works on a request and counts its answer. A request from another region is under way for a while, there and back.
func (i *instance) handle(ctx context.Context, r request) reply {
	inside := i.inFlight.Add(1)
	defer i.inFlight.Add(-1)
	now := i.faults.now.Load()
	way := time.Duration(0)
	if r.region != "" && r.region != i.cfg.Region {
		way = i.cfg.RegionDelay
	}
	out := reply{status: gone}
	if pause(ctx, way) {
		out = i.answer(ctx, r, now, inside)
	}
	if !pause(ctx, way) {
		out = reply{status: gone}
	}
	i.count(ctx, r, out)
	return out
}

func (i *instance) answer(ctx context.Context, r request, now *effects, inside int64) reply {
	i.memory.pass()
	switch {
	case now.outage || inside > maxInFlight:
		return reply{status: refused}
	case r.endpoint == nil:
		return reply{status: noEndpoint}
	case i.chance.happens(now.blackHole):
		return reply{status: done}
	case i.queue != nil:
		return reply{status: i.queue.put(ctx)}
	}
	if s := i.work(ctx, r, now); s != done {
		return reply{status: s}
	}
	if s := i.callOthers(ctx, r.endpoint.Calls, now); s != done {
		return reply{status: s}
	}
	out := reply{status: done, bytes: r.endpoint.Bytes, wrong: i.chance.happens(now.wrong)}
	if out.wrong {
		i.log.ErrorContext(ctx, "Computed a wrong total", "endpoint", r.endpoint.String())
	}
	return out
}

// work is the request's own work, done in a slot, and what is wrong with it.
func (i *instance) work(ctx context.Context, r request, now *effects) status {
	if err := i.slots.take(ctx); err != nil {
		if errors.Is(err, errFull) {
			return refused
		}
		return gone
	}
	v := i.cfg.Version
	wait(i.stopped, time.Duration(now.work*float64(i.chance.lognormal(v.Work, v.Spread))))
	i.memory.pass()
	i.slots.free()
	if !pause(ctx, now.delay) {
		return gone
	}
	if strings.HasSuffix(strings.ToLower(r.endpoint.Path), "/login") && r.password != RightPassword {
		return noPassword
	}
	if i.chance.happens(either(v.Errors, now.errors)) {
		i.log.ErrorContext(ctx, "Request failed", "endpoint", r.endpoint.String(), "error", "internal error")
		return failed
	}
	return done
}

// callOthers makes the calls of an endpoint, and those that faults add.
func (i *instance) callOthers(ctx context.Context, list []spec.Call, now *effects) status {
	for _, c := range list {
		if c.Share > 0 && !i.chance.happens(c.Share) {
			continue
		}
		outcome := i.calls.make(ctx, c, now)
		i.memory.pass()
		if ctx.Err() != nil {
			return gone
		}
		if outcome != ledger.OK && !c.Optional {
			return afterFailed(outcome)
		}
	}
	for _, to := range now.newEdges() {
		for range i.chance.times(now.edges[to]) {
			i.calls.make(ctx, spec.Call{To: to, Timeout: defaultTimeout}, now)
		}
	}
	if now.leak > 0 {
		i.calls.leak(ctx, now.leak)
	}
	return done
}

func afterFailed(outcome string) status {
	if outcome == ledger.Timeout {
		return noAnswer
	}
	return failed
}

// count writes an answer into the ledger and, if it is worth a line, into the log.
func (i *instance) count(ctx context.Context, r request, out reply) {
	endpoint := ""
	if r.endpoint != nil {
		endpoint = r.endpoint.String()
	}
	m := out.status.meaning()
	i.ledger.Add(ledger.Key{
		Side: ledger.Received, From: r.caller, To: i.cfg.Service.Name, Endpoint: endpoint, Outcome: m.outcome,
	}, 1)
	if out.status == refused || out.status == queueFull {
		i.log.WarnContext(ctx, "Request refused", "endpoint", endpoint, "status", m.http)
	}
	if n := i.answered.Add(1); n%logEvery == 0 {
		i.log.InfoContext(ctx, "Requests answered", "count", n)
	}
}
