package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/controlplane"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/toolbox"
)

// reports is an OTLP receiver that remembers who reported what.
type reports struct {
	ptraceotlp.UnimplementedGRPCServer
	mu   sync.Mutex
	seen map[string]int
}

func (r *reports) add(signal string, a pcommon.Map) {
	var all []string
	for k, v := range a.All() {
		all = append(all, k+"="+v.AsString())
	}
	slices.Sort(all)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[signal+": "+strings.Join(all, " ")]++
}

func (r *reports) Export(_ context.Context, q ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	for _, rs := range q.Traces().ResourceSpans().All() {
		r.add("spans "+rs.ScopeSpans().At(0).Scope().Name(), rs.Resource().Attributes())
	}
	return ptraceotlp.NewExportResponse(), nil
}

type metricReports struct {
	pmetricotlp.UnimplementedGRPCServer
	*reports
}

func (r *metricReports) Export(_ context.Context, q pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	for _, rm := range q.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.add("metric "+m.Name(), rm.Resource().Attributes())
			}
		}
	}
	return pmetricotlp.NewExportResponse(), nil
}

type logReports struct {
	plogotlp.UnimplementedGRPCServer
	*reports
}

func (r *logReports) Export(_ context.Context, q plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	for _, rl := range q.Logs().ResourceLogs().All() {
		r.add("logs", rl.Resource().Attributes())
	}
	return plogotlp.NewExportResponse(), nil
}

func receive(t *testing.T, at netip.AddrPort) *reports {
	t.Helper()
	r := &reports{seen: map[string]int{}}
	l, err := net.Listen("tcp", at.String()) //nolint:noctx // it is there at once
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(s, r)
	pmetricotlp.RegisterGRPCServer(s, &metricReports{reports: r})
	plogotlp.RegisterGRPCServer(s, &logReports{reports: r})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// mesh is the default lab, whole: real objects in a real API server, istiod, an Envoy and a service process for each pod.
type mesh struct {
	*agent.Agent
	t         *testing.T
	began     time.Time
	lab       spec.Lab
	plane     *controlplane.ControlPlane
	api       dynamic.Interface
	telemetry *reports
	entry     string // URL of the gateway
}

func startMesh(t *testing.T) *mesh {
	t.Helper()
	if testing.Short() || os.Getenv("WEIR_LAB_TEST") == "" {
		t.Skip("starts a whole mesh: set WEIR_LAB_TEST=1")
	}
	base, err := toolbox.Base()
	if err != nil {
		t.Skip(err)
	}
	tools, err := toolbox.Open(base)
	if err != nil {
		t.Skip(err)
	}
	m := &mesh{t: t, began: time.Now(), lab: spec.Default()}
	c := config(t)
	c.Mark, c.Envoy, c.Logger = c.Run, tools.Path(toolbox.Envoy), slog.New(slog.NewTextHandler(t.Output(), nil))
	c.Telemetry = netip.AddrPortFrom(place(t, objects.DefaultOptions().Telemetry.Addr(), loopback.Inbound), objects.DefaultOptions().Telemetry.Port())
	if c.Service, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	m.telemetry = receive(t, c.Telemetry)
	m.startPlane(controlplane.Config{
		Tools: tools, Run: c.Run, Mark: c.Mark, Network: c.Network, Cluster: "lab", StartLag: m.lab.Mesh.StartLag, Logger: c.Logger,
	})
	c.XDS, c.API = m.plane.XDS, m.api
	m.startAgent(c)
	return m
}

func place(t *testing.T, pod netip.Addr, role loopback.Role) netip.Addr {
	t.Helper()
	at, err := loopback.Default().Place(pod, role)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (m *mesh) log(what string) { m.t.Logf("%6.2f s: %s", time.Since(m.began).Seconds(), what) }

// startPlane starts the control plane and applies the lab's objects.
func (m *mesh) startPlane(c controlplane.Config) {
	m.t.Helper()
	var err error
	if m.plane, err = controlplane.Start(m.t.Context(), c, nil); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.plane.Stop(context.WithoutCancel(m.t.Context())) })
	m.log("the control plane is ready")
	all, err := objects.Render(m.lab, objects.DefaultOptions())
	if err != nil {
		m.t.Fatal(err)
	}
	if err := objects.Apply(m.t.Context(), m.plane.Rest, all); err != nil {
		m.t.Fatal(err)
	}
	m.log(fmt.Sprintf("%d objects are applied", len(all)))
	quick := rest.CopyConfig(m.plane.Rest)
	quick.QPS, quick.Burst = 200, 200
	if m.api, err = dynamic.NewForConfig(quick); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mesh) startAgent(c agent.Config) {
	m.t.Helper()
	var err error
	if m.Agent, err = agent.New(c); err != nil {
		m.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(m.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	m.t.Cleanup(func() {
		m.log("the agent is told to stop")
		stop()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
		m.log("all instances are down")
	})
}

// instance returns the first instance of a service; "" = the gateway.
func (m *mesh) instance(service string) agent.Instance {
	m.t.Helper()
	for _, i := range m.Instances() {
		if i.Service == service && i.State == agent.Serving {
			return i
		}
	}
	m.t.Fatalf("no instance of %q serves", service)
	return agent.Instance{}
}

// ready returns how many pods are Ready, in the eyes of the cluster.
func (m *mesh) ready() int {
	list, err := m.api.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).List(m.t.Context(), metav1.ListOptions{})
	if err != nil {
		return 0
	}
	n := 0
	for _, p := range list.Items {
		if strings.Contains(fmt.Sprint(p.Object["status"]), "status:True type:Ready") {
			n++
		}
	}
	return n
}

// ask makes a request as a client outside does, and returns its status code; 0 if there was no answer.
func (m *mesh) ask(method, path string) int {
	at := place(m.t, m.instance("").IP, loopback.Outbound)
	r, err := http.NewRequestWithContext(m.t.Context(), method, fmt.Sprintf("http://%s:%d%s", at, objects.GatewayPort, path), nil)
	if err != nil {
		m.t.Error(err)
		return 0
	}
	r.Host, r.Close = objects.Host(m.lab), true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func (m *mesh) scale(deployment string, replicas int) {
	m.t.Helper()
	_, err := m.api.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace("shop").
		Patch(m.t.Context(), deployment, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestMesh(t *testing.T) {
	m := startMesh(t)
	soon(t, "all pods are Ready", func() bool { return m.ready() == 18 })
	m.log("all pods are Ready")
	soon(t, "the virtual machine serves", func() bool { return slices.ContainsFunc(m.Instances(), func(i agent.Instance) bool { return i.VM }) })
	for _, what := range []string{"GET /", "GET /products/7", "GET /cart", "POST /cart", "POST /checkout"} {
		method, path, _ := strings.Cut(what, " ")
		soon(t, what+" is answered", func() bool { return m.ask(method, path) == http.StatusOK })
	}
	m.log("every endpoint answers")

	if err := syscall.Kill(m.instance("payment").Processes[0].Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	soon(t, "a pod is not Ready any more", func() bool { return m.ready() == 17 })
	soon(t, "it is Ready again", func() bool { return m.ready() == 18 })
	m.log("a pod whose process was killed is Ready again")

	for _, p := range m.plane.Processes() {
		if strings.Contains(p.Name(), "istiod") {
			if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.scale("payment-v1", 3)
	soon(t, "new pods are Ready", func() bool { return m.ready() == 20 })
	m.log("two new pods are Ready though istiod was killed")
	soon(t, "a new pod gets requests", func() bool { return m.ask(http.MethodPost, "/checkout") == http.StatusOK && m.paid() == 3 })
	m.log("all three pods get requests")

	m.scale("payment-v1", 1)
	for m.running("payment") > 1 {
		if got := m.ask(http.MethodPost, "/checkout"); got != http.StatusOK {
			t.Errorf("while pods go, a client gets %d", got)
		}
	}
	m.log("two pods are gone, and no client has noticed")
	m.reported()
}

// running returns how many instances of a service there are, whatever they do.
func (m *mesh) running(service string) int {
	n := 0
	for _, i := range m.Instances() {
		if i.Service == service {
			n++
		}
	}
	return n
}

// paid returns how many instances of payment have reported spans of their own.
func (m *mesh) paid() int {
	m.telemetry.mu.Lock()
	defer m.telemetry.mu.Unlock()
	n := 0
	for what := range m.telemetry.seen {
		if strings.HasPrefix(what, "spans go.") && strings.Contains(what, "service.name=payment") {
			n++
		}
	}
	return n
}

// reported checks who says what: a proxy and its service are the same instance.
func (m *mesh) reported() {
	m.t.Helper()
	who := "service.instance.id=" + m.instance("checkout").Pod + " service.name=checkout service.version=v1"
	for _, what := range []string{
		"spans envoy", "spans go.opentelemetry.io", "metric cluster.upstream_rq_total", "metric cluster.upstream_rq_xx",
		"metric http.downstream_rq_total", "metric server.memory_allocated", "metric go.memory.used",
	} {
		soon(m.t, "checkout reports "+what, func() bool {
			m.telemetry.mu.Lock()
			defer m.telemetry.mu.Unlock()
			for seen := range m.telemetry.seen {
				if strings.HasPrefix(seen, what) && strings.Contains(seen, who) {
					return true
				}
			}
			return false
		})
	}
	cpu := map[agent.Role]time.Duration{}
	for _, i := range m.Instances() {
		for _, p := range i.Processes {
			used, err := process.CPU(p.Pid)
			if err != nil {
				m.t.Error(err)
			}
			cpu[p.Role] += used
		}
	}
	m.log(fmt.Sprintf("CPU time until now: %v", cpu))
}

func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for !so() {
		select {
		case <-late.C:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}
