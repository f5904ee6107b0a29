package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers in a lab's folder as the supervisor does, and returns the folder.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, control.Socket))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close() // the one on TCP that it came with
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return dir
}

// TestClient holds what each method asks, and what it makes of the answer.
func TestClient(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fault := spec.Fault{Kind: spec.Delay, Service: "catalog", Size: 200}
	held := control.Fault{Truth: spec.Truth{ID: "delay-1", Class: spec.Failure, Fault: fault, From: began}, Until: began.Add(time.Minute)}
	status := control.Status{Phase: control.Ready, Name: "shop", Started: began, Faults: []control.Fault{held}}
	counts := ledger.Counts{{Side: ledger.Received, From: "web", To: "cart", Endpoint: "GET /carts/{id}", Outcome: ledger.OK}: 7}
	recorded := control.Recorded{Dir: "/tmp/x", Requests: map[string]uint64{"traces": 3}, Bytes: 9}
	type client = *control.Client
	for _, tt := range []struct {
		name string
		call func(context.Context, client) (any, error)
		want string // method, path, body
		back any    // the answer, and what the method returns
	}{
		{
			"status", func(ctx context.Context, c client) (any, error) { return c.Status(ctx) }, "GET /status ", status,
		},
		{
			"fault", func(ctx context.Context, c client) (any, error) {
				return c.Fault(ctx, control.NewFault{Fault: fault, Length: time.Minute})
			}, `POST /faults {"kind":"delay","service":"catalog","size":200,"length":60000000000}`, held,
		},
		{
			"end", func(ctx context.Context, c client) (any, error) { return c.EndFault(ctx, "a/b c") }, "DELETE /faults/a%2Fb%20c ", held,
		},
		{
			"counts", func(ctx context.Context, c client) (any, error) { return c.Counts(ctx) }, "GET /counts ", counts,
		},
		{
			"load", func(ctx context.Context, c client) (any, error) {
				var out map[string]int
				return out, c.Load(ctx, http.MethodPut, "/rate", map[string]int{"factor": 2}, &out)
			}, `PUT /load/rate {"factor":2}`, map[string]int(nil),
		},
		{
			"tracing", func(ctx context.Context, c client) (any, error) { return nil, c.Tracing(ctx, false) }, "PUT /tracing false", nil,
		},
		{
			"record", func(ctx context.Context, c client) (any, error) { return nil, c.Record(ctx, "/tmp/x") }, `POST /recording "/tmp/x"`, nil,
		},
		{
			"stop recording", func(ctx context.Context, c client) (any, error) { return c.StopRecording(ctx) }, "DELETE /recording ", recorded,
		},
		{
			"down", func(ctx context.Context, c client) (any, error) { return nil, c.Down(ctx) }, "POST /down ", nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked string
			c := control.New(serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				asked = r.Method + " " + r.URL.EscapedPath() + " " + string(body)
				if err := json.NewEncoder(w).Encode(tt.back); err != nil {
					t.Error(err)
				}
			}))
			got, err := tt.call(t.Context(), c)
			if err != nil || asked != tt.want || !reflect.DeepEqual(got, tt.back) {
				t.Errorf("asked %q, want %q\ngot %+v, want %+v, %v", asked, tt.want, got, tt.back, err)
			}
		})
	}
}

// TestErrorsHaveTheLabsText says what went wrong in the lab's words, and that the lab does run.
func TestErrorsHaveTheLabsText(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"refused", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `no service is named "catalg": did you mean catalog?`, http.StatusBadRequest)
		}, `the lab says: no service is named "catalg": did you mean catalog?`},
		{"failed", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "apply: connection refused", http.StatusInternalServerError)
		}, "the lab says: apply: connection refused"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{") }, "GET /status: read the answer: "},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "GET /status: read the answer: "},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "GET /status: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := control.New(serve(t, tt.answer)).Status(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || errors.Is(err, control.ErrNotRunning) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// TestNotRunning tells a lab that does not run, or was killed, from one that does.
func TestNotRunning(t *testing.T) {
	if _, err := control.New(t.TempDir()).Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := control.New(filepath.Join(t.TempDir(), "none")).Counts(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("no folder: %v", err)
	}
	killed := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(killed, control.Socket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = control.New(killed).Down(t.Context())
	if !errors.Is(err, control.ErrNotRunning) || !strings.Contains(err.Error(), "weir lab up") {
		t.Errorf("a socket that nobody answers: %v", err)
	}
}

// TestCallerGivesUp ends with the context's error, so that Ctrl-C is no failure of the lab.
func TestCallerGivesUp(t *testing.T) {
	asked := make(chan struct{})
	c := control.New(serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-asked; stop() }()
	if err := c.Load(ctx, http.MethodPut, "/pause", nil, nil); !errors.Is(err, context.Canceled) || errors.Is(err, control.ErrNotRunning) {
		t.Error(err)
	}
}
