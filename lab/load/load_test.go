package load_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// seen is what a server counted.
type seen struct {
	mu sync.Mutex
	by map[string]uint64
}

func (s *seen) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string]uint64{}
	}
	s.by[name]++
}

func (s *seen) counts() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]uint64{}
	for name, n := range s.by {
		out[name] = n
	}
	return out
}

// stall is a handler that is held up once, for a second.
func stall() http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		if n++; n == 300 {
			time.Sleep(time.Second) // who comes now waits at the lock
		}
		mu.Unlock()
		answer(w, http.StatusOK)
	}
}

// TestCoordinatedOmission lets a server stall for a second of three. In the open loop a third of the requests wait for it, and p99 is
// near a second. A closed loop, which asks when it has been answered, sends one request in that second: its p99 tells nothing.
func TestCoordinatedOmission(t *testing.T) {
	g := start(t, load.Config{Load: spec.Load{Rate: 300}, Entry: entry(home())}, server(t, stall()))
	g.sent(900)
	g.pause()
	var open tally.Latency
	g.must(http.MethodGet, "/latency", nil, &open)

	closed, client := tally.Histogram{}, &http.Client{}
	defer client.CloseIdleConnections()
	address := "http://" + server(t, stall())
	for range 900 {
		began := time.Now()
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		closed.Add(time.Since(began))
	}
	if open.All.N < 900 || open.All.P99 < 800 {
		t.Errorf("open loop: p99 of %d requests is %g ms, though the server stalled for a second", open.All.N, open.All.P99)
	}
	if p := tally.Millis(closed.Quantile(0.99)); p > open.All.P99/4 {
		t.Errorf("closed loop: p99 is %g ms, this test cannot tell the two apart", p)
	}
	if open.Endpoints["GET /"].N != open.All.N || open.Lag.N != open.All.N || open.Lag.P50 > open.All.P99/4 {
		t.Errorf("latency is %+v", open)
	}
}

// TestPauseMakesCountsFinal compares what the generator counted with what the server did, in the answer to the pause and in the ledger.
func TestPauseMakesCountsFinal(t *testing.T) {
	var s seen
	g := start(t, load.Config{
		Load: spec.Load{Rate: 1000}, Entry: entry(home(), spec.Endpoint{Method: "POST", Path: "/orders", Weight: 1}),
	}, server(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		s.add(r.Method + " " + r.URL.Path)
		answer(w, http.StatusOK)
	}))
	g.sent(300)
	final := g.pause()
	for _, when := range []string{"after the pause", "after a change during the pause"} {
		if got, want := g.counts(), s.counts(); got.InFlight != 0 || !got.Paused || !reflect.DeepEqual(got, final) ||
			got.Endpoints["GET /"][ledger.OK] != want["GET /"] || got.Endpoints["POST /orders"][ledger.OK] != want["POST /orders"] {
			t.Fatalf("%s: %+v, final %+v, the server has %v", when, got, final, want)
		}
		g.must(http.MethodPut, "/rate", load.Factor{Factor: 3}, nil)
	}
	process, counts, err := ledger.ReadFile(g.cfg.Ledger)
	key := ledger.Key{Side: ledger.Attempted, To: "web", Endpoint: "POST /orders", Outcome: ledger.OK}
	if err != nil || process != load.Process || len(counts) != 2 || counts[key] != s.counts()["POST /orders"] {
		t.Errorf("ledger of %s: %v, %v", process, counts, err)
	}
	g.must(http.MethodPut, "/resume", nil, nil)
	g.sent(final.Sum.Sent() + 100)
	var rows []tally.Row
	g.must(http.MethodGet, "/windows?by=scheduled", nil, &rows)
	if len(rows) == 0 || rows[0].OK == 0 || rows[0].P50 < 19 {
		t.Errorf("windows are %+v", rows)
	}
}

func TestHeaders(t *testing.T) {
	var s seen
	g := start(t, load.Config{Load: spec.Load{Rate: 500}, Entry: entry(spec.Endpoint{Method: "POST", Path: "/a/{id}/login", Weight: 1})},
		server(t, func(w http.ResponseWriter, r *http.Request) {
			h := r.Header
			ok := r.Host == "shop.example" && strings.HasPrefix(h.Get("x-forwarded-for"), "198.18.") &&
				strings.HasPrefix(h.Get(load.HeaderClient), "client-0") && h.Get(load.HeaderPassword) == "right" &&
				h.Get("traceparent") == "" && h.Get("x-request-id") == "" && r.ContentLength > 0
			if !ok {
				s.add("wrong: " + r.Host + " " + r.URL.Path)
			}
			answer(w, http.StatusOK)
		}))
	g.sent(50)
	if c := g.pause(); len(s.counts()) > 0 || c.Endpoints["POST /a/{id}/login"][ledger.OK] != c.Sum.Sent() {
		t.Errorf("%v, %+v", s.counts(), c)
	}
}

// TestOutcomes meets a server that answers in every way, and one that is not there. Each attempt is one request at the server, also
// those whose connection breaks.
func TestOutcomes(t *testing.T) {
	want := map[string]string{
		"/": ledger.OK, "/moved": ledger.OK, "/missing": ledger.ClientError, "/broken": ledger.ServerError, "/full": ledger.Refused,
		"/proxy": ledger.Transport, "/cut": ledger.Transport, "/half": ledger.Transport, "/slow": ledger.Timeout, "/close": ledger.OK,
	}
	var s seen
	target := server(t, func(w http.ResponseWriter, r *http.Request) {
		s.add(r.URL.Path)
		switch r.URL.Path {
		case "/moved":
			answer(w, http.StatusFound)
		case "/missing":
			answer(w, http.StatusNotFound)
		case "/broken":
			answer(w, http.StatusInternalServerError)
		case "/full":
			answer(w, http.StatusServiceUnavailable)
		case "/proxy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/half":
			w.Header().Set("Content-Length", "1000")
			answer(w, http.StatusOK)
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/slow":
			<-r.Context().Done()
		case "/close":
			w.Header().Set("Connection", "close")
			answer(w, http.StatusOK)
		default:
			answer(w, http.StatusOK)
		}
	})
	endpoints := []spec.Endpoint{}
	for path := range want {
		endpoints = append(endpoints, spec.Endpoint{Method: "GET", Path: path, Weight: 1})
	}
	g := start(t, load.Config{Load: spec.Load{Rate: 500, Timeout: 500 * time.Millisecond}, Entry: entry(endpoints...)}, target)
	g.sent(300)
	got := g.pause()
	for path, outcome := range want {
		all := got.Endpoints["GET "+path]
		if len(all) != 1 || all[outcome] == 0 || all[outcome] != s.counts()[path] {
			t.Errorf("%s: %v, the server has %d, want %s", path, all, s.counts()[path], outcome)
		}
	}
	nobody := start(t, load.Config{Load: spec.Load{Rate: 500}, Entry: entry(home())}, free(t).String())
	nobody.sent(20)
	if c := nobody.pause(); c.Sum[ledger.Transport] != c.Sum.Sent() {
		t.Errorf("without a server: %+v", c)
	}
}

// TestNotSent shows that what exceeds the bound is counted, and that the server never sees more at once.
func TestNotSent(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	g := start(t, load.Config{Load: spec.Load{Rate: 1000}, Entry: entry(home()), InFlight: 7},
		server(t, func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			answer(w, http.StatusOK)
		}))
	g.sent(50)
	c := g.pause()
	if c.Sum[tally.NotSent] == 0 || c.Endpoints["GET /"][tally.NotSent] != c.Sum[tally.NotSent] || most > 7 {
		t.Errorf("%+v with at most %d at once", c, most)
	}
	_, counts, err := ledger.ReadFile(g.cfg.Ledger)
	if err != nil || len(counts) != 1 {
		t.Errorf("the ledger has %v, %v", counts, err)
	}
}

func TestFaults(t *testing.T) {
	var s seen
	pages := entry(home(), spec.Endpoint{Method: "GET", Path: "/p/{id}", Weight: 1}, spec.Endpoint{Method: "POST", Path: "/login", Weight: 1},
		spec.Endpoint{Method: "GET", Path: "/new"})
	g := start(t, load.Config{Load: spec.Load{Rate: 100}, Entry: pages, Faults: []spec.Fault{{Kind: spec.CredentialGuessing, Size: 200}}},
		server(t, func(w http.ResponseWriter, r *http.Request) {
			who := "ordinary"
			if r.Header.Get(load.HeaderClient) >= "client-10000" {
				who = "attacker"
			}
			s.add(who)
			switch {
			case r.URL.Path == "/login" && r.Header.Get(load.HeaderPassword) != "right":
				s.add("guess")
				answer(w, http.StatusUnauthorized)
			case r.URL.Path == "/" || r.URL.Path == "/login" || r.URL.Path == "/new" || strings.HasPrefix(r.URL.Path, "/p/"):
				answer(w, http.StatusOK)
			default:
				s.add("probe")
				answer(w, http.StatusNotFound)
			}
		}))
	g.sent(150)
	guessed := g.pause()
	if n := guessed.Faults[spec.CredentialGuessing][ledger.ClientError]; n == 0 || n != s.counts()["guess"] || n != s.counts()["attacker"] {
		t.Errorf("%d guesses counted, the server has %v", n, s.counts())
	}
	g.must(http.MethodPut, "/faults", []spec.Fault{
		{Kind: spec.Scan, Size: 200}, {Kind: spec.Flood, Size: 3}, {Kind: spec.NewEndpoint, Size: 1},
	}, nil)
	g.must(http.MethodPut, "/resume", nil, nil)
	g.sent(guessed.Sum.Sent() + 300)
	final := g.pause()
	if !reflect.DeepEqual(final.Faults[spec.CredentialGuessing], guessed.Faults[spec.CredentialGuessing]) {
		t.Error("guessing went on though the fault was over")
	}
	probes, floods := final.Faults[spec.Scan], final.Faults[spec.Flood]
	if probes[ledger.ClientError] != s.counts()["probe"] || final.Endpoints[""][ledger.ClientError] != s.counts()["probe"] ||
		probes.Sent()+floods.Sent()+guessed.Faults[spec.CredentialGuessing].Sent() != s.counts()["attacker"] ||
		final.Endpoints["GET /new"].Sent() == 0 || final.Sum.Sent() != s.counts()["attacker"]+s.counts()["ordinary"] {
		t.Errorf("%+v, the server has %v", final, s.counts())
	}
	if err := g.do(http.MethodPut, "/faults", []spec.Fault{{Kind: spec.Delay, Size: 1}}, nil); err == nil {
		t.Error("the load generator takes a fault of instances")
	}
}

func TestAdminRefuses(t *testing.T) {
	g := start(t, load.Config{Load: spec.Load{Rate: 1}, Entry: entry(home())}, free(t).String())
	for want, req := range map[string][3]any{
		"factor is -1":   {http.MethodPut, "/rate", load.Factor{Factor: -1}},
		"read what":      {http.MethodPut, "/rate", []int{1}},
		"from: \"now\"":  {http.MethodGet, "/latency?from=now", nil},
		"to: \"later\"":  {http.MethodGet, "/latency?to=later", nil},
		"by is \"year\"": {http.MethodGet, "/windows?by=year", nil},
	} {
		err := g.do(req[0].(string), req[1].(string), req[2], nil)
		if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", req, err, want)
		}
	}
}

// lines hands on what is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestProgress(t *testing.T) {
	out := make(lines, 1)
	start(t, load.Config{Load: spec.Load{Rate: 200}, Entry: entry(home()), Progress: out},
		server(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK) }))
	line := <-out
	for _, name := range []string{"t=1s", "wanted=200.0/s", "done=", "ok=", "4xx=0.0/s", "errors=0.0/s", "p99=", "in_flight=", "lag_p99="} {
		if !strings.Contains(line, name) {
			t.Errorf("%q has no %s", line, name)
		}
	}
}

func TestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load.json")
	const text = `{"load":{"Rate":20,"Shape":"daily","Day":600000000000,"Peak":2},"seed":7,"entry":{"Name":"web",
		"Endpoints":[{"Method":"GET","Path":"/","Weight":1}]},"target":"127.0.0.1:80","host":"h","ledger":"l","admin":"127.0.0.1:81",
		"faults":[{"kind":"scan","size":5}],"start":"2026-01-02T03:04:05Z"}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := load.ReadConfig(path)
	if err != nil || cfg.Load.Day != 10*time.Minute || cfg.Entry.Endpoints[0].Path != "/" || cfg.Faults[0].Kind != spec.Scan ||
		cfg.Target.Port() != 80 || cfg.Start.IsZero() {
		t.Errorf("%+v, %v", cfg, err)
	}
	if _, err := load.ReadConfig(filepath.Dir(path)); err == nil {
		t.Error("a folder is read")
	}
	for _, bad := range []load.Config{{}, {Entry: entry(), Target: cfg.Target, Admin: cfg.Admin, Host: "h", Ledger: "l"}} {
		if err := load.Run(t.Context(), bad); err == nil {
			t.Errorf("%+v runs", bad)
		}
	}
}
