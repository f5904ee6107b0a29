package service_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// pair is web, which calls cart, and stock, which nobody calls.
func pair(t testing.TB) (*mesh, map[string]*instance) {
	m := newMesh(t, plain(t, "web", get("/", spec.Call{To: "cart", Timeout: 2 * time.Second})), plain(t, "cart", get("/cart")),
		plain(t, "stock", get("/stock")))
	return m, m.start()
}

func TestWhatFaultsDoToAnswers(t *testing.T) {
	t.Parallel()
	const body = ".........."
	for name, c := range map[string]struct {
		fault   spec.Fault
		status  int
		body    string
		outcome string
		least   time.Duration // that the answer takes
	}{
		"nothing":            {spec.Fault{Kind: spec.CPUBurn, Size: 1}, 200, body, ledger.OK, 0},
		"delay":              {spec.Fault{Kind: spec.Delay, Size: 60}, 200, body, ledger.OK, 60 * time.Millisecond},
		"errors":             {spec.Fault{Kind: spec.Errors, Size: 1}, 500, "", ledger.ServerError, 0},
		"cpu burn":           {spec.Fault{Kind: spec.CPUBurn, Size: 50}, 200, body, ledger.OK, 50 * time.Millisecond},
		"brownout":           {spec.Fault{Kind: spec.Brownout, Instance: "web-0", Size: 50}, 200, body, ledger.OK, 50 * time.Millisecond},
		"bad release":        {spec.Fault{Kind: spec.BadRelease, Version: "v1", Size: 1}, 500, "", ledger.ServerError, 0},
		"slow release":       {spec.Fault{Kind: spec.BadRelease, Version: "v1"}, 200, body, ledger.OK, 4 * time.Millisecond},
		"black hole":         {spec.Fault{Kind: spec.BlackHole, Size: 1}, 200, "", ledger.OK, 0},
		"region outage":      {spec.Fault{Kind: spec.RegionOutage, Region: "north"}, 503, "", ledger.Refused, 0},
		"log only":           {spec.Fault{Kind: spec.LogOnly, Size: 1}, 200, "!!!!!!!!!!", ledger.OK, 0},
		"dependency timeout": {spec.Fault{Kind: spec.DependencyTimeout, To: "cart", Size: 1}, 504, "", ledger.ServerError, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, all := pair(t)
			if n := all["web"].set(c.fault); n != 1 {
				t.Fatalf("%d faults are carried out", n)
			}
			got := all["web"].get("/")
			if got.status != c.status || got.body != c.body || got.took < c.least {
				t.Errorf("got %d %q in %s", got.status, got.body, got.took)
			}
			if n := all["web"].counts()[received("", "web", "GET /", c.outcome)]; n != 1 {
				t.Errorf("counted %v", all["web"].counts())
			}
			if name == "log only" {
				eventually(t, "the log tells", func() bool { return strings.Contains(strings.Join(m.sink.allLogs(), "\n"), "ERROR Computed") })
			}
			all["web"].set()
			if got := all["web"].get("/"); got.status != 200 || got.body != body {
				t.Errorf("afterwards %+v", got)
			}
		})
	}
}

func TestCapacityFallsWithBurntCPUAndNotWithDelay(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	web := m.start()["web"]
	busy := func(f spec.Fault) float64 {
		web.set(f)
		before := web.gauges().BusySeconds
		web.get("/")
		return web.gauges().BusySeconds - before
	}
	if s := busy(spec.Fault{Kind: spec.CPUBurn, Size: 100}); s < 0.1 {
		t.Errorf("100 times the work kept a slot for %v s", s)
	}
	if s := busy(spec.Fault{Kind: spec.Delay, Size: 500}); s > 0.4 {
		t.Errorf("a delay kept a slot for %v s", s)
	}
}

func TestFaultsOfOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	_, all := pair(t)
	n := all["web"].set(
		spec.Fault{Kind: spec.Errors, Service: "cart", Size: 1}, spec.Fault{Kind: spec.Errors, Service: "web", Version: "v2", Size: 1},
		spec.Fault{Kind: spec.Errors, Instance: "web-1", Size: 1}, spec.Fault{Kind: spec.RegionOutage, Region: "south"},
		spec.Fault{Kind: spec.Flood, Size: 5}, // the load's
		spec.Fault{Kind: spec.Delay, Service: "web", Size: 1},
	)
	if got := all["web"].get("/"); n != 1 || got.status != 200 {
		t.Errorf("%d are carried out; got %+v", n, got)
	}
	if code := all["web"].admin("PUT", "/faults", []spec.Fault{{Kind: "no such"}}, nil); code != http.StatusBadRequest {
		t.Errorf("an unknown fault was answered %d", code)
	}
}

func TestHangingCallsReachNobody(t *testing.T) {
	t.Parallel()
	web, cart := plain(t, "web", get("/", spec.Call{To: "cart", Timeout: 50 * time.Millisecond, Attempts: 2})), plain(t, "cart", post("/a.B/C"))
	cart.Protocol = spec.GRPC
	m := newMesh(t, web, cart)
	all := m.start()
	all["web"].set(spec.Fault{Kind: spec.DependencyTimeout, To: "cart", Size: 1})
	all["web"].get("/")
	m.expectLedger(ledger.Counts{
		attempted("web", "cart", "POST /a.B/C", ledger.Timeout): 2, received("", "web", "GET /", ledger.ServerError): 1,
	})
	for _, s := range m.sink.of(t, "web", ptrace.SpanKindClient, 2) {
		if s.attribute("rpc.response.status_code") != "DEADLINE_EXCEEDED" {
			t.Errorf("client span %v", s.Attributes().AsRaw())
		}
	}
}

func TestRetryStormCallsAgain(t *testing.T) {
	t.Parallel()
	m, all := pair(t)
	all["web"].set(spec.Fault{Kind: spec.RetryStorm, To: "cart", Size: 3})
	all["web"].get("/")
	m.expectLedger(ledger.Counts{
		attempted("web", "cart", "GET /cart", ledger.OK): 4, received("web", "cart", "GET /cart", ledger.OK): 4,
		received("", "web", "GET /", ledger.OK): 1,
	})
	again := 0
	for _, s := range m.sink.of(t, "web", ptrace.SpanKindClient, 4) {
		if s.attribute("http.request.resend_count") != nil {
			again++
		}
	}
	if again != 3 {
		t.Errorf("%d are marked as sent again", again)
	}
}

func TestNewEdgeIsCalled(t *testing.T) {
	t.Parallel()
	m, all := pair(t)
	all["web"].set(spec.Fault{Kind: spec.NewEdge, To: "stock", Size: 2})
	all["web"].get("/")
	m.expectLedger(ledger.Counts{
		attempted("web", "cart", "GET /cart", ledger.OK): 1, received("web", "cart", "GET /cart", ledger.OK): 1,
		attempted("web", "stock", "GET /stock", ledger.OK): 2, received("web", "stock", "GET /stock", ledger.OK): 2,
		received("", "web", "GET /", ledger.OK): 1,
	})
}

// Without a proxy what goes out of the mesh comes back to the service itself, which has no such path.
func TestDataLeavesTheMesh(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	web := m.start()["web"]
	web.set(spec.Fault{Kind: spec.Exfiltration, Size: 256})
	web.get("/")
	m.expectLedger(ledger.Counts{
		attempted("web", service.ExfiltrationHost, "POST /", ledger.ClientError): 1, received("web", "web", "", ledger.ClientError): 1,
		received("", "web", "GET /", ledger.OK): 1,
	})
	for _, s := range m.sink.of(t, "web", ptrace.SpanKindServer, 2) {
		if s.attribute("http.request.method") == "POST" &&
			(s.attribute("http.request.body.size") != int64(256<<10) || s.attribute("server.address") != service.ExfiltrationHost) {
			t.Errorf("it got %v", s.Attributes().AsRaw())
		}
	}
}

func TestWrongClockShiftsSpans(t *testing.T) {
	t.Parallel()
	m, all := pair(t)
	all["web"].set(spec.Fault{Kind: spec.WrongClock, Size: 600})
	all["web"].get("/")
	web, cart := m.sink.of(t, "web", ptrace.SpanKindServer, 1)[0], m.sink.of(t, "cart", ptrace.SpanKindServer, 1)[0]
	ahead := web.StartTimestamp().AsTime().Sub(cart.StartTimestamp().AsTime())
	if ahead < 9*time.Minute || ahead > 10*time.Minute || web.EndTimestamp() < web.StartTimestamp() {
		t.Errorf("web begins %s after cart, and ends at %s", ahead, web.EndTimestamp())
	}
}

// After two seconds 64 MiB are held, and collections stop requests for 192 ms, and then for longer.
func TestMemoryGrowsAndStopsRequests(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	web := m.start()["web"]
	web.set(spec.Fault{Kind: spec.MemoryGrowth, Size: 32})
	eventually(t, "the heap has grown", func() bool { return web.gauges().HeapBytes >= 64<<20 })
	eventually(t, "a collection stops requests", func() bool { return web.get("/").took > 150*time.Millisecond })
	web.set()
	eventually(t, "all is freed", func() bool { return web.gauges().HeapBytes < 48<<20 })
}
