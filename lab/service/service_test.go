package service_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// shop is web (HTTP) -> cart (gRPC) -> rows (a database, HTTP).
func shop(t testing.TB) *mesh {
	rows := plain(t, "rows", get("/rows/{id}"))
	rows.Kind = spec.Database
	cart := plain(t, "cart", post("/shop.Cart/Show", callTo("rows")))
	cart.Protocol = spec.GRPC
	return newMesh(t, plain(t, "web", get("/carts/{id}", callTo("cart"))), cart, rows)
}

func TestOneRequestIsOneTraceAndOneCountEverywhere(t *testing.T) {
	t.Parallel()
	m := shop(t)
	all := m.start()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	got := all["web"].get("/carts/17", "traceparent", "00-"+trace+"-"+parent+"-01", service.HeaderRequestID, "r-1")
	if got.status != http.StatusOK || got.body != ".........." || got.header.Get(service.HeaderAnswered) != "web-0" {
		t.Fatalf("got %+v", got)
	}
	m.expectLedger(ledger.Counts{
		received("", "web", "GET /carts/{id}", ledger.OK):           1,
		attempted("web", "cart", "POST /shop.Cart/Show", ledger.OK): 1,
		received("web", "cart", "POST /shop.Cart/Show", ledger.OK):  1,
		attempted("cart", "rows", "GET /rows/{id}", ledger.OK):      1,
		received("cart", "rows", "GET /rows/{id}", ledger.OK):       1,
	})
	web, cart := m.sink.of(t, "web", ptrace.SpanKindServer, 1)[0], m.sink.of(t, "cart", ptrace.SpanKindServer, 1)[0]
	webCall, cartCall := m.sink.of(t, "web", ptrace.SpanKindClient, 1)[0], m.sink.of(t, "cart", ptrace.SpanKindClient, 1)[0]
	rows := m.sink.of(t, "rows", ptrace.SpanKindServer, 1)[0]
	before := parent
	for _, s := range []span{web, webCall, cart, cartCall, rows} {
		if s.TraceID().String() != trace || s.ParentSpanID().String() != before {
			t.Errorf("%s: trace %s, parent %s, want %s", s.Name(), s.TraceID(), s.ParentSpanID(), before)
		}
		before = s.SpanID().String()
	}
	for what, is := range map[string][2]any{
		"route":    {web.attribute("http.route"), "/carts/{id}"},
		"name":     {web.Name(), "GET /carts/{id}"},
		"status":   {web.attribute("http.response.status_code"), int64(200)},
		"rpc":      {cart.attribute("rpc.method"), "shop.Cart/Show"},
		"system":   {cart.attribute("rpc.system.name"), "grpc"},
		"database": {cartCall.attribute("db.system.name"), "other_sql"},
		"resend":   {cartCall.attribute("http.request.resend_count"), nil},
		"host":     {cartCall.attribute("server.address"), "rows.shop"},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: got %v, want %v", what, is[0], is[1])
		}
	}
	resource := map[string]any{
		"service.name": "web", "service.version": "v1", "service.instance.id": "web-0", "k8s.pod.name": "web-0",
		"k8s.namespace.name": "shop", "k8s.cluster.name": "lab", "cloud.region": "north",
	}
	if !maps.Equal(web.resource, resource) {
		t.Errorf("resource %v", web.resource)
	}
}

func TestEndpointsAreFoundByTemplate(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/a/{id}"), get("/a/b"), post("/a/{id}"), get("/login")))
	web := m.start()["web"]
	for _, c := range []struct {
		method, path, password string
		status                 int
		endpoint, outcome      string
	}{
		{"GET", "/a/7", "", 200, "GET /a/{id}", ledger.OK},
		{"GET", "/a/b", "", 200, "GET /a/b", ledger.OK},
		{"POST", "/a/b", "", 200, "POST /a/{id}", ledger.OK},
		{"GET", "/a/", "", 404, "", ledger.ClientError},
		{"GET", "/a/7/8", "", 404, "", ledger.ClientError},
		{"DELETE", "/a/7", "", 404, "", ledger.ClientError},
		{"GET", "/login", "", 401, "GET /login", ledger.ClientError},
		{"GET", "/login", "right", 200, "GET /login", ledger.OK},
	} {
		before := web.counts()
		got := web.ask(t.Context(), c.method, c.path, service.HeaderPassword, c.password)
		after := web.counts()
		k := received("", "web", c.endpoint, c.outcome)
		if got.status != c.status || after[k] != before[k]+1 {
			t.Errorf("%s %s: %d, counted %v", c.method, c.path, got.status, after)
		}
	}
}

func TestGRPCCodes(t *testing.T) {
	t.Parallel()
	cart := plain(t, "cart", post("/shop.Cart/Show"), post("/shop.Users/Login"))
	cart.Protocol = spec.GRPC
	m := newMesh(t, cart)
	cart1 := m.start()["cart"]
	for _, c := range []struct {
		method, password string
		fault            spec.Fault
		code             codes.Code
	}{
		{"/shop.Cart/Show", "", spec.Fault{}, codes.OK},
		{"/shop.Cart/Nothing", "", spec.Fault{}, codes.Unimplemented},
		{"/shop.Users/Login", "wrong", spec.Fault{}, codes.Unauthenticated},
		{"/shop.Users/Login", "right", spec.Fault{}, codes.OK},
		{"/shop.Cart/Show", "", spec.Fault{Kind: spec.Errors, Size: 1}, codes.Internal},
		{"/shop.Cart/Show", "", spec.Fault{Kind: spec.RegionOutage}, codes.Unavailable},
	} {
		if c.fault.Kind != "" {
			cart1.set(c.fault)
		}
		if got := cart1.invoke(c.method, c.password); got != c.code {
			t.Errorf("%s: %s, want %s", c.method, got, c.code)
		}
	}
	m.expectLedger(ledger.Counts{
		received("", "cart", "POST /shop.Cart/Show", ledger.OK):            1,
		received("", "cart", "", ledger.ClientError):                       1,
		received("", "cart", "POST /shop.Users/Login", ledger.ClientError): 1,
		received("", "cart", "POST /shop.Users/Login", ledger.OK):          1,
		received("", "cart", "POST /shop.Cart/Show", ledger.ServerError):   1,
		received("", "cart", "POST /shop.Cart/Show", ledger.Refused):       1,
	})
}

func TestNoMoreThanSlotsAndWaitingAreTaken(t *testing.T) {
	t.Parallel()
	s := plain(t, "web", get("/"))
	s.Versions[0].Slots, s.Versions[0].Waiting, s.Versions[0].Work = 2, 3, 1500*time.Millisecond
	m := newMesh(t, s)
	web := m.start()["web"]
	ctx, leave := context.WithCancel(t.Context())
	var inside sync.WaitGroup
	for range 5 {
		inside.Go(func() { web.ask(ctx, "GET", "/") })
	}
	eventually(t, "two work and three wait", func() bool {
		g := web.gauges()
		return g.SlotsUsed == 2 && g.Waiting == 3
	})
	for range 4 {
		if got := web.get("/"); got.status != http.StatusServiceUnavailable {
			t.Errorf("one too many was answered %d", got.status)
		}
	}
	leave()
	eventually(t, "who waits leaves", func() bool { return web.gauges().Waiting == 0 })
	if g := web.gauges(); g.SlotsUsed == 0 {
		t.Error("work that has begun was given up")
	}
	inside.Wait()
	eventually(t, "all are counted", func() bool { return web.gauges().InFlight == 0 })
	m.expectLedger(ledger.Counts{received("", "web", "GET /", ledger.Refused): 4, received("", "web", "GET /", ledger.Timeout): 5})
}

// Requests of exactly 10 ms in 2 slots: 40 of them cannot be done in less than 200 ms, and slots are in use for 400 ms.
func TestCapacityIsSlotsOverWork(t *testing.T) {
	t.Parallel()
	s := plain(t, "web", get("/"))
	s.Versions[0].Slots, s.Versions[0].Waiting, s.Versions[0].Work = 2, 40, 10*time.Millisecond
	web := newMesh(t, s).start()["web"]
	begin := time.Now()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if got := web.get("/"); got.status != http.StatusOK {
				t.Errorf("got %+v", got)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("took %s", took)
	}
	if g := web.gauges(); g.BusySeconds < 0.4 || g.Utilization <= 0 || g.Utilization > 1 {
		t.Errorf("gauges %+v", g)
	}
}

func TestWhoCameFirstIsServedFirst(t *testing.T) {
	t.Parallel()
	slots := service.NewSlots(1, 10)
	if err := slots.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	var served []int // by who holds the slot
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if err := slots.Take(t.Context()); err != nil {
				t.Error(err)
			}
			served = append(served, i)
			slots.Free()
		})
		eventually(t, "it waits", func() bool { return slots.Waiting() == i+1 })
	}
	if err := slots.Take(t.Context()); err == nil {
		t.Error("there was room for one more")
	}
	slots.Free()
	all.Wait()
	if !slices.IsSorted(served) || len(served) != 10 {
		t.Errorf("served %v", served)
	}
}

// Callers give up at all times, also at the moment they get their slot: no slot is lost with them.
func TestNoSlotIsLostWithACaller(t *testing.T) {
	t.Parallel()
	s := plain(t, "web", get("/"))
	s.Versions[0].Slots, s.Versions[0].Waiting = 1, 100
	web := newMesh(t, s).start()["web"]
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(i%40)*time.Millisecond)
			defer stop()
			web.ask(ctx, "GET", "/")
		})
	}
	all.Wait()
	eventually(t, "nobody is inside", func() bool { g := web.gauges(); return g.InFlight == 0 && g.SlotsUsed == 0 && g.Waiting == 0 })
	if got := web.get("/"); got.status != http.StatusOK {
		t.Errorf("afterwards %+v", got)
	}
}

func TestWhatACalleeIsTold(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/", callTo("cart"))), plain(t, "cart", get("/carts/{id}/rows")))
	web := m.run(m.config(m.services[0]))
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", m.services[1].Port))
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan *http.Request, 1)
	cart := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r })}
	go cart.Serve(l)
	defer cart.Close()
	if got := web.get("/", service.HeaderRequestID, "r-1"); got.status != http.StatusOK {
		t.Fatalf("got %+v", got)
	}
	r := <-told
	if r.Host != fmt.Sprintf("cart.shop:%d", m.services[1].Port) || !regexp.MustCompile(`^/carts/\d+/rows$`).MatchString(r.URL.Path) {
		t.Errorf("asked %s for %s", r.Host, r.URL.Path)
	}
	for name, want := range map[string]string{
		service.HeaderRequestID: "r-1", service.HeaderCaller: "web", service.HeaderRegion: "north",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCallsAreMadeAgainAfterFailures(t *testing.T) {
	t.Parallel()
	web := plain(t, "web", get("/needs", spec.Call{To: "cart", Timeout: 5 * time.Second, Attempts: 3}),
		get("/tries", spec.Call{To: "cart", Timeout: 5 * time.Second, Optional: true}))
	m := newMesh(t, web, plain(t, "cart", get("/")))
	all := m.start()
	all["cart"].set(spec.Fault{Kind: spec.Errors, Size: 1})
	if got := all["web"].get("/needs"); got.status != http.StatusInternalServerError {
		t.Errorf("a call that is needed failed: %d", got.status)
	}
	if got := all["web"].get("/tries"); got.status != http.StatusOK {
		t.Errorf("an optional call failed: %d", got.status)
	}
	m.expectLedger(ledger.Counts{
		received("", "web", "GET /needs", ledger.ServerError): 1, received("", "web", "GET /tries", ledger.OK): 1,
		attempted("web", "cart", "GET /", ledger.ServerError): 4, received("web", "cart", "GET /", ledger.ServerError): 4,
	})
	resent := map[any]int{}
	for _, s := range m.sink.of(t, "web", ptrace.SpanKindClient, 4) {
		resent[s.attribute("http.request.resend_count")]++
	}
	if want := map[any]int{nil: 2, int64(1): 1, int64(2): 1}; !maps.Equal(resent, want) {
		t.Errorf("resent %v, want %v", resent, want)
	}
}

func TestOutcomesThatACallerSees(t *testing.T) {
	t.Parallel()
	web := plain(t, "web", get("/http", callTo("slow")), get("/grpc", callTo("late")), get("/gone", callTo("gone")), get("/down", callTo("down")))
	for i := range 2 {
		web.Endpoints[i].Calls[0].Timeout = 100 * time.Millisecond
	}
	slow, late := plain(t, "slow", get("/")), plain(t, "late", post("/a.B/C"))
	late.Protocol = spec.GRPC
	gone, down := plain(t, "gone", get("/")), plain(t, "down", post("/a.B/C"))
	down.Protocol = spec.GRPC
	m := newMesh(t, web, slow, late, gone, down)
	front := m.run(m.config(web))
	for _, s := range []spec.Service{slow, late} {
		s.Versions[0].Work = 500 * time.Millisecond
		m.run(m.config(s))
	}
	for path, want := range map[string]struct {
		status int
		key    ledger.Key
	}{
		"/http": {504, attempted("web", "slow", "GET /", ledger.Timeout)},
		"/grpc": {504, attempted("web", "late", "POST /a.B/C", ledger.Timeout)},
		"/gone": {500, attempted("web", "gone", "GET /", ledger.Transport)},
		"/down": {500, attempted("web", "down", "POST /a.B/C", ledger.Transport)},
	} {
		if got := front.get(path); got.status != want.status || front.counts()[want.key] != 1 {
			t.Errorf("%s: %d, %v", path, got.status, front.counts())
		}
	}
}

func TestRefusalsOfInstancesAreToldFromThoseOfProxies(t *testing.T) {
	t.Parallel()
	cart, stock, proxy := plain(t, "cart", post("/a.B/C")), plain(t, "stock", get("/")), plain(t, "proxy", get("/"))
	cart.Protocol = spec.GRPC
	m := newMesh(t, plain(t, "web", get("/grpc", callTo("cart")), get("/http", callTo("stock")), get("/proxy", callTo("proxy"))),
		cart, stock, proxy)
	web, down := m.run(m.config(m.services[0])), spec.Fault{Kind: spec.RegionOutage}
	m.run(m.config(cart)).set(down)
	m.run(m.config(stock)).set(down)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", proxy.Port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })}
	go server.Serve(l)
	defer server.Close()
	for path, want := range map[string]ledger.Key{
		"/grpc":  attempted("web", "cart", "POST /a.B/C", ledger.Refused),
		"/http":  attempted("web", "stock", "GET /", ledger.Refused),
		"/proxy": attempted("web", "proxy", "GET /", ledger.Transport),
	} {
		if got := web.get(path); got.status != http.StatusInternalServerError || web.counts()[want] != 1 {
			t.Errorf("%s: %d, %v", path, got.status, web.counts())
		}
	}
}

// A caller has eight connections to a database: with twelve requests at once four wait for one.
func TestConnectionsToADatabaseAreBounded(t *testing.T) {
	t.Parallel()
	web, rows := plain(t, "web", get("/", callTo("rows"))), plain(t, "rows", get("/"))
	web.Versions[0].Slots = 12
	rows.Kind, rows.Versions[0].Slots, rows.Versions[0].Work = spec.Database, 12, 300*time.Millisecond
	all := newMesh(t, web, rows).start()
	var inside sync.WaitGroup
	for range 12 {
		inside.Go(func() { all["web"].get("/") })
	}
	most := int64(0)
	eventually(t, "all are answered", func() bool {
		most = max(most, all["rows"].gauges().InFlight)
		return all["web"].counts()[received("", "web", "GET /", ledger.OK)] == 12
	})
	inside.Wait()
	if most > 8 {
		t.Errorf("%d calls were inside at once", most)
	}
}

func TestOtherRegionsAreFarAway(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	cfg := m.config(m.services[0])
	cfg.RegionDelay = 40 * time.Millisecond
	web := m.run(cfg)
	if got := web.get("/", service.HeaderRegion, "south", service.HeaderCaller, "cart"); got.status != 200 || got.took < 80*time.Millisecond {
		t.Errorf("from another region: %d in %s", got.status, got.took)
	}
	if n := web.counts()[received("cart", "web", "GET /", ledger.OK)]; n != 1 {
		t.Errorf("counted %v", web.counts())
	}
}

func TestLogsTellWhatIsWrong(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	web := m.start()["web"]
	web.set(spec.Fault{Kind: spec.Errors, Size: 1})
	web.get("/")
	trace := m.sink.of(t, "web", ptrace.SpanKindServer, 1)[0].TraceID().String()
	eventually(t, "the error is in the log, with its trace", func() bool {
		return strings.Contains(strings.Join(m.sink.allLogs(), "\n"), "ERROR Request failed "+trace)
	})
	web.set()
	for range 99 {
		web.get("/")
	}
	eventually(t, "one record for a hundred requests", func() bool {
		return strings.Count(strings.Join(m.sink.allLogs(), "\n"), "INFO Requests answered") == 1
	})
	if err := web.stop(); err != nil { // reports the last gauges
		t.Fatal(err)
	}
	for _, name := range []string{"in_flight", "waiting", "utilization", "go.memory.used", "go.goroutine.count"} {
		if _, ok := m.sink.metrics[name]; !ok {
			t.Errorf("no gauge %s", name)
		}
	}
}
