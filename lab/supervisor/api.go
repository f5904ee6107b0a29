package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/dial"
	"github.com/weirmesh/weir/lab/ledger"
)

// serve answers on the lab's socket until ctx ends.
func (s *Supervisor) serve(ctx context.Context) error {
	path := filepath.Join(s.cfg.Run, control.Socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen on the lab's socket: %w", err)
	}
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the lab's socket: %w", err)
	}
	return nil
}

func (s *Supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", answer(func(*http.Request) (any, error) { return s.Status() }))
	mux.HandleFunc("POST /faults", s.whenReady(func(r *http.Request) (any, error) {
		var f control.NewFault
		if err := decode(r, &f); err != nil {
			return nil, err
		}
		return s.begin(r.Context(), f)
	}))
	mux.HandleFunc("DELETE /faults/{id}", s.whenReady(func(r *http.Request) (any, error) { return s.end(r.Context(), r.PathValue("id")) }))
	mux.HandleFunc("GET /counts", answer(func(*http.Request) (any, error) { return ledger.Read(filepath.Join(s.cfg.Run, "ledger")) }))
	mux.HandleFunc("PUT /tracing", s.whenReady(func(r *http.Request) (any, error) {
		var on bool
		if err := decode(r, &on); err != nil {
			return nil, err
		}
		return nil, s.setTracing(r.Context(), on)
	}))
	mux.HandleFunc("POST /recording", s.whenReady(func(r *http.Request) (any, error) {
		var dir string
		if err := decode(r, &dir); err != nil {
			return nil, err
		}
		return nil, s.record(dir)
	}))
	mux.HandleFunc("DELETE /recording", s.whenReady(func(*http.Request) (any, error) { return s.stopRecording() }))
	mux.HandleFunc("POST /down", answer(func(*http.Request) (any, error) { s.stop(); return nil, nil }))
	mux.Handle("/load/", http.StripPrefix("/load", s.loadProxy()))
	return mux
}

// errNotReady is answered to what needs a mesh that is there.
var errNotReady = errors.New("the lab is not ready: `weir lab status` says how far it is")

// whenReady answers only while the whole mesh is there.
func (s *Supervisor) whenReady(f func(*http.Request) (any, error)) http.HandlerFunc {
	return answer(func(r *http.Request) (any, error) {
		if !s.is(control.Ready) {
			return nil, errNotReady
		}
		return f(r)
	})
}

// loadProxy hands requests on to the load generator.
func (s *Supervisor) loadProxy() http.Handler {
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.ports.Load})
}

// maxRequest is more than any request to the lab needs.
const maxRequest = 1 << 20

// errBadRequest marks what the caller did wrong.
var errBadRequest = errors.New("bad request")

func decode(r *http.Request, out any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(out); err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return nil
}

// answer turns what f returns into JSON, and its error into a status and one line of text.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the caller went away
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, dial.ErrNotHeld):
		return http.StatusNotFound
	case errors.Is(err, errNotReady):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
