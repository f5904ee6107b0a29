package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

const (
	// defaultTimeout is that of calls that no lab file knows.
	defaultTimeout = time.Second
	// pooled is how many connections a caller has to a database: as many calls are out at once, others wait for one.
	pooled = 8

	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
)

// client asks a service once, by its protocol, and returns the outcome as the ledger names it. It returns when the context ends.
type client interface {
	ask(ctx context.Context, e spec.Endpoint, path string) (outcome string)
	close() error
}

// callee is a service that may be called.
type callee struct {
	service spec.Service
	client  client
	pool    chan struct{} // nil = not bounded
}

// calls makes calls to other services. Safe for concurrent use.
type calls struct {
	cfg    Config
	ledger *ledger.Ledger
	log    *slog.Logger
	chance *chance
	http   *httpClient
	dialer *net.Dialer
	tel    *telemetry

	mu      sync.Mutex // guards callees: made when first called
	callees map[string]*callee
}

func newCalls(cfg Config, l *ledger.Ledger, log *slog.Logger, c *chance, tel *telemetry) *calls {
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Listen, 0))}
	return &calls{
		cfg: cfg, ledger: l, log: log, chance: c, dialer: dialer, tel: tel,
		http: newHTTPClient(cfg, dialer, tel), callees: map[string]*callee{},
	}
}

// make makes one call with all its attempts and returns what came of it. A client error is an answer: it is not tried again.
func (c *calls) make(ctx context.Context, call spec.Call, now *effects) (outcome string) {
	to, endpoint, ok := c.find(call)
	if !ok {
		return ledger.Transport
	}
	n := 0 // attempts made
	for answered := false; !answered && n < max(call.Attempts, 1); n++ {
		if n > 0 && !pause(ctx, retryDelay(n)) {
			return outcome
		}
		outcome = c.attempt(ctx, to, endpoint, call.Timeout, n, now)
		answered = outcome == ledger.OK || outcome == ledger.ClientError
	}
	for range c.chance.times(now.again[call.To]) {
		c.attempt(ctx, to, endpoint, call.Timeout, n, now)
		n++
	}
	return outcome
}

// retryDelay is exponential with full jitter: nobody compares runs by it, so its chance is not the instance's.
func retryDelay(attempt int) time.Duration {
	longest := min(firstBackoff<<min(attempt, 10), maxBackoff)
	return time.Duration(rand.Int64N(int64(longest)) + 1)
}

// attempt asks once and counts what came of it. n is the number of attempts before.
func (c *calls) attempt(ctx context.Context, to *callee, e spec.Endpoint, timeout time.Duration, n int, now *effects) string {
	name := to.service.Name
	ctx, stop := context.WithTimeout(ctx, cmp.Or(timeout, defaultTimeout))
	defer stop()
	ctx = withAttempt(ctx, attempt{hangs: c.chance.happens(now.hang[name]), attributes: to.attributes(e, n)})
	outcome := ledger.Timeout
	if to.enter(ctx) {
		outcome = to.client.ask(ctx, e, c.fill(e.Path))
		to.leave()
	}
	c.ledger.Add(ledger.Key{
		Side: ledger.Attempted, From: c.cfg.Service.Name, To: name, Endpoint: e.String(), Outcome: outcome,
	}, 1)
	if outcome != ledger.OK {
		c.log.WarnContext(ctx, "Call failed", "to", name, "endpoint", e.String(), "outcome", outcome, "attempt", n+1)
	}
	return outcome
}

func (t *callee) enter(ctx context.Context) bool {
	if t.pool == nil {
		return true
	}
	select {
	case t.pool <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *callee) leave() {
	if t.pool != nil {
		<-t.pool
	}
}

func (t *callee) attributes(e spec.Endpoint, n int) []attribute.KeyValue {
	var out []attribute.KeyValue
	if t.service.Kind == spec.Database {
		out = append(out, attribute.String("db.system.name", "other_sql"), attribute.String("db.namespace", t.service.Name),
			attribute.String("db.operation.name", e.Method), attribute.String("db.query.summary", e.String()))
	}
	if n > 0 {
		out = append(out, attribute.Int("http.request.resend_count", n))
	}
	return out
}

// fill puts a value in place of each {name} of a template.
func (c *calls) fill(template string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	parts := strings.Split(template, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = strconv.Itoa(1 + c.chance.intn(1000))
		}
	}
	return strings.Join(parts, "/")
}

func (c *calls) find(call spec.Call) (*callee, spec.Endpoint, bool) {
	service, ok := c.cfg.callee(call.To)
	if !ok {
		return nil, spec.Endpoint{}, false
	}
	endpoint, ok := service.Endpoint(call.Path)
	if !ok {
		return nil, spec.Endpoint{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.callees[call.To]
	if to == nil {
		to = &callee{service: service}
		if to.client, ok = c.client(service); !ok {
			return nil, spec.Endpoint{}, false
		}
		if service.Kind == spec.Database {
			to.pool = make(chan struct{}, pooled)
		}
		c.callees[call.To] = to
	}
	return to, endpoint, true
}

func (c *calls) client(to spec.Service) (client, bool) {
	host := to.Name + "." + c.cfg.Namespace + ":" + strconv.Itoa(to.Port)
	if to.Protocol != spec.GRPC {
		return c.http.to(host), true
	}
	conn, err := dialGRPC(c.cfg, to, host, c.dialer, c.tel)
	if err != nil {
		c.log.Error("Client could not be made", "to", to.Name, "error", err)
		return nil, false
	}
	return conn, true
}

// leak sends data out of the mesh, size KiB of it. Nobody is interested in the answer, but it is counted.
func (c *calls) leak(ctx context.Context, size float64) {
	ctx, stop := context.WithTimeout(ctx, defaultTimeout)
	defer stop()
	host := ExfiltrationHost + ":" + strconv.Itoa(c.cfg.Service.Port)
	outcome := c.http.to(host).post(ctx, "/", int(size*1024))
	c.ledger.Add(ledger.Key{
		Side: ledger.Attempted, From: c.cfg.Service.Name, To: ExfiltrationHost, Endpoint: "POST /", Outcome: outcome,
	}, 1)
}

func (c *calls) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := []error{c.http.to("").close()}
	for _, to := range c.callees {
		errs = append(errs, to.client.close())
	}
	return errors.Join(errs...)
}

// attempt is what the instrumented clients have to know about the one they make.
type attempt struct {
	hangs      bool // no answer until it times out, and nothing reaches the network
	attributes []attribute.KeyValue
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// underSpan is called below the instrumentation: it marks the client span and hangs if the attempt does.
func underSpan(ctx context.Context) {
	a, ok := ctx.Value(attemptKey{}).(attempt)
	if !ok {
		return
	}
	trace.SpanFromContext(ctx).SetAttributes(a.attributes...)
	if a.hangs {
		<-ctx.Done()
	}
}

type requestIDKey struct{}

// withRequestID makes calls pass an incoming request's id on.
func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
