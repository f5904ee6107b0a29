package service

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

// httpClient asks services that speak HTTP/1.1, over connections that are kept. All of one instance share the pool.
type httpClient struct {
	cfg    Config
	client *http.Client
	host   string
}

func newHTTPClient(cfg Config, dialer *net.Dialer, tel *telemetry) *httpClient {
	pool := &http.Transport{
		// Whatever the host, the way leads through the instance's own proxy, which tells hosts apart.
		DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(host)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, net.JoinHostPort(cfg.Outbound.String(), port))
		},
		MaxIdleConns: 128, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, DisableCompression: true,
		ReadBufferSize: 2048, WriteBufferSize: 2048,
	}
	instrumented := otelhttp.NewTransport(markedTransport{pool}, tel.httpOptions()...)
	return &httpClient{cfg: cfg, client: &http.Client{Transport: instrumented}}
}

// markedTransport sits between the instrumentation and the connections.
type markedTransport struct{ pool *http.Transport }

// RoundTrip marks the client span.
func (t markedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	underSpan(r.Context())
	return t.pool.RoundTrip(r)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (t markedTransport) CloseIdleConnections() { t.pool.CloseIdleConnections() }

// to returns the client for one host.
func (c httpClient) to(host string) *httpClient {
	c.host = host
	return &c
}

// requestBytes is how large a body requests have that have one.
const requestBytes = 64

func (c *httpClient) ask(ctx context.Context, e spec.Endpoint, path string) string {
	size := requestBytes
	if e.Method == http.MethodGet || e.Method == http.MethodHead || e.Method == http.MethodDelete {
		size = 0
	}
	return c.send(ctx, e.Method, path, size)
}

func (c *httpClient) post(ctx context.Context, path string, size int) string {
	return c.send(ctx, http.MethodPost, path, size)
}

func (c *httpClient) send(ctx context.Context, method, path string, size int) string {
	var body io.Reader
	if size > 0 {
		body = bytes.NewReader(make([]byte, size))
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.host+path, body)
	if err != nil {
		return ledger.Transport
	}
	r.Header.Set(HeaderCaller, c.cfg.Service.Name)
	r.Header.Set(HeaderRegion, c.cfg.Region)
	if id := requestID(ctx); id != "" {
		r.Header.Set(HeaderRequestID, id)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return ofFailure(ctx)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return ofFailure(ctx)
	}
	return ofHTTP(answer.StatusCode, answer.Header.Get(HeaderAnswered) != "")
}

// ofFailure is the outcome of a call without an answer.
func ofFailure(ctx context.Context) string {
	if ctx.Err() != nil {
		return ledger.Timeout
	}
	return ledger.Transport
}

func (c *httpClient) close() error {
	c.client.CloseIdleConnections()
	return nil
}
