package wire_test

import (
	"crypto/ed25519"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func at(clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return t.AddDate(2025, 2, 3) // 2025-03-04
}

func cart() schemas.Workload {
	return schemas.Workload{Cluster: "c", Region: "eu-1", Namespace: "shop", Name: "cart", Version: "v2"}
}

func finding() schemas.Finding {
	model := schemas.Model{Name: "poisson_cusum", Version: "1"}
	id := schemas.FindingID(schemas.FindingErrors, cart(), schemas.SignalErrorRate, at("06:30:00"), model)
	return schemas.Finding{
		ID: id, IncidentID: id, Revision: 2, Kind: schemas.FindingErrors, State: schemas.Firing,
		StartedAt: at("06:30:00"), UpdatedAt: at("06:30:40"), Workload: cart(), Signal: schemas.SignalErrorRate,
		Observed: 0.125, Expected: 0.002, Low: 0, High: 0.01, Score: 14.5, Threshold: 8, Severity: schemas.SeverityCritical,
		Explanation: "12.5 % of 320 calls failed in 40 s; 0.2 % was expected.",
		Evidence:    []schemas.Fact{{Name: "calls", Value: 320, Unit: "calls"}, {Name: "failed", Value: 40, Unit: "calls"}},
		Inputs:      []string{"service_10s/2025-03-04T06:30:30Z/c/shop/cart@v2#0"}, Model: model,
	}
}

func decision() schemas.Decision {
	d := schemas.Decision{
		MadeAt: at("06:31:00"), ValidUntil: at("06:41:00"), Kind: schemas.Scale, Verdict: schemas.Propose, Target: cart(),
		Current: 4, Proposed: 6, Signal: schemas.SignalLoad, Expected: 410.5, Low: 380, High: 455.25, Code: "load_ahead",
		Reason:         "455 calls/s are likely by 06:46; 4 replicas carry 360.",
		Counterfactual: "With 4 replicas each would have to carry 114 calls/s, rated are 90.",
		Evidence: []schemas.Fact{
			{Name: "load_forecast_high", Value: 455.25, Unit: "calls/s"}, {Name: "replicas_needed", Value: 6, Unit: "replicas"},
		},
		Inputs: []string{"service_1m/2025-03-04T06:30:00Z/c/shop/cart#0"},
		Model:  schemas.Model{Name: "seasonal_ridge", Version: "1"},
	}
	d.ID = d.Identity()
	return d
}

func outcome() schemas.DecisionOutcome {
	return schemas.DecisionOutcome{
		DecisionID: decision().ID, At: at("06:31:00"), Stage: schemas.StageReported, By: "actuator", Rule: "dry_run",
		Reason: "Nothing is applied in this mode.", Object: "Deployment shop/cart-v2",
		Before: "spec:\n  replicas: 4\n", After: "spec:\n  replicas: 6\n",
		Patch:   `[{"op":"replace","path":"/spec/replicas","value":6}]`,
		Inverse: `[{"op":"replace","path":"/spec/replicas","value":4}]`,
		Diff:    "@@ -1,2 +1,2 @@\n spec:\n-  replicas: 4\n+  replicas: 6\n", Validation: "valid", ReadFrom: "manifests/shop",
	}
}

// key is the test's signing key, the same in every run.
func key() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
}

func trust(key ed25519.PrivateKey) map[string]ed25519.PublicKey {
	public := ed25519.PublicKey(key[ed25519.SeedSize:])
	return map[string]ed25519.PublicKey{wire.KeyID(public): public}
}

// signed returns the three sample events, signed with key.
func signed(t testing.TB) map[string]wire.Event {
	t.Helper()
	events := map[string]wire.Event{
		"alert":    must(wire.EncodeFinding(finding(), "/weir/detect"))(t),
		"decision": must(wire.EncodeDecision(decision(), "/weir/forecast"))(t),
		"outcome":  must(wire.EncodeOutcome(outcome(), cart(), "/weir/actuator"))(t),
	}
	for name, e := range events {
		if err := wire.Sign(&e, key()); err != nil {
			t.Fatal(err)
		}
		events[name] = e
	}
	return events
}

// must turns an error into the end of the test: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// decode reads the data of an event of any of the three types.
func decode(e wire.Event) (any, error) {
	switch e.Type {
	case wire.TypeAlert:
		return wire.DecodeFinding(e)
	case wire.TypeDecision:
		return wire.DecodeDecision(e)
	}
	return wire.DecodeOutcome(e)
}

// random makes valid values that nobody thought of.
type random struct{ *rand.Rand }

func (r random) name() string {
	pool := []rune("abcXYZ019-_./@#%\"\\<>&'{}[] \u00e9\u4e2d\u2028\U0001f600\ufffe\ufffd")
	s := make([]rune, 1+r.IntN(20))
	for i := range s {
		s[i] = pool[r.IntN(len(pool))]
	}
	return string(s)
}

func (r random) maybe() string {
	if r.IntN(3) == 0 {
		return ""
	}
	return r.name()
}

func (r random) number() float64 {
	for {
		if v := math.Float64frombits(r.Uint64()); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	}
}

func (r random) time() time.Time { return time.UnixMilli(r.Int64N(9e12)).UTC() }

func (r random) workload() schemas.Workload {
	return schemas.Workload{
		Tenant: r.maybe(), Cluster: r.maybe(), Region: r.maybe(), Namespace: r.maybe(), Name: r.name(), Version: r.maybe(),
	}
}

func (r random) facts() (all []schemas.Fact) {
	for range r.IntN(5) {
		all = append(all, schemas.Fact{Name: r.name(), Value: r.number(), Unit: r.maybe()})
	}
	return all
}

func (r random) inputs() (all []string) {
	for range r.IntN(5) {
		all = append(all, r.name())
	}
	return all
}

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) finding() schemas.Finding {
	f := schemas.Finding{
		ID: r.name(), IncidentID: r.name(), Revision: 1 + r.IntN(math.MaxInt32), Kind: pick(r, schemas.FindingErrors, schemas.FindingLatency),
		State: pick(r, schemas.Pending, schemas.Firing, schemas.Resolved), StartedAt: r.time(), Workload: r.workload(),
		Signal: pick(r, schemas.SignalErrorRate, schemas.SignalLatency), Observed: r.number(), Expected: r.number(),
		Low: r.number(), High: r.number(), Score: r.number(), Threshold: r.number(), Severity: pick(r, schemas.SeverityInfo, schemas.SeverityWarning, schemas.SeverityCritical),
		Explanation: r.maybe(), Evidence: r.facts(), Inputs: r.inputs(), Model: schemas.Model{Name: r.maybe(), Version: r.maybe()},
	}
	f.UpdatedAt = f.StartedAt.Add(time.Duration(r.IntN(1e6)) * time.Millisecond)
	if f.State == schemas.Resolved {
		f.ResolvedAt = f.UpdatedAt
	}
	return f
}

func (r random) decision() schemas.Decision {
	d := schemas.Decision{
		MadeAt: r.time(), Kind: pick(r, schemas.Scale, schemas.Shift), Verdict: pick(r, schemas.Propose, schemas.Decline), Target: r.workload(),
		Current: float64(r.IntN(101)), Proposed: float64(1 + r.IntN(100)), Signal: pick(r, "", schemas.SignalLoad, schemas.SignalErrorRate),
		Expected: r.number(), Low: r.number(), High: r.number(), Code: r.maybe(), Reason: r.maybe(), Counterfactual: r.maybe(), Cause: r.maybe(),
		Replay: r.IntN(2) == 0, Evidence: r.facts(), Inputs: r.inputs(), Model: schemas.Model{Name: r.maybe(), Version: r.maybe()},
	}
	d.ValidUntil = d.MadeAt.Add(time.Duration(1+r.IntN(1e6)) * time.Millisecond)
	d.ID = d.Identity()
	return d
}

func (r random) outcome() schemas.DecisionOutcome {
	return schemas.DecisionOutcome{
		DecisionID: r.name(), At: r.time(), Stage: pick(r, schemas.StageReported, schemas.StageRefused, schemas.StageExpired), By: r.name(),
		Rule: r.maybe(), Reason: r.maybe(), Object: r.maybe(), Before: r.maybe() + "\n", After: r.maybe(), Patch: r.maybe(), Inverse: r.maybe(),
		Diff: r.maybe(), Validation: r.maybe(), ReadFrom: r.maybe(),
	}
}
