package parts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	recordings "github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/ingest/replay"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/sim/recording"
	"github.com/weirmesh/weir/torture/apache"
	"github.com/weirmesh/weir/torture/parts"
	"github.com/weirmesh/weir/torture/proxy"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

const patience = 2 * time.Minute

// start runs a cluster until the end of the test. It skips where there is nothing to run.
func start(t *testing.T, l parts.Layout) *parts.Cluster {
	t.Helper()
	bin, err := parts.Find()
	if err != nil || os.Getenv("WEIR_CHDB_LIBRARY") == "" {
		t.Skip("WEIR_BIN and WEIR_CHDB_LIBRARY are not set: nothing to run (`make test` sets them)")
	}
	l.Binary, l.Dir = bin, t.TempDir()
	if l.Apache > 0 {
		if l.Home, err = apache.Find(); err != nil {
			t.Skip(err)
		}
	}
	began := time.Now()
	c, err := parts.Start(context.WithoutCancel(t.Context()), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range c.Parts() {
			if text, err := os.ReadFile(c.Log(name)); t.Failed() && err == nil {
				t.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
			}
		}
	})
	ready(t, c)
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	for _, name := range c.Parts() {
		if bytes, err := c.Memory(name); err == nil {
			t.Logf("%s: %d MiB", name, bytes>>20)
		}
	}
	return c
}

func ready(t *testing.T, c *parts.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// day is a recording and how many calls it holds.
func day(t *testing.T, calls int) (*recordings.Recording, int) {
	t.Helper()
	cfg := recording.DefaultConfig()
	cfg.Calls, cfg.Orphans = calls, 0 // nothing that would wait for a parent that never comes
	cfg.Services = []recording.Service{
		{Name: "front", Pods: 2, Work: time.Millisecond, Entry: 1, Calls: []recording.Call{{To: "cart", Share: 1, Kind: recording.Plain}}},
		{Name: "cart", Pods: 2, Work: time.Millisecond},
	}
	generated, err := recording.Generate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := generated.WriteNezha(path); err != nil {
		t.Fatal(err)
	}
	truth, err := recording.Count(path)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := recordings.Open(path, recordings.Nezha)
	if err != nil {
		t.Fatal(err)
	}
	return rec, truth.Calls
}

// send sends a recording through all collectors in turn and tells of each request that was taken.
func send(t *testing.T, c *parts.Cluster, rec *recordings.Recording, taken func(int)) {
	t.Helper()
	var clients []*replay.Client
	for _, address := range c.OTLP() {
		client, err := replay.Dial(address, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		clients = append(clients, client)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for request, err := range rec.Requests(ctx, recordings.ReadConfig{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := clients[request.Index%len(clients)].Send(ctx, request); err != nil {
			t.Fatal(err)
		}
		taken(request.Index)
	}
}

// counted asks the store, past all links.
func counted(ctx context.Context, c *parts.Cluster) (string, error) {
	sql := "SELECT sum(calls) FROM weir.service_windows"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.ClickHouse()+"/?query="+url.QueryEscape(sql), nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(text)), err
}

// awaitCount waits until the store has counted so many calls, and makes sure that a last flush adds none.
func awaitCount(t *testing.T, c *parts.Cluster, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, err := counted(ctx, c)
		if err == nil && got == fmt.Sprint(want) {
			break
		}
		if pause.For(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("%s calls were counted, want %d (%v)", got, want, err)
		}
	}
	for _, name := range c.Parts() {
		if strings.HasPrefix(name, "features") {
			if err := c.Stop(name); err != nil {
				t.Error(err)
			}
		}
	}
	if got, err := counted(ctx, c); err != nil || got != fmt.Sprint(want) {
		t.Errorf("%s calls are counted in the end, want %d (%v)", got, want, err)
	}
}

// again kills a part and starts it.
func again(t *testing.T, c *parts.Cluster, name string) {
	t.Helper()
	if err := c.Kill(name); err != nil {
		t.Fatal(err)
	}
	if c.Pid(name) != 0 {
		t.Errorf("%s was killed and runs", name)
	}
	if err := c.Run(name); err != nil {
		t.Fatal(err)
	}
}

func TestEmbedded(t *testing.T) {
	c := start(t, parts.Layout{Collectors: 2, Features: 1, Env: []string{"WEIR_FEATURES_FLUSH_INTERVAL=200ms"}})
	if c.Link("nowhere") != nil || c.Kill("nobody") == nil {
		t.Error("there is more than was asked for")
	}
	rec, calls := day(t, 25_000)
	steps := map[int]func(){
		3:  func() { again(t, c, "collector-1") },
		6:  func() { again(t, c, "broker") },
		9:  func() { again(t, c, "clickhouse") },
		12: func() { again(t, c, "features-1") },
		15: func() { c.Link("clients>broker").Set(proxy.Behaviour{Drop: proxy.Drop{Count: 2, Above: 1000}}) },
		18: func() { c.Link("features-1>clickhouse").Set(proxy.Behaviour{Cut: true}) },
		21: func() { c.Link("features-1>clickhouse").Heal() },
		22: func() {
			if err := errors.Join(c.Pause("features-1"), c.Continue("features-1")); err != nil {
				t.Error(err)
			}
		},
	}
	done := 0
	send(t, c, rec, func(i int) {
		if step := steps[i]; step != nil {
			step()
			done++
		}
	})
	if done != len(steps) {
		t.Fatalf("only %d of %d steps were done: the recording is too short", done, len(steps))
	}
	ready(t, c)
	awaitCount(t, c, calls)
	if c.Link("clients>broker").Dropped() != 2 {
		t.Errorf("%d answers were dropped", c.Link("clients>broker").Dropped())
	}
}

func TestApache(t *testing.T) {
	c := start(t, parts.Layout{Collectors: 1, Features: 2, Apache: 2, Env: []string{"WEIR_FEATURES_FLUSH_INTERVAL=200ms"}})
	rec, calls := day(t, 25_000)
	steps := map[int]func(){
		3:  func() { again(t, c, "kafka-2") },
		8:  func() { again(t, c, "features-1") },
		13: func() { again(t, c, "kafka-1") },
		18: func() { c.Link("collectors>kafka-2").Set(proxy.Behaviour{Drop: proxy.Drop{Count: 2, Above: 1000}}) },
	}
	send(t, c, rec, func(i int) {
		if step := steps[i]; step != nil {
			step()
		}
	})
	ready(t, c)
	awaitCount(t, c, calls)
}

// TestFullDisk fills the store's disk and makes room again.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a disk of limited size")
	}
	c := start(t, parts.Layout{
		Collectors: 1, Features: 1, BrokerMiB: 64, Env: []string{"WEIR_FEATURES_FLUSH_INTERVAL=200ms"},
		KeepersEnv: []string{"WEIR_BROKER_MIN_FREE_MIB=0"}, // the disk shall be full, not nearly so
	})
	full := c.Log("broker")[:len(c.Log("broker"))-len(".log")] + "/filler"
	if err := os.WriteFile(full, make([]byte, 64<<20), 0o600); err == nil {
		t.Fatal("the disk takes more than its size")
	}
	rec, calls := day(t, 5_000)
	grown := make(chan error, 1)
	go func() {
		for pause.For(t.Context(), 100*time.Millisecond) == nil {
			if text, err := os.ReadFile(c.Log("broker")); err == nil && strings.Contains(string(text), "no space left") {
				break
			}
		}
		grown <- c.Grow("broker", 256)
	}()
	send(t, c, rec, func(int) {})
	if err := <-grown; err != nil {
		t.Fatal(err)
	}
	awaitCount(t, c, calls)
}
