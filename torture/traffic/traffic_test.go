package traffic_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/torture/traffic"
)

// small has every trouble, several blocks, and clocks around midnight.
func small(seed uint64) traffic.Config {
	cfg := traffic.DefaultConfig()
	cfg.Seed, cfg.Calls, cfg.CallsPerRequest, cfg.Services, cfg.Senders = seed, 3000, 15, traffic.Services(12), 3
	cfg.Duplicates, cfg.Orphans, cfg.Late, cfg.Skewed, cfg.Failing = 0.05, 0.05, 0.05, 0.3, 0.1
	return cfg
}

func generator(t testing.TB, cfg traffic.Config) *traffic.Generator {
	t.Helper()
	g, err := traffic.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func encoded(t *testing.T, cfg traffic.Config) (out [][]byte) {
	t.Helper()
	var m ptrace.ProtoMarshaler
	for r := range generator(t, cfg).Requests() {
		b, err := m.MarshalTraces(r.Traces)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func TestSameConfigSameBytes(t *testing.T) {
	first, second, other := encoded(t, small(1)), encoded(t, small(1)), encoded(t, small(2))
	if len(first) == 0 || len(first) != len(second) {
		t.Fatalf("%d and %d requests", len(first), len(second))
	}
	for i := range first {
		if !bytes.Equal(first[i], second[i]) {
			t.Fatalf("request %d differs between two runs", i)
		}
	}
	if bytes.Equal(first[0], other[0]) {
		t.Error("another seed makes the same first request")
	}
}

// TestTroublesHappen shows that what the rates ask for is there, and nothing of it where they are 0.
func TestTroublesHappen(t *testing.T) {
	seen := func(cfg traffic.Config) (c traffic.Counts, again, days int) {
		g := generator(t, cfg)
		ids, dates := map[uint64]int{}, map[schemas.Day]bool{}
		for r := range g.Requests() {
			if want := r.Index % cfg.Senders; r.Sender != want {
				t.Fatalf("request %d goes to sender %d, want %d", r.Index, r.Sender, want)
			}
			for _, n := range traffic.Numbers(r.Traces) {
				ids[n]++
				if ids[n] > 1 {
					again++
				}
				if block := r.Index/traffic.BlockRequests + 1; n>>32 != uint64(block) {
					t.Fatalf("span %x is in block %d", n, block)
				}
			}
			for _, resource := range r.Traces.ResourceSpans().All() {
				for _, s := range resource.ScopeSpans().At(0).Spans().All() {
					dates[schemas.DayOf(int64(s.EndTimestamp()))] = true
				}
			}
		}
		c = g.Truth().Total()
		if int(c.Spans) != len(ids) {
			t.Errorf("the truth has %d spans, the requests %d", c.Spans, len(ids))
		}
		return c, again, len(dates)
	}
	cfg := small(3)
	c, again, days := seen(cfg)
	if int(c.Calls) != cfg.Calls || c.Errors == 0 || c.Retries == 0 || c.Orphans == 0 || again == 0 || days != 2 {
		t.Errorf("%+v, %d spans again, %d days; want %d calls, some of each, two days", c, again, days, cfg.Calls)
	}
	cfg.Duplicates, cfg.Scattered, cfg.Late, cfg.Skewed, cfg.Failing, cfg.Orphans, cfg.Retries = 0, 0, 0, 0, 0, 0, 0
	cfg.Start, cfg.Span = time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC), time.Minute
	c, again, days = seen(cfg)
	if int(c.Calls) != cfg.Calls || c.Errors+c.Retries+c.Orphans != 0 || again != 0 || days != 1 {
		t.Errorf("without troubles: %+v, %d spans again, %d days", c, again, days)
	}
}

func TestBadConfigurations(t *testing.T) {
	for name, change := range map[string]func(*traffic.Config){
		"no calls":            func(c *traffic.Config) { c.Calls = 0 },
		"no senders":          func(c *traffic.Config) { c.Senders = 0 },
		"a rate above 1":      func(c *traffic.Config) { c.Late = 1.5 },
		"a start at the zero": func(c *traffic.Config) { c.Start = time.Unix(60, 0) },
		"no entry":            func(c *traffic.Config) { c.Services = traffic.Services(6)[4:] },
		"a circle":            func(c *traffic.Config) { c.Services[5].Calls = []traffic.Call{{To: c.Services[0].Name, Share: 1}} },
		"a peer that answers": func(c *traffic.Config) {
			c.Services[0].Calls = []traffic.Call{{To: c.Services[5].Name, Share: 1, Kind: traffic.Peer}}
		},
	} {
		cfg := small(1)
		change(&cfg)
		if _, err := traffic.New(cfg); !errors.Is(err, traffic.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}

// BenchmarkRequests makes requests and the truth about them. The heap's peak, read once a block, does not grow with the calls.
func BenchmarkRequests(b *testing.B) {
	for _, calls := range []int{500_000, 2_000_000} {
		b.Run(fmt.Sprint(calls), func(b *testing.B) {
			cfg := traffic.DefaultConfig()
			cfg.Calls = calls
			g := generator(b, cfg)
			b.ReportAllocs()
			spans, peak := 0, uint64(0)
			for b.Loop() {
				truth := g.Nothing()
				for n := range g.Len() {
					block := g.Block(n)
					for r := range block.Requests() {
						spans += r.Traces.SpanCount()
					}
					truth.Add(block.Truth)
					var mem runtime.MemStats
					runtime.ReadMemStats(&mem)
					peak = max(peak, mem.HeapAlloc)
				}
			}
			b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(peak)/1e6, "MB-peak")
		})
	}
}
