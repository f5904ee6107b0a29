package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// childConfig tells the test binary to be an instance.
const childConfig = "SERVICE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		cfg, err := service.ReadConfig(path)
		if err == nil {
			err = service.Run(context.Background(), cfg)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

var local = netip.MustParseAddr("127.0.0.1")

// ports counts those that were given out.
var ports atomic.Int64

// freePort returns a port that nobody listens on, another one each time, from a range that systems do not give to outgoing connections:
// one of those could take it before it is used.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 16_000 + (os.Getpid()*397+int(ports.Add(1)))%16_000
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// quick is a version that works for a millisecond.
func quick() spec.Version {
	return spec.Version{Name: "v1", Region: "north", Slots: 4, Waiting: 16, Work: time.Millisecond}
}

func plain(t testing.TB, name string, endpoints ...spec.Endpoint) spec.Service {
	return spec.Service{
		Name: name, Protocol: spec.HTTP, Kind: spec.Plain, Port: freePort(t), Versions: []spec.Version{quick()}, Endpoints: endpoints,
	}
}

func get(path string, calls ...spec.Call) spec.Endpoint {
	return spec.Endpoint{Method: "GET", Path: path, Bytes: 10, Calls: calls}
}

func post(path string, calls ...spec.Call) spec.Endpoint {
	return spec.Endpoint{Method: "POST", Path: path, Bytes: 10, Calls: calls}
}

func callTo(name string) spec.Call { return spec.Call{To: name, Timeout: 5 * time.Second} }

// mesh is a handful of instances, one for each service, that reach each other without proxies.
type mesh struct {
	t        testing.TB
	services []spec.Service
	sink     *sink
	dir      string
}

func newMesh(t testing.TB, services ...spec.Service) *mesh {
	return &mesh{t: t, services: services, sink: newSink(t), dir: t.TempDir()}
}

func (m *mesh) config(s spec.Service) service.Config {
	return service.Config{
		Service: s, Version: s.Versions[0], All: m.services, Namespace: "shop", Cluster: "lab", Region: "north", Pod: s.Name + "-0",
		Seed: 7, Listen: local, Outbound: local, Admin: netip.AddrPortFrom(local, uint16(freePort(m.t))), Telemetry: m.sink.at,
		Ledger: filepath.Join(m.dir, s.Name+ledger.Extension),
	}
}

// instance is one that runs.
type instance struct {
	t    testing.TB
	cfg  service.Config
	stop func() error // returns what Run returned
}

// start runs an instance of each service.
func (m *mesh) start() map[string]*instance {
	m.t.Helper()
	out := map[string]*instance{}
	for _, s := range m.services {
		out[s.Name] = m.run(m.config(s))
	}
	return out
}

func (m *mesh) run(cfg service.Config) *instance {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, cfg) }()
	i := &instance{t: m.t, cfg: cfg, stop: sync.OnceValue(func() error {
		cancel()
		return <-ended
	})}
	m.t.Cleanup(func() {
		if err := i.stop(); err != nil {
			m.t.Errorf("%s: %v", cfg.Pod, err)
		}
	})
	i.awaitReady()
	return i
}

func (i *instance) awaitReady() {
	i.t.Helper()
	eventually(i.t, i.cfg.Pod+" is ready", func() bool { return i.admin("GET", "/ready", nil, nil) == http.StatusOK })
}

// eventually waits for something that has no signal.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// admin asks the admin address; 0 = nobody answers.
func (i *instance) admin(method, path string, in, out any) int {
	body, err := json.Marshal(in)
	if err != nil {
		i.t.Fatal(err)
	}
	r, err := http.NewRequest(method, "http://"+i.cfg.Admin.String()+path, strings.NewReader(string(body)))
	if err != nil {
		i.t.Fatal(err)
	}
	answer, err := oneShot().Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if out != nil {
		if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
			i.t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return answer.StatusCode
}

func oneShot() *http.Client { return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} }

func (i *instance) gauges() (g service.Gauges) {
	i.admin("GET", "/gauges", nil, &g)
	return g
}

func (i *instance) counts() (c ledger.Counts) {
	i.t.Helper()
	i.admin("GET", "/counts", nil, &c)
	return c
}

// set makes faults hold and returns how many of them the instance carries out.
func (i *instance) set(faults ...spec.Fault) int {
	i.t.Helper()
	if faults == nil {
		faults = []spec.Fault{}
	}
	var applied service.Applied
	if code := i.admin("PUT", "/faults", faults, &applied); code != http.StatusOK {
		i.t.Fatalf("faults were answered %d", code)
	}
	return len(applied.Faults)
}

func (i *instance) url(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", i.cfg.Service.Port, path)
}

// answer is what a client got; a status of 0 is none.
type answer struct {
	status int
	body   string
	header http.Header
	took   time.Duration
}

func (i *instance) ask(ctx context.Context, method, path string, headers ...string) answer {
	r, err := http.NewRequestWithContext(ctx, method, i.url(path), nil)
	if err != nil {
		i.t.Fatal(err)
	}
	for h := 0; h+1 < len(headers); h += 2 {
		r.Header.Set(headers[h], headers[h+1])
	}
	begin := time.Now()
	got, err := oneShot().Do(r)
	if err != nil {
		return answer{took: time.Since(begin)}
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{took: time.Since(begin)}
	}
	return answer{got.StatusCode, string(body), got.Header, time.Since(begin)}
}

func (i *instance) get(path string, headers ...string) answer {
	return i.ask(context.Background(), "GET", path, headers...)
}

func received(from, to, endpoint, outcome string) ledger.Key {
	return ledger.Key{Side: ledger.Received, From: from, To: to, Endpoint: endpoint, Outcome: outcome}
}

func attempted(from, to, endpoint, outcome string) ledger.Key {
	return ledger.Key{Side: ledger.Attempted, From: from, To: to, Endpoint: endpoint, Outcome: outcome}
}

// expectLedger compares what all instances of the mesh counted.
func (m *mesh) expectLedger(want ledger.Counts) {
	m.t.Helper()
	got, err := ledger.Read(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		m.t.Errorf("ledger:\n got %v\nwant %v", got, want)
	}
}

// sink is a collector that keeps what it gets.
type sink struct {
	at netip.AddrPort

	mu      sync.Mutex
	spans   []span
	logs    []string // severity, text and trace id
	metrics map[string]float64
}

type span struct {
	ptrace.Span
	resource map[string]any
}

func (s span) attribute(key string) any {
	v, ok := s.Attributes().Get(key)
	if !ok {
		return nil
	}
	return v.AsRaw()
}

func newSink(t testing.TB) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{at: netip.MustParseAddrPort(l.Addr().String()), metrics: map[string]float64{}}
	server := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, &traceSink{sink: s})
	plogotlp.RegisterGRPCServer(server, &logSink{sink: s})
	pmetricotlp.RegisterGRPCServer(server, &metricSink{sink: s})
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return s
}

type traceSink struct {
	ptraceotlp.UnimplementedGRPCServer
	*sink
}

func (s *traceSink) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range r.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, one := range ss.Spans().All() {
				s.spans = append(s.spans, span{one, rs.Resource().Attributes().AsRaw()})
			}
		}
	}
	return ptraceotlp.NewExportResponse(), nil
}

type logSink struct {
	plogotlp.UnimplementedGRPCServer
	*sink
}

func (s *logSink) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rl := range r.Logs().ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, one := range sl.LogRecords().All() {
				s.logs = append(s.logs, one.SeverityText()+" "+one.Body().AsString()+" "+one.TraceID().String())
			}
		}
	}
	return plogotlp.NewExportResponse(), nil
}

type metricSink struct {
	pmetricotlp.UnimplementedGRPCServer
	*sink
}

func (s *metricSink) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range r.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, one := range sm.Metrics().All() {
				for _, p := range one.Gauge().DataPoints().All() {
					s.metrics[one.Name()] = p.DoubleValue()
				}
			}
		}
	}
	return pmetricotlp.NewExportResponse(), nil
}

// all returns the spans that came so far.
func (s *sink) all() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]span(nil), s.spans...)
}

func (s *sink) allLogs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.logs...)
}

// of returns the spans of a service of a kind, once there are n of them, in the order they began.
func (s *sink) of(t testing.TB, name string, kind ptrace.SpanKind, n int) []span {
	t.Helper()
	var out []span
	eventually(t, fmt.Sprintf("%d spans %s of %s", n, kind, name), func() bool {
		out = nil
		for _, one := range s.all() {
			if one.resource["service.name"] == name && one.Kind() == kind {
				out = append(out, one)
			}
		}
		return len(out) >= n
	})
	return out
}
