package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/spec"
)

const serverEnv = "WEIR_TEST_SERVER" // set: this process is the server that the benchmark asks

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		serve()
		return
	}
	goleak.VerifyTestMain(m)
}

// answer is an answer of an instance.
func answer(w http.ResponseWriter, status int) {
	w.Header().Set(load.HeaderAnswered, "web-1")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "hello")
}

func entry(endpoints ...spec.Endpoint) spec.Service {
	return spec.Service{Name: "web", Protocol: spec.HTTP, Endpoints: endpoints}
}

func home() spec.Endpoint { return spec.Endpoint{Method: "GET", Path: "/", Weight: 1} }

// generator is a load generator that runs until the test ends.
type generator struct {
	t     *testing.T
	cfg   load.Config
	admin string
	stop  func() error
}

// start runs a generator against a server. The zero fields of cfg are filled in.
func start(t *testing.T, cfg load.Config, target string) *generator {
	t.Helper()
	cfg.Target, cfg.Admin, cfg.Host = netip.MustParseAddrPort(target), free(t), "shop.example"
	cfg.Ledger = filepath.Join(t.TempDir(), "load.ledger")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- load.Run(ctx, cfg) }()
	g := &generator{t: t, cfg: cfg, admin: "http://" + cfg.Admin.String()}
	g.stop = func() error {
		cancel()
		err := <-done
		done <- err
		http.DefaultClient.CloseIdleConnections()
		return err
	}
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("the generator failed: %v", err)
		}
	})
	g.wait("it is ready", func() bool {
		resp, err := http.Get(g.admin + "/ready")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	return g
}

// free is an address that nobody listens on.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// wait looks again and again whether something is so.
func (g *generator) wait(what string, is func() bool) {
	g.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			g.t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// do asks the admin address.
func (g *generator) do(method, path string, in, out any) error {
	g.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		g.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.admin+path, bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, reason)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (g *generator) must(method, path string, in, out any) {
	g.t.Helper()
	if err := g.do(method, path, in, out); err != nil {
		g.t.Fatal(err)
	}
}

// counts returns what was counted so far.
func (g *generator) counts() (c load.Counts) {
	g.t.Helper()
	g.must(http.MethodGet, "/counts", nil, &c)
	return c
}

// pause returns the final counts.
func (g *generator) pause() (c load.Counts) {
	g.t.Helper()
	g.must(http.MethodPut, "/pause", nil, &c)
	return c
}

// sent waits until so many requests have ended.
func (g *generator) sent(n uint64) {
	g.t.Helper()
	g.wait(fmt.Sprintf("%d requests have ended", n), func() bool { return g.counts().Sum.Sent() >= n })
}

// server runs a handler until the test ends and returns its address.
func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
