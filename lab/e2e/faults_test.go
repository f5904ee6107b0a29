package e2e_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/snapshot"
	"github.com/weirmesh/weir/lab/spec"
)

// holds is how long each fault holds.
const holds = 7 * time.Second

// seen is what a check of a fault gets to see.
type seen struct {
	edges  map[string]compare.Edge // since the fault began
	before map[string]compare.Edge // of the healthy mesh
	now    snapshot.Snapshot
}

// slower reports a fault whose edge did not become slower by the factor.
func slower(edge string, factor float64) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		was, is := s.before[edge].P99, s.edges[edge].P99
		t.Logf("%s: p99 %.0f ms, was %.0f ms", edge, is, was)
		if is < was*factor {
			t.Errorf("%s did not become slower", edge)
		}
	}
}

// failing reports a fault whose edge does not show a share of errors.
func failing(edge string, share float64) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		e := s.edges[edge]
		got := float64(e.WeirErrors) / float64(max(1, e.Weir))
		t.Logf("%s: %d of %d calls failed", edge, e.WeirErrors, e.Weir)
		if got < share {
			t.Errorf("%s: %.2f of the calls failed, want %.2f at least", edge, got, share)
		}
	}
}

// busier reports a fault whose edge did not get more calls for each request from outside.
func busier(edge string, factor float64) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		per := func(m map[string]compare.Edge) float64 {
			return float64(m[edge].Weir) / float64(max(1, m[" -> "+compare.DefaultGateway].Weir))
		}
		was, is := per(s.before), per(s.edges)
		t.Logf("%s: %.2f calls for each request, was %.2f", edge, is, was)
		if is < was*factor {
			t.Errorf("%s did not become busier", edge)
		}
	}
}

const (
	outside = " -> " + compare.DefaultGateway
	entry   = compare.DefaultGateway + " -> web"
)

// faults: every kind that leaves telemetry alone. After each, every edge agrees, and the fault shows where it was set.
func (l *running) faults(t *testing.T) {
	start := l.snapshot(t)
	pass(t, 2*holds)
	healthy := l.snapshot(t)
	before, last := l.agree(t, start, healthy), healthy
	for _, tt := range []struct {
		fault spec.Fault
		check func(*testing.T, seen)
	}{
		{spec.Fault{Kind: spec.Delay, Service: "catalog", Size: 300}, slower("web -> catalog", 1.3)},
		{spec.Fault{Kind: spec.Errors, Service: "reviews", Size: 0.3}, failing("web -> reviews", 0.1)},
		{spec.Fault{Kind: spec.CPUBurn, Service: "pricing", Size: 4}, slower("catalog -> pricing", 1.5)},
		{spec.Fault{Kind: spec.MemoryGrowth, Service: "cart-store", Size: 30}, slower("cart -> cart-store", 1.3)},
		{spec.Fault{Kind: spec.QueueGrowth, Service: "notify-queue", Size: 50}, queued},
		{spec.Fault{Kind: spec.DependencyTimeout, Service: "web", To: "recommend", Size: 1}, unanswered("web -> recommend")},
		{spec.Fault{Kind: spec.RetryStorm, Service: "web", To: "catalog", Size: 1}, busier("web -> catalog", 1.5)},
		{spec.Fault{Kind: spec.Brownout, Service: "catalog", Version: "v1", Size: 6}, slower("web -> catalog", 1.3)},
		{spec.Fault{Kind: spec.BadRelease, Service: "catalog", Version: "v2", Size: 0.8}, failing("web -> catalog", 0.05)},
		{spec.Fault{Kind: spec.BlackHole, Service: "reviews", Version: "v2", Size: 1}, l.emptyAndFast},
		{spec.Fault{Kind: spec.RegionOutage, Region: "south"}, failing("checkout -> payment", 0.9)},
		{spec.Fault{Kind: spec.PriceChange, Region: "south", Size: 2.5}, l.priced("2.5")},
		{spec.Fault{Kind: spec.LogOnly, Service: "reviews", Size: 0.5}, looksWell("web -> reviews")},
		{spec.Fault{Kind: spec.WrongClock, Service: "cart", Size: 600}, looksWell("web -> cart")},
		{spec.Fault{Kind: spec.NewEdge, Service: "reviews", To: "pricing", Size: 1}, busier("reviews -> pricing", 1)},
		{spec.Fault{Kind: spec.Exfiltration, Service: "recommend", Size: 64}, looksWell("web -> recommend")},
		{spec.Fault{Kind: spec.CredentialGuessing, Size: 20}, l.traffic(spec.CredentialGuessing)},
		{spec.Fault{Kind: spec.Scan, Size: 20}, l.traffic(spec.Scan)},
		{spec.Fault{Kind: spec.BotCrawl, Size: 10}, l.traffic(spec.BotCrawl)},
		{spec.Fault{Kind: spec.Flood, Size: 1.5}, l.traffic(spec.Flood)},
		{spec.Fault{Kind: spec.FlashCrowd, Size: 1.5}, l.traffic(spec.FlashCrowd)},
		{spec.Fault{Kind: spec.NewEndpoint, Size: 0.2}, l.traffic(spec.NewEndpoint)},
		{spec.Fault{Kind: spec.Deploy, Service: "reviews", Version: "v1"}, looksWell("web -> reviews")},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			from := last
			held, err := l.Fault(t.Context(), control.NewFault{Fault: tt.fault})
			if err != nil {
				t.Fatal(err)
			}
			pass(t, holds)
			if _, err := l.EndFault(t.Context(), held.ID); err != nil {
				t.Fatal(err)
			}
			now := l.snapshot(t)
			last = now
			tt.check(t, seen{edges: l.agree(t, from, now), before: before, now: now})
		})
	}
	l.truthful(t)
}

// truthful: every fault that was begun is in the truth with its end.
func (l *running) truthful(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "grep", "-c", `"to":"20`, filepath.Join(l.run, "truth.jsonl")).Output()
	if err != nil || strings.TrimSpace(string(out)) == "0" {
		t.Errorf("the truth tells of no fault that ended: %q, %v", out, err)
	}
}

func looksWell(edge string) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		if e := s.edges[edge]; e.Weir == 0 || e.WeirErrors > e.Weir/20 {
			t.Errorf("%s: %d of %d calls failed", edge, e.WeirErrors, e.Weir)
		}
	}
}

func unanswered(edge string) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		e := s.edges[edge]
		if e.Sent == nil || *e.Sent < e.Weir+10 {
			t.Errorf("%s: attempts %v, arrived %d: nothing timed out", edge, e.Sent, e.Weir)
		}
	}
}

// queued: deliveries fall behind what is published.
func queued(t *testing.T, s seen) {
	t.Helper()
	in, out := s.edges["checkout -> notify-queue"].Weir, s.edges["notify-queue -> notifier"].Weir
	t.Logf("%d published, %d delivered by the time nothing moved", in, out)
	if in == 0 {
		t.Error("nothing was published")
	}
}

// emptyAndFast: the version answers well, at once, and with nothing.
func (l *running) emptyAndFast(t *testing.T, _ seen) {
	t.Helper()
	where := " FROM service_windows WHERE workload = 'reviews' AND version = 'v2' AND window_start >= now() - INTERVAL 20 SECOND"
	mean, errors := l.query(t, "SELECT min(mean_ms)"+where), l.query(t, "SELECT sum(errors)"+where)
	t.Logf("fastest window of v2: %.1f ms", mean)
	if mean > 60 || errors > 0 {
		t.Errorf("v2 took %.1f ms and has %g errors", mean, errors)
	}
}

// priced: the price was on the nodes, and is what it was.
func (l *running) priced(string) func(*testing.T, seen) {
	return func(t *testing.T, _ seen) {
		t.Helper()
		out := l.kubectl(t, "", "get", "node", "south-1", "-o", `jsonpath={.metadata.annotations.lab\.weir\.dev/price}`)
		if out != "0.6" {
			t.Errorf("the price of south is %q after the fault", out)
		}
	}
}

// traffic: the load generator sent what the fault says, and Weir counted it like any other.
func (l *running) traffic(kind spec.FaultKind) func(*testing.T, seen) {
	return func(t *testing.T, s seen) {
		t.Helper()
		var counts load.Counts
		if err := l.Load(t.Context(), http.MethodGet, "/counts", nil, &counts); err != nil {
			t.Fatal(err)
		}
		sent := counts.Faults[kind]
		if kind == spec.NewEndpoint { // people ask for it in place of others
			sent = counts.Endpoints["GET /deals"]
		}
		t.Logf("%s: %v; Weir: %d requests, %d of them 4xx", kind, sent, s.edges[outside].Weir, s.edges[outside].Weir4xx)
		if len(sent) == 0 {
			t.Error("the generator sent nothing for it")
		}
		if (kind == spec.CredentialGuessing || kind == spec.Scan) && s.edges[entry].Weir4xx < 50 {
			t.Errorf("Weir shows %d 4xx", s.edges[entry].Weir4xx)
		}
	}
}

// telemetry: what was not reported is missing where it was not reported, and nowhere else. When Weir no longer waits for it, it counts
// these calls by what the other side reported.
func (l *running) telemetry(t *testing.T) {
	begin := l.snapshot(t)
	for _, tt := range []struct {
		fault   spec.Fault
		touches func(edge string) bool
	}{
		{spec.Fault{Kind: spec.CollectorDown, Region: "south"}, func(e string) bool { return strings.Contains(e, "payment") || strings.Contains(e, "notifier") }},
		{spec.Fault{Kind: spec.ProxySilent, Service: "reviews", Size: 1}, func(e string) bool { return strings.Contains(e, "reviews") }},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			from := l.snapshot(t)
			held, err := l.Fault(t.Context(), control.NewFault{Fault: tt.fault})
			if err != nil {
				t.Fatal(err)
			}
			pass(t, holds)
			if _, err := l.EndFault(t.Context(), held.ID); err != nil {
				t.Fatal(err)
			}
			pass(t, 5*time.Second) // services report again what was refused
			missing := 0
			for _, e := range l.snapshot(t).Edges(from, l.mesh) {
				name := e.From + " -> " + e.To
				switch {
				case e.Verdict != compare.Wrong, e.From == "?": // what Weir hears of late from other parts
				case tt.touches(name):
					missing++
					t.Logf("%s: sent %v, Weir %d: %s", name, number(e.Sent), e.Weir, e.Why)
				default:
					t.Errorf("%s is not touched by the fault: %s", name, e.Why)
				}
			}
			if missing == 0 {
				t.Error("nothing is missing: the fault did nothing")
			}
		})
	}
	// A proxy that is killed takes with it what it had not reported yet.
	pod := l.pod(t, "cart-store")
	l.kill(t, "the proxy of "+pod.Pod, is("envoy", pod.Pod))
	l.recovers(t, begin)
}

func number(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

// recovers waits until Weir has given up waiting for what will never be reported: two generations of its join, which the load fills. Then
// no edge is wrong any more, but for a few calls whose two sides came before and after the end of a generation: those are known from both,
// and the callee's caller is not known.
func (l *running) recovers(t *testing.T, from snapshot.Snapshot) {
	t.Helper()
	const few = 10
	wrong := func(e compare.Edge) bool { return e.Verdict == compare.Wrong && (e.From != "?" || e.Weir > few) }
	var edges []compare.Edge
	for range 4 {
		pass(t, 25*time.Second)
		if edges = l.snapshot(t).Edges(from, l.mesh); !slices.ContainsFunc(edges, wrong) {
			break
		}
	}
	for _, e := range edges {
		if e.Verdict != compare.Exact {
			t.Logf("at last: %s -> %s: sent %d, Weir %d: %s", e.From, e.To, number(e.Sent), e.Weir, e.Why)
		}
		if wrong(e) {
			t.Errorf("%s -> %s is still wrong", e.From, e.To)
		}
	}
}
