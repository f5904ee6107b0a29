package service_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := plain(t, "web", get("/"))
	s.Versions[0].Work = 500 * time.Millisecond
	m := newMesh(t, s)
	web := m.start()["web"]
	got := make(chan answer)
	go func() { got <- web.get("/") }()
	eventually(t, "a request is under way", func() bool { return web.gauges().SlotsUsed == 1 })
	stopped := make(chan error)
	go func() { stopped <- web.stop() }()
	eventually(t, "it is not ready any more", func() bool {
		return web.admin("GET", "/ready", nil, nil) == http.StatusServiceUnavailable
	})
	if a := <-got; a.status != http.StatusOK {
		t.Errorf("got %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := len(m.sink.of(t, "web", ptrace.SpanKindServer, 1)); n != 1 {
		t.Errorf("%d spans were reported", n)
	}
	m.expectLedger(ledger.Counts{received("", "web", "GET /", ledger.OK): 1})
}

// child starts an instance as a process of its own.
func (m *mesh) child(cfg service.Config) (*instance, *exec.Cmd) {
	m.t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	path := filepath.Join(m.dir, "config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(m.t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childConfig+"="+path), os.Stderr
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	i := &instance{t: m.t, cfg: cfg}
	i.awaitReady()
	return i, cmd
}

func TestKilledInstanceGoesOnCounting(t *testing.T) {
	t.Parallel()
	m := newMesh(t, plain(t, "web", get("/")))
	cfg := m.config(m.services[0])
	for round := range 3 {
		web, cmd := m.child(cfg)
		for range 5 {
			web.get("/")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		m.expectLedger(ledger.Counts{received("", "web", "GET /", ledger.OK): uint64(5 * (round + 1))})
	}
}

func TestConfigIsReadAsWritten(t *testing.T) {
	t.Parallel()
	m := shop(t)
	cfg := m.config(m.services[1])
	cfg.Faults = []spec.Fault{{Kind: spec.Delay, Service: "cart", Size: 3}}
	cfg.RegionDelay = time.Millisecond
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "service.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := service.ReadConfig(path)
	if err != nil || !reflect.DeepEqual(back, cfg) {
		t.Errorf("got %+v, %v", back, err)
	}
	if err := os.WriteFile(path, text[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := service.ReadConfig(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("half a file: %v", err)
	}
}

func TestRunSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		change func(*service.Config)
		says   string
	}{
		"no slots":     {func(c *service.Config) { c.Version.Slots = 0 }, "slots 0"},
		"nobody there": {func(c *service.Config) { c.All = nil }, "calls cart"},
		"port taken":   {func(c *service.Config) { c.Service.Port = taken.Addr().(*net.TCPAddr).Port }, "address already in use"},
		"no ledger":    {func(c *service.Config) { c.Ledger = "/nowhere/at/all.ledger" }, "/nowhere/at/all.ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			m, cfg := shop(t), service.Config{}
			cfg = m.config(m.services[0])
			c.change(&cfg)
			if err := service.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it said %v", err)
			}
		})
	}
}

// Half of the requests fail by chance: the same ones in each run, others in another instance.
func TestChanceIsTheSeedsAndTheInstances(t *testing.T) {
	t.Parallel()
	s := plain(t, "web", get("/"))
	s.Versions[0].Errors = 0.5
	outcomes := func(pod string) (out string) {
		m := newMesh(t, s)
		cfg := m.config(s)
		cfg.Pod = pod
		web := m.run(cfg)
		for range 40 {
			out += http.StatusText(web.get("/").status)[:1]
		}
		if err := web.stop(); err != nil {
			t.Error(err)
		}
		return out
	}
	first := outcomes("a")
	if again := outcomes("a"); again != first {
		t.Errorf("%s and then %s", first, again)
	}
	if other := outcomes("b"); other == first {
		t.Errorf("another instance has the same chance: %s", other)
	}
}
