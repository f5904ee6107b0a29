package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// maxRequest is how much of a request's body is read, in bytes.
const maxRequest = 16 << 20

// server takes requests by one protocol.
type server interface {
	// serve returns nil once stop was called.
	serve(net.Listener) error
	// stop takes no more requests and returns when those under way are answered, or ctx ends: then they are cut off.
	stop(ctx context.Context) error
}

// httpServer speaks HTTP/1.1 and HTTP/2 without TLS.
type httpServer struct {
	instance *instance
	routes   routes
	server   *http.Server
}

func newHTTPServer(i *instance, tel *telemetry) *httpServer {
	s := &httpServer{instance: i, routes: newRoutes(i.cfg.Service.Endpoints)}
	instrumented := otelhttp.NewHandler(http.HandlerFunc(s.answer), "", tel.httpOptions()...)
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The template is known before the span begins, as with a router that is instrumented itself.
			if e := s.routes.find(r.Method, r.URL.Path); e != nil {
				r.Pattern = e.String()
			}
			instrumented.ServeHTTP(w, r)
		}),
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: 10 * time.Second,
	}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func (s *httpServer) answer(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
		http.Error(w, "The request's body could not be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	out := s.instance.handle(withRequestID(r.Context(), r.Header.Get(HeaderRequestID)), request{
		endpoint: s.routes.byName[r.Pattern], caller: r.Header.Get(HeaderCaller), region: r.Header.Get(HeaderRegion),
		password: r.Header.Get(HeaderPassword),
	})
	header := w.Header()
	header.Set(HeaderAnswered, s.instance.cfg.Pod)
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.Itoa(out.bytes))
	w.WriteHeader(out.status.meaning().http)
	io.Copy(w, out.body()) //nolint:errcheck // the client went away; there is nobody to tell
}

// body is what is answered: all of one letter, another one if it is wrong.
func (r reply) body() io.Reader {
	letter := []byte{'.'}
	if r.wrong {
		letter[0] = '!'
	}
	return bytes.NewReader(bytes.Repeat(letter, r.bytes))
}

func (s *httpServer) serve(l net.Listener) error {
	if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *httpServer) stop(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		return errors.Join(err, s.server.Close())
	}
	return nil
}
