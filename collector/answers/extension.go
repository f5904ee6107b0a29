package answers

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

var (
	_ extensionmiddleware.GRPCServer        = (*answers)(nil)
	_ extensionmiddleware.HTTPServer        = (*answers)(nil)
	_ extensioncapabilities.PipelineWatcher = (*answers)(nil)
)

// ErrStopping is why a request that still waits ends when the collector stops. The sender should send it again.
var ErrStopping = errors.New("the collector is stopping")

type answers struct {
	drain  time.Duration
	ready  func()
	logger *zap.Logger
	once   sync.Once // ready is called once
	room   *room
	codec  *codec // nil = gRPC's own

	stopping context.Context // ends when requests have waited long enough
	stop     context.CancelCauseFunc

	mu    sync.Mutex // guards timer
	timer *time.Timer
}

func newAnswers(cfg *Config, logger *zap.Logger, ready func()) *answers {
	ctx, stop := context.WithCancelCause(context.Background())
	a := &answers{drain: cfg.Drain, ready: ready, logger: logger, room: newRoom(cfg.RoomMiB), stopping: ctx, stop: stop}
	a.codec = newCodec(a)
	return a
}

// Start does nothing: receivers ask for the handlers.
func (*answers) Start(context.Context, component.Host) error { return nil }

// Ready tells the owner of the collector that the receivers listen.
func (a *answers) Ready() error {
	if a.ready != nil {
		a.once.Do(a.ready)
	}
	return nil
}

// NotReady comes before the receivers stop. They wait for the requests they hold, which may wait for Kafka; so that stopping ends, those
// requests end after the drain time, unacknowledged.
func (a *answers) NotReady() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer == nil {
		a.timer = time.AfterFunc(a.drain, func() { a.stop(ErrStopping) })
	}
	return nil
}

// Shutdown comes after the receivers have stopped.
func (a *answers) Shutdown(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.stop(ErrStopping)
	return nil
}

// request returns the context of one request, with an answer to fill, and what must be called when it is over.
func (a *answers) request(ctx context.Context) (context.Context, *Answer, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(a.stopping, func() { cancel(ErrStopping) })
	ctx, answer := NewContext(ctx)
	return ctx, answer, func() {
		forget()
		cancel(nil)
	}
}

// GetGRPCServerOptions puts the answer into unary calls.
func (a *answers) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	options := []grpc.ServerOption{grpc.ChainUnaryInterceptor(a.intercept)}
	if a.codec != nil {
		options = append(options, grpc.ForceServerCodecV2(a.codec))
	}
	return options, nil
}

// GetHTTPHandler puts the answer into HTTP requests.
func (a *answers) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, answer, done := a.request(r.Context())
			defer done()
			answer.source = r.RemoteAddr
			r = r.WithContext(ctx)
			leave, err := a.room.guard(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			defer leave()
			next.ServeHTTP(&writer{ResponseWriter: w, answer: answer, logger: a.logger}, r)
		}), nil
	}, nil
}
