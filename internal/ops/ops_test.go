package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server for the length of the test and fails it when Run does not end well.
func serve(t *testing.T, c ops.Config) *ops.Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Listener = listener
	server := ops.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return server
}

func request(t *testing.T, method string, s *ops.Server, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // so that no idle connection of this client outlives the test
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestPages(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_test_total", Help: "x"})
	registry.MustRegister(counter)
	counter.Add(3)
	s := serve(t, ops.Config{Registry: registry})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/healthz", 200, "ok\n"},
		{"HEAD", "/healthz", 200, ""},
		{"POST", "/healthz", 405, ""},
		{"GET", "/metrics", 200, "weir_test_total 3\n"},
		{"GET", "/readyz", 503, `"has not started"`},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/", 404, ""},
	} {
		if status, body := request(t, tt.method, s, tt.path); status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s %s = %d %q, want %d with %q", tt.method, tt.path, status, body, tt.status, tt.body)
		}
	}
}

func TestPprofWhenAsked(t *testing.T) {
	s := serve(t, ops.Config{Pprof: true})
	if status, body := request(t, "GET", s, "/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %q", status, body)
	}
}

func TestReadiness(t *testing.T) {
	ready := ops.NewReady("clickhouse", "kafka")
	s := serve(t, ops.Config{Ready: ready})
	down := errors.New("connection refused")
	type item struct{ Check, Why string }
	for _, step := range []struct {
		name string
		set  func()
		want []item
	}{
		{"start", func() {}, []item{{"clickhouse", "has not started"}, {"kafka", "has not started"}}},
		{"one up, one down", func() { ready.Set("kafka", nil); ready.Set("clickhouse", down) }, []item{{"clickhouse", "connection refused"}}},
		{"both up", func() { ready.Set("clickhouse", nil) }, []item{}},
		{"a new one", func() { ready.Set("disk", down) }, []item{{"disk", "connection refused"}}},
	} {
		step.set()
		status, body := request(t, "GET", s, "/readyz")
		var got []item
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: %q: %v", step.name, body, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(step.want) || (status == 200) != (len(step.want) == 0) || (s.Ready().Err() == nil) != (len(step.want) == 0) {
			t.Errorf("%s: %d %v, want %v", step.name, status, got, step.want)
		}
	}
	select {
	case <-ready.First(): // and stays, whatever comes later
	default:
		t.Error("First is open after all were ready")
	}
	select {
	case <-ops.NewReady("kafka").First():
		t.Error("First is closed before anything was ready")
	default:
	}
	if !errors.Is(ready.Err(), down) || !strings.Contains(ready.Err().Error(), "disk") {
		t.Errorf("Err = %v", ready.Err())
	}
}

func TestReadyIsSafeForConcurrentUse(t *testing.T) {
	ready := ops.NewReady()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				ready.Set(fmt.Sprint(i), errors.New("x"))
				_ = ready.Err()
				ready.Set(fmt.Sprint(i), nil)
			}
		})
	}
	wg.Wait()
	if err := ready.Err(); err != nil {
		t.Error(err)
	}
}

func TestRunReportsAListenerThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ops.New(ops.Config{Listener: listener}).Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}

// TestRunEndsWhileAClientHangs opens a connection that never finishes its request: it must not hold the process up.
func TestRunEndsWhileAClientHangs(t *testing.T) {
	var conn net.Conn
	t.Cleanup(func() { _ = conn.Close() }) // cleanups run backwards: the server has to end first, with the client still hanging
	s := serve(t, ops.Config{})
	var err error
	if conn, err = net.Dial("tcp", s.Addr()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
}
