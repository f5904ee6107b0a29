package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

// troubled is a mesh in which everything happens at once.
func troubled() mesh.Config {
	cfg := pair(40*time.Minute, 15, mesh.Call{Timeout: 30 * time.Millisecond, Attempts: 3, Backoff: 5 * time.Millisecond})
	v2 := cfg.Services[1].Versions[0]
	v2.Name, v2.Replicas = "v2", 1
	cfg.Services[1].Versions = append(cfg.Services[1].Versions, v2)
	cfg.Services[1].Queue, cfg.Services[1].StartLag = 3, 20*time.Second
	cfg.Services[1].Versions[0].Workers, cfg.Services[1].Versions[1].Workers = 1, 1
	cfg.Services[0].Balancer = mesh.TwoChoices
	cfg.Events = []mesh.Event{
		{Kind: mesh.Ramp, From: 2 * time.Minute, To: 20 * time.Minute, Factor: 4},
		{Kind: mesh.Scale, From: 15 * time.Minute, Service: "a", Version: "v1", Replicas: 1},
	}
	cfg.Faults = []mesh.Fault{
		{Kind: mesh.Latency, Service: "b", Share: 0.5, From: 3 * time.Minute, To: 30 * time.Minute, Size: 5},
		{Kind: mesh.Errors, Service: "b", Version: "v2", Share: 1, From: 4 * time.Minute, Size: 0.2},
		{Kind: mesh.Crash, Service: "b", Share: 0.5, From: 6 * time.Minute, To: 12 * time.Minute},
		{Kind: mesh.Limiter, Service: "b", Share: 1, From: 14 * time.Minute, To: 16 * time.Minute, Size: 0.5},
		{Kind: mesh.RetryStorm, Service: "b", Share: 1, From: 18 * time.Minute, To: 22 * time.Minute, Size: 2},
		{Kind: mesh.Slowdown, Service: "b", Share: 1, From: 20 * time.Minute, To: 25 * time.Minute, Size: 2},
		{Kind: mesh.Crash, Service: "a", Share: 1, From: 26 * time.Minute, To: 28 * time.Minute},
	}
	return cfg
}

func TestInvariants(t *testing.T) {
	for seed := range uint64(3) {
		r := run(t, troubled(), seed)
		checkOrder(t, r)
		checkConservation(t, r)
		checkTruth(t, r)
	}
}

// checkOrder: ends rise, gauges rise, and nothing starts after its end, or before its parent.
func checkOrder(t *testing.T, r result) {
	t.Helper()
	begins := map[uint64]int64{}
	for i, s := range r.spans {
		if s.Start > s.End || i > 0 && s.End < r.spans[i-1].End {
			t.Fatalf("span %d ends at %d, began at %d, after one that ended at %d", i, s.End, s.Start, r.spans[max(0, i-1)].End)
		}
		begins[s.ID] = s.Start
	}
	for _, s := range r.spans {
		if s.Parent != 0 && begins[s.Parent] > s.Start {
			t.Fatalf("a call begins before its caller")
		}
	}
	if last := r.gauges[len(r.gauges)-1].At; last != r.truth.To.UnixNano()-int64(time.Millisecond) {
		t.Errorf("the last gauge is of %s", time.Unix(0, last))
	}
	for i := 1; i < len(r.gauges); i++ {
		if r.gauges[i].At < r.gauges[i-1].At || r.gauges[i].Value < 0 || r.gauges[i].Value > 1 {
			t.Fatalf("gauge %d is %+v", i, r.gauges[i])
		}
	}
}

// checkConservation: each arrival is one trace with one root, ids are unique, and each parent is there.
func checkConservation(t *testing.T, r result) {
	t.Helper()
	ids, roots := map[uint64]bool{}, map[[16]byte]int{}
	for _, s := range r.spans {
		if ids[s.ID] || s.ID == 0 {
			t.Fatalf("id %d is there twice, or nothing", s.ID)
		}
		ids[s.ID] = true
		if s.Parent == 0 {
			roots[s.Trace]++
		}
	}
	for _, s := range r.spans {
		if s.Parent != 0 && !ids[s.Parent] || roots[s.Trace] != 1 {
			t.Fatalf("a call has no caller, or its trace %d roots", roots[s.Trace])
		}
	}
	if n := uint64(len(roots)); n != r.truth.Arrivals || n != r.truth.Ended || n == 0 {
		t.Errorf("%d arrivals, %d ended, %d roots", r.truth.Arrivals, r.truth.Ended, n)
	}
}

// checkTruth counts the spans again, by the rules of docs/formats/sql.md, and compares with the truth of every minute.
func checkTruth(t *testing.T, r result) {
	t.Helper()
	type key struct {
		minute int64
		where  string
	}
	counts := map[key]mesh.Counts{}
	for _, s := range r.spans {
		k := key{s.End / int64(time.Minute), s.Origin.Service + "@" + s.Origin.Version}
		c := counts[k]
		c.Offered++
		switch {
		case s.Flags == "UO" || s.Flags == "RL" || s.Flags == "UH":
			c.Rejected++
		case s.Status >= 500:
			c.Failed++
			c.Served++
		default:
			c.Served++
		}
		if s.Resend > 0 {
			c.Retries++
		}
		counts[k] = c
	}
	sums := map[string]mesh.Counts{}
	for _, m := range r.truth.Minutes {
		k := key{m.Start.UnixNano() / int64(time.Minute), m.Service + "@" + m.Version}
		if counts[k] != m.Counts {
			t.Fatalf("%s at %s: counted %+v, the truth is %+v", k.where, m.Start, counts[k], m.Counts)
		}
		delete(counts, k)
		sum := sums[k.where]
		sums[k.where] = mesh.Counts{
			Offered: sum.Offered + m.Offered, Served: sum.Served + m.Served, Failed: sum.Failed + m.Failed,
			Rejected: sum.Rejected + m.Rejected, Retries: sum.Retries + m.Retries,
		}
	}
	if len(counts) > 0 {
		t.Errorf("the truth lacks %v", counts)
	}
	for _, total := range r.truth.Totals {
		if sums[total.Service+"@"+total.Version] != total.Counts || total.Offered == 0 {
			t.Errorf("%s@%s: total %+v, minutes %+v", total.Service, total.Version, total.Counts, sums[total.Service+"@"+total.Version])
		}
	}
}

// digest is a hash of all that a run reports.
func digest(r result) uint64 {
	h := fnv.New64a()
	for _, s := range r.spans {
		fmt.Fprintf(h, "%x %x %x %d %d %+v %d %s %d\n", s.Trace, s.ID, s.Parent, s.Start, s.End, *s.Origin, s.Status, s.Flags, s.Resend)
	}
	for _, g := range r.gauges {
		fmt.Fprintf(h, "%+v %d %v\n", *g.Origin, g.At, g.Value)
	}
	json.NewEncoder(h).Encode(r.truth)
	return h.Sum64()
}

func TestDeterminism(t *testing.T) {
	cfg := troubled()
	cfg.Length = 15 * time.Minute
	cfg.Faults, cfg.Events = cfg.Faults[:4], cfg.Events[:1]
	cfg.Load.Bursts = mesh.Bursts{Factor: 2, Length: time.Minute, Every: time.Minute}
	one, again, other := digest(run(t, cfg, 7)), digest(run(t, cfg, 7)), digest(run(t, cfg, 8))
	if one != again {
		t.Error("the same seed gives two runs")
	}
	if one == other {
		t.Error("two seeds give the same run")
	}
}

// TestSameArrivals: with and without a fault the same requests arrive.
func TestSameArrivals(t *testing.T) {
	arrivals := func(cfg mesh.Config) map[int64]bool {
		at := map[int64]bool{}
		for _, s := range run(t, cfg, 3).spans {
			if s.Parent == 0 {
				at[s.Start] = true
			}
		}
		return at
	}
	sick := troubled()
	healthy := sick
	healthy.Faults = nil
	a, b := arrivals(sick), arrivals(healthy)
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%d and %d arrivals", len(a), len(b))
	}
	for at := range a {
		if !b[at] {
			t.Fatal("a request arrives at another time")
		}
	}
}

func TestBatches(t *testing.T) {
	m, err := mesh.New(pair(10*time.Minute, 100, mesh.Call{}), 1)
	if err != nil {
		t.Fatal(err)
	}
	last, largest := start(), 0
	if err := m.Run(t.Context(), func(b mesh.Batch) error {
		for _, s := range b.Spans {
			if at := time.Unix(0, s.End); at.Before(last) || at.After(b.Until) {
				t.Fatalf("a span of %s in the batch from %s until %s", at, last, b.Until)
			}
		}
		if b.Until.Sub(last) > time.Minute {
			t.Errorf("nothing came from %s until %s", last, b.Until)
		}
		last, largest = b.Until, max(largest, len(b.Spans))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if largest != mesh.BatchSpans {
		t.Errorf("the largest batch has %d spans", largest)
	}
	if err := m.Run(t.Context(), nil); !errors.Is(err, mesh.ErrRan) {
		t.Errorf("a second run: %v", err)
	}
}

func TestStop(t *testing.T) {
	full := errors.New("full")
	m, err := mesh.New(pair(10*time.Minute, 100, mesh.Call{}), 1)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	if err := m.Run(t.Context(), func(mesh.Batch) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	m, err = mesh.New(pair(10*time.Minute, 100, mesh.Call{}), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = m.Run(ctx, func(b mesh.Batch) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || m.Now().Sub(start()) > time.Minute {
		t.Errorf("at %s: %v", m.Now(), err)
	}
}

// TestValidate: every mistake is named by its place.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		want  string
		spoil func(*mesh.Config)
	}{
		{"start:", func(c *mesh.Config) { c.Start = c.Start.Add(time.Second) }},
		{"length:", func(c *mesh.Config) { c.Length = 0 }},
		{"load.rate:", func(c *mesh.Config) { c.Load.Rate = -1 }},
		{"load.bursts:", func(c *mesh.Config) { c.Load.Bursts.Factor = 2 }},
		{"load: the series", func(c *mesh.Config) { c.Load.Series = []float64{1} }},
		{"services[1].name:", func(c *mesh.Config) { c.Services[1].Name = "a" }},
		{"services[0].versions[0].workers:", func(c *mesh.Config) { c.Services[0].Versions[0].Workers = 0 }},
		{"services[0].versions: none", func(c *mesh.Config) { c.Services[0].Versions[0].Weight = 0 }},
		{"services[0].calls[0].attempts:", func(c *mesh.Config) { c.Services[0].Calls[0].Attempts = 0 }},
		{"services[0].calls[0].to:", func(c *mesh.Config) { c.Services[0].Calls[0].To = "c" }},
		{"events[0].kind:", func(c *mesh.Config) { c.Events = []mesh.Event{{Kind: "party"}} }},
		{"faults[0].share:", func(c *mesh.Config) { c.Faults = []mesh.Fault{{Kind: mesh.Crash, Service: "a"}} }},
		{"faults: there are 65", func(c *mesh.Config) { c.Faults = make([]mesh.Fault, 65) }},
	} {
		cfg := pair(10*time.Minute, 1, mesh.Call{})
		tt.spoil(&cfg)
		if _, err := mesh.New(cfg, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
