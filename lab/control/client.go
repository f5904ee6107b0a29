package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"

	"github.com/weirmesh/weir/lab/ledger"
)

// ErrNotRunning is wrapped by every method of Client when no lab answers.
var ErrNotRunning = errors.New("no lab is running: start one with `weir lab up`")

// Client speaks with the lab in a folder.
type Client struct {
	http *http.Client
}

// New returns a client of the lab in the folder dir. It connects when it is used.
func New(dir string) *Client {
	socket := filepath.Join(dir, Socket)
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status returns what the lab is doing.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Fault begins a fault.
func (c *Client) Fault(ctx context.Context, f NewFault) (out Fault, err error) {
	err = c.do(ctx, http.MethodPost, "/faults", f, &out)
	return out, err
}

// EndFault ends one.
func (c *Client) EndFault(ctx context.Context, id string) (out Fault, err error) {
	err = c.do(ctx, http.MethodDelete, "/faults/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Load asks the load generator: method and path are those of its own interface.
func (c *Client) Load(ctx context.Context, method, path string, in, out any) error {
	return c.do(ctx, method, "/load"+path, in, out)
}

// Counts returns what really happened so far.
func (c *Client) Counts(ctx context.Context) (out ledger.Counts, err error) {
	err = c.do(ctx, http.MethodGet, "/counts", nil, &out)
	return out, err
}

// Tracing turns tracing and access logs of the whole mesh on or off, through Istio's Telemetry API.
func (c *Client) Tracing(ctx context.Context, on bool) error {
	return c.do(ctx, http.MethodPut, "/tracing", on, nil)
}

// Record begins to write what the mesh reports to a folder.
func (c *Client) Record(ctx context.Context, dir string) error {
	return c.do(ctx, http.MethodPost, "/recording", dir, nil)
}

// StopRecording ends it.
func (c *Client) StopRecording(ctx context.Context) (out Recorded, err error) {
	err = c.do(ctx, http.MethodDelete, "/recording", nil, &out)
	return out, err
}

// Down asks the lab to stop; it goes on doing so after Down returned.
func (c *Client) Down(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/down", nil, nil)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	what := method + " " + path
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	answer, err := c.http.Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the lab says: %s", bytes.TrimSpace(text))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", what, err)
	}
	return nil
}

const maxAnswer = 64 << 20
