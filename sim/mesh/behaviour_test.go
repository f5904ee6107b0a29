package mesh_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

// TestFullQueue: what finds no place is refused with 503 and the flag UO, and the rest is served.
func TestFullQueue(t *testing.T) {
	cfg := queue(10*time.Minute, 100, version(1, 1, 20*time.Millisecond, mesh.Constant)) // twice what it can do
	cfg.Services[0].Queue = 5
	r := run(t, cfg, 1)
	total := r.total(t, "web")
	near(t, "served a second", float64(total.Served)/600, 50, 0.01)
	refused := 0
	for _, s := range r.spans {
		if s.Refused() {
			refused++
			if s.Status != 503 || s.Flags != "UO" || s.Start != s.End {
				t.Fatalf("refused as %+v", s)
			}
		} else if wait := s.End - s.Start; wait > int64(120*time.Millisecond) {
			t.Fatalf("a call behind at most 5 others took %s", time.Duration(wait))
		}
	}
	if uint64(refused) != total.Rejected || total.Failed != 0 {
		t.Errorf("%d spans are refused, the truth is %+v", refused, total)
	}
}

// TestLimiter: the share that is asked for is refused with 429 and the flag RL, and those who called fail.
func TestLimiter(t *testing.T) {
	cfg := pair(30*time.Minute, 50, mesh.Call{})
	cfg.Faults = []mesh.Fault{{Kind: mesh.Limiter, Service: "b", Share: 1, From: 10 * time.Minute, To: 20 * time.Minute, Size: 0.4}}
	r := run(t, cfg, 1)
	in, out := during(r.of("b"), 10*time.Minute, 20*time.Minute), during(r.of("b"), 0, 10*time.Minute)
	near(t, "refused share", float64(statuses(in)[429])/float64(len(in)), 0.4, 0.03)
	near(t, "failed callers", float64(statuses(during(r.of("a"), 10*time.Minute, 20*time.Minute))[502]), float64(statuses(in)[429]), 0.01)
	if n := statuses(out); n[429] != 0 || n[200] != len(out) {
		t.Errorf("before the limiter calls ended as %v", n)
	}
	for _, s := range in {
		if (s.Status == 429) != (s.Flags == "RL") || s.Refused() != (s.Status == 429) || s.Origin.Instance == "" {
			t.Fatalf("got %+v from %+v", s, s.Origin)
		}
	}
	if total := r.total(t, "b"); total.Rejected != uint64(statuses(in)[429]) || total.Failed != 0 {
		t.Errorf("the truth is %+v", total)
	}
}

// TestTimeout: the caller goes on after the timeout with 504, while the callee finishes what nobody waits for.
func TestTimeout(t *testing.T) {
	const timeout = 20 * time.Millisecond
	cfg := pair(10*time.Minute, 10, mesh.Call{Timeout: timeout})
	cfg.Services[0].Versions[0] = version(2, 4, time.Millisecond, mesh.Constant)
	cfg.Services[1].Versions[0] = version(20, 4, 10*time.Millisecond, mesh.Exponential)
	r := run(t, cfg, 1)
	slow := map[uint64]bool{} // by caller
	for _, s := range r.of("b") {
		slow[s.Parent] = s.End-s.Start > int64(timeout)
		if s.Status != 200 {
			t.Fatalf("the callee answered %d", s.Status)
		}
	}
	for _, s := range r.of("a") {
		if (s.Status == 504) != slow[s.ID] {
			t.Fatalf("%d although its call was slow: %t", s.Status, slow[s.ID])
		}
		if s.Status == 504 && s.End-s.Start != int64(21*time.Millisecond) {
			t.Fatalf("the caller waited until %s", time.Duration(s.End-s.Start))
		}
	}
	if n := statuses(r.of("a"))[504]; n == 0 {
		t.Error("nothing timed out")
	}
}

// TestRetries: 503 is tried again up to the limit, each attempt is a call of its own that counts as a retry, and success ends it.
func TestRetries(t *testing.T) {
	cfg := pair(10*time.Minute, 40, mesh.Call{Attempts: 3, Backoff: 10 * time.Millisecond})
	cfg.Services[1].Queue = 0
	cfg.Services[1].Versions[0] = version(1, 1, 10*time.Millisecond, mesh.Constant)
	r := run(t, cfg, 1)
	attempts := map[uint64][]mesh.Span{}
	for _, s := range r.of("b") {
		attempts[s.Parent] = append(attempts[s.Parent], s)
	}
	seen := map[int]int{}
	for _, s := range r.of("a") {
		tried := attempts[s.ID]
		seen[len(tried)]++
		for i, a := range tried {
			if a.Resend != i || i+1 < len(tried) && a.Status != 503 || a.Trace != s.Trace {
				t.Fatalf("attempt %d is %+v", i, a)
			}
		}
		if last := tried[len(tried)-1]; (s.Status == 200) != (last.Status == 200) || last.Status == 503 && len(tried) != 3 {
			t.Fatalf("%d after %d attempts, the last with %d", s.Status, len(tried), last.Status)
		}
	}
	if seen[1] == 0 || seen[2] == 0 || seen[3] == 0 || len(seen) != 3 {
		t.Errorf("numbers of attempts: %v", seen)
	}
	if got, want := r.total(t, "b").Retries, seen[2]+2*seen[3]; got != uint64(want) {
		t.Errorf("%d retries, want %d", got, want)
	}
}

// TestRetryStorm: successful calls are repeated; without the retries the load has not changed.
func TestRetryStorm(t *testing.T) {
	cfg := pair(20*time.Minute, 10, mesh.Call{})
	cfg.Faults = []mesh.Fault{{Kind: mesh.RetryStorm, Service: "b", Share: 1, From: 10 * time.Minute, Size: 3}}
	r := run(t, cfg, 1)
	before, after := during(r.of("b"), 0, 10*time.Minute), during(r.of("b"), 10*time.Minute, 20*time.Minute)
	fresh := 0
	for _, s := range after {
		if s.Resend == 0 {
			fresh++
		}
	}
	near(t, "attempts for each call", float64(len(after))/float64(fresh), 4, 0.01)
	near(t, "fresh calls", float64(fresh), float64(len(before)), 0.05)
}

// TestStormOfRefusals: a repetition that nobody needed and that was refused harms nobody.
func TestStormOfRefusals(t *testing.T) {
	cfg := pair(20*time.Minute, 10, mesh.Call{Attempts: 2})
	cfg.Faults = []mesh.Fault{
		{Kind: mesh.RetryStorm, Service: "b", Share: 1, Size: 3},
		{Kind: mesh.Limiter, Service: "b", Share: 1, Size: 0.3},
	}
	r := run(t, cfg, 1)
	first := map[uint64]int{}
	repeated := 0
	for _, s := range r.of("b") {
		if s.Resend == 0 {
			first[s.Parent] = s.Status
		} else if s.Status == 429 {
			repeated++
		}
	}
	for _, s := range r.of("a") {
		if (s.Status == 502) != (first[s.ID] == 429) {
			t.Fatalf("%d after a first attempt that ended with %d", s.Status, first[s.ID])
		}
	}
	if repeated == 0 {
		t.Error("no repetition was refused")
	}
}

// TestOptional: a caller that can do without an answer does.
func TestOptional(t *testing.T) {
	cfg := pair(5*time.Minute, 20, mesh.Call{Optional: true})
	cfg.Services[1].Versions[0].ErrorRate = 1
	r := run(t, cfg, 1)
	if a, b := statuses(r.of("a")), statuses(r.of("b")); len(a) != 1 || a[200] == 0 || b[500] != a[200] {
		t.Errorf("callers ended as %v, callees as %v", a, b)
	}
}

// TestHoldWorker: callers that keep their worker while they wait do as much as workers allow, without CPU.
func TestHoldWorker(t *testing.T) {
	cfg := pair(10*time.Minute, 50, mesh.Call{})
	cfg.Services[0].Versions[0] = version(1, 1, time.Millisecond, mesh.Constant)
	cfg.Services[1].Versions[0] = version(1, 9, 99*time.Millisecond, mesh.Constant)
	cfg.Services[0].Queue = 0
	if free := run(t, cfg, 1).total(t, "a"); float64(free.Rejected) > 0.1*float64(free.Offered) {
		t.Errorf("without holding: %+v", free)
	}
	cfg.Services[0].HoldWorker = true
	r := run(t, cfg, 1)
	near(t, "served a second", float64(r.total(t, "a").Served)/600, 50/(1+50*0.1), 0.05) // Erlang's loss formula with one worker
	near(t, "CPU", meanOf(r.truth, func(m mesh.Minute) float64 {
		if m.Service == "a" {
			return 2 * m.Utilisation
		}
		return 0
	}), 0.001*50/(1+50*0.1), 0.1)
}

// TestErrorsAndLatency: the share that is asked for fails, and calls take as much longer without more CPU.
func TestErrorsAndLatency(t *testing.T) {
	cfg := queue(30*time.Minute, 20, version(2, 4, 10*time.Millisecond, mesh.Constant))
	cfg.Faults = []mesh.Fault{
		{Kind: mesh.Errors, Service: "web", Share: 1, From: 10 * time.Minute, To: 20 * time.Minute, Size: 0.35},
		{Kind: mesh.Latency, Service: "web", Share: 1, From: 10 * time.Minute, To: 20 * time.Minute, Size: 4},
		{Kind: mesh.Slowdown, Service: "web", Share: 1, From: 20 * time.Minute, Size: 3},
	}
	r := run(t, cfg, 1)
	bad, slow := during(r.spans, 10*time.Minute, 20*time.Minute), during(r.spans, 20*time.Minute, 30*time.Minute)
	near(t, "failed share", float64(statuses(bad)[500])/float64(len(bad)), 0.35, 0.05)
	near(t, "time with latency", mean(bad), 0.04, 0.01)
	near(t, "time with slowdown", mean(slow), 0.03, 0.01)
	for _, m := range r.truth.Minutes {
		want := 20 * 0.01 / 8
		if !m.Start.Before(start().Add(20 * time.Minute)) {
			want *= 3
		}
		if m.Start.Before(r.truth.To) && (m.Utilisation < want*0.8 || m.Utilisation > want*1.25) {
			t.Errorf("utilisation at %s is %.4f, want about %.4f", m.Start, m.Utilisation, want)
		}
	}
}

// TestVersionFault touches one version and leaves the other alone.
func TestVersionFault(t *testing.T) {
	v1, v2 := version(2, 4, time.Millisecond, mesh.Constant), version(1, 4, time.Millisecond, mesh.Constant)
	v1.Weight, v2.Name, v2.Weight = 80, "v2", 20
	cfg := queue(10*time.Minute, 50, v1)
	cfg.Services[0].Versions = append(cfg.Services[0].Versions, v2)
	cfg.Faults = []mesh.Fault{{Kind: mesh.Errors, Service: "web", Version: "v2", Share: 1, Size: 1}}
	r := run(t, cfg, 1)
	calls := map[string]int{}
	for _, s := range r.spans {
		calls[s.Origin.Version]++
		if (s.Status == 500) != (s.Origin.Version == "v2") {
			t.Fatalf("%s answered %d", s.Origin.Version, s.Status)
		}
	}
	near(t, "share of v2", float64(calls["v2"])/float64(len(r.spans)), 0.2, 0.03)
}
