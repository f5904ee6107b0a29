// Package ops is the small HTTP server that every stage has: /healthz says that the process lives, /readyz whether it can do its work and
// if not why, /metrics what it counts, in Prometheus's text form.
//
// It serves nothing that changes anything, answers only GET and HEAD, and bounds how long a client may take. It has no authentication, so
// its listener belongs on loopback or on a network where everybody may read these pages. The caller opens the listener, starts Run in a
// goroutine of its own and cancels the context to end it; Run closes the listener and leaves no goroutine behind.
package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// drain is how long requests that are under way may take once the server is told to stop.
const drain = 2 * time.Second

// Config is what a Server needs. Listener is required; it may already speak TLS.
type Config struct {
	Listener net.Listener
	Logger   *slog.Logger         // nil for none
	Registry *prometheus.Registry // nil for an empty one
	Ready    *Ready               // nil for a new one, see Server.Ready
	Pprof    bool                 // also serve /debug/pprof, which can slow the process and shows its memory
}

// Server is made by New and used by one Run.
type Server struct {
	listener net.Listener
	logger   *slog.Logger
	ready    *Ready
	http     *http.Server
}

// New makes a server that does not serve yet.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Ready == nil {
		c.Ready = NewReady()
	}
	errorLog := slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", c.Ready.serve)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Registry, promhttp.HandlerOpts{
		ErrorLog: errorLog,
		// One collector that fails must not hide the numbers of the others.
		ErrorHandling: promhttp.ContinueOnError,
	}))
	write := 30 * time.Second
	if c.Pprof {
		profiles(mux)
		write = 5 * time.Minute // a profile is written after the time it covers
	}
	return &Server{
		listener: c.Listener, logger: c.Logger, ready: c.Ready,
		http: &http.Server{
			Handler: mux, ErrorLog: errorLog,
			ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: write, IdleTimeout: time.Minute,
			MaxHeaderBytes: 16 << 10,
		},
	}
}

// Ready is the set of checks that /readyz shows.
func (s *Server) Ready() *Ready { return s.ready }

// Addr is where the server listens, with the port that was picked when the listener asked for any.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, which is no error, or until the listener fails. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	s.logger.Info("operations endpoint", "address", s.Addr())
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve operations endpoint on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := s.http.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // whoever still reads a profile or a slow answer loses it
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("stop operations endpoint on %s: %w", s.Addr(), err)
	}
	return nil
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the client went away; there is nobody to tell
}

func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
