package supervisor

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/dial"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/spec"
)

func TestPortsAreDistinct(t *testing.T) {
	p, err := choosePorts(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	all := append(append(append([]string{p.Broker, p.ClickHouse, p.Ops, p.Load, p.Internet}, p.OTLP...), p.OTLPHTTP...), p.CollectorOps...)
	for _, at := range all {
		if at == "" || seen[at] {
			t.Errorf("%q is given twice, or not at all: %q", at, all)
		}
		seen[at] = true
	}
	if len(p.OTLP) != 3 || len(p.OTLPHTTP) != 3 || len(p.CollectorOps) != 3 {
		t.Errorf("not every region has its ports: %+v", p)
	}
}

// TestTakenPortsAreNamed: a program that listens on all addresses would keep pods from listening on theirs.
func TestTakenPortsAreNamed(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening at %v", l.Addr())
	}
	s := &Supervisor{network: loopback.Default(), cfg: Config{Lab: spec.Lab{Mesh: spec.Mesh{Services: []spec.Service{{Name: "cart", Port: address.Port}}}}}}
	err = s.checkFree(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(address.Port)) || !strings.Contains(err.Error(), "service cart") {
		t.Errorf("a port that is taken: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		code int
		body string
	}{
		{"well", nil, http.StatusOK, `"done"`},
		{"the caller's mistake", fmt.Errorf("%w: no such service", errBadRequest), http.StatusBadRequest, "no such service"},
		{"no such fault", fmt.Errorf("%w: delay-9", dial.ErrNotHeld), http.StatusNotFound, "delay-9"},
		{"trouble", errors.New("disk full"), http.StatusInternalServerError, "disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			answer(func(*http.Request) (any, error) { return "done", tt.err })(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("answered %d %q, want %d %q", w.Code, w.Body, tt.code, tt.body)
			}
		})
	}
}

func TestUnreadableRequestsAreTheCallersMistake(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/faults", strings.NewReader("{"))
	if err := decode(r, &struct{}{}); !errors.Is(err, errBadRequest) {
		t.Errorf("decoding half an object: %v", err)
	}
}

func TestTheLastLineOfALog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "part.log")
	if err := os.WriteFile(log, []byte("first\nlibrary is missing\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lastLine(log); got != "library is missing" {
		t.Errorf("the last line is %q", got)
	}
	if got := lastLine(log + ".none"); !strings.Contains(got, "no such file") {
		t.Errorf("of a log that is not there: %q", got)
	}
}

// TestEndpointsOfAProxy reads what Envoy answers to GET /clusters.
func TestEndpointsOfAProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "outbound|8080||cart.shop.svc.cluster.local::observability_name::x\n"+
			"outbound|8080||cart.shop.svc.cluster.local::127.65.0.1:8080::health_flags::healthy\n"+
			"outbound|8080||cart.shop.svc.cluster.local::127.65.64.1:8080::health_flags::/failed_eds_health\n"+
			"outbound|8080||web.shop.svc.cluster.local::127.66.0.1:8080::cx_active::0\n")
	}))
	defer proxy.Close()
	at, err := netip.ParseAddrPort(proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	known, err := endpoints(t.Context(), agent.Instance{Pod: "web-1", Envoy: at})
	if err != nil || known["outbound|8080||cart.shop.svc.cluster.local"] != 1 || len(known) != 1 {
		t.Errorf("known %v, %v", known, err)
	}
}
