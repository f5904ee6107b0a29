package scenario

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
)

// Default is the demo: a shop of seven workloads over two days and a morning. On the third morning the load ramps up beyond anything it
// was, so that cart will need more replicas, and about 25 minutes before the end catalog v2, which gets a fifth of catalog's calls, turns
// bad. Somebody tripled cart-store on the first evening, for nothing. The seed varies sizes and times a little, and what goes wrong.
func Default(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 0x73686f70))
	cfg := shop()
	busy := vary(rng, 1, 0.2)
	cfg.Load.Rate = round(2.9*busy, 2)
	cfg.Load.PeakHour = round(13+vary(rng, 0, 0.2), 1)
	for i := range cfg.Services {
		for k := range cfg.Services[i].Versions {
			v := &cfg.Services[i].Versions[k]
			// Where more arrives, each call is less work, so that replicas are as busy as the story needs.
			v.Work = time.Duration(float64(v.Work) / busy * vary(rng, 1, 0.03)).Round(time.Millisecond)
			v.ErrorRate = round(vary(rng, 0.001, 0.0005), 4)
		}
	}
	cfg.Events = events(rng)
	cfg.Faults = faults(rng)
	return Scenario{Seed: seed, Preset: ShopPreset, Rates: Rates{Scale: 1}, Mesh: cfg}
}

// events are the innocent ones.
func events(rng *rand.Rand) []mesh.Event {
	ramp := -time.Duration(vary(rng, 135, 10)) * time.Minute
	return []mesh.Event{
		{Kind: mesh.Scale, From: 20 * time.Hour, Service: "cart-store", Version: "v1", Replicas: 6},
		{Kind: mesh.Ramp, From: ramp, To: ramp + time.Hour, Factor: round(vary(rng, 1.8, 0.05), 2)},
	}
}

// faults are what goes wrong with catalog v2: errors, latency, or both.
func faults(rng *rand.Rand) []mesh.Fault {
	from := -time.Duration(vary(rng, 25, 3)) * time.Minute
	errors := mesh.Fault{
		Kind: mesh.Errors, Service: "catalog", Version: "v2", Share: 1, From: from, Size: round(vary(rng, 0.35, 0.05), 2),
	}
	latency := mesh.Fault{
		Kind: mesh.Latency, Service: "catalog", Version: "v2", Share: 1, From: from, Size: round(vary(rng, 4, 0.5), 1),
	}
	switch rng.IntN(4) {
	case 0:
		return []mesh.Fault{errors}
	case 1:
		return []mesh.Fault{latency}
	}
	return []mesh.Fault{errors, latency}
}

// shop is the demo's mesh before the seed varies it. In the daily peak, 6 requests a second, front, catalog, checkout, payment and
// inventory are busy to about 35 %, cart to 47 %, and cart-store to 24 %, or, from the first evening on, to 8 %.
func shop() mesh.Config {
	return mesh.Config{
		Name: string(ShopPreset), Start: monday(), Length: 58 * time.Hour,
		Cluster: "demo", Namespace: "shop",
		Load: mesh.Load{Daily: 0.87, PeakHour: 13, Weekly: [7]float64{1, 1, 1, 1, 1, 0.7, 0.6}, Growth: 0.02},
		Services: []mesh.Service{
			service("front", 1, versions(one(2, 116)),
				retried(call("catalog", 1)), retried(call("catalog", 0.6)), patient(call("cart", 0.9)), patient(call("checkout", 0.45))),
			service("catalog", 0, []mesh.Version{version("v1", 80, 2, 90), version("v2", 20, 1, 90)}),
			service("cart", 0, versions(one(2, 175)), call("cart-store", 1)),
			service("cart-store", 0, versions(one(2, 90))),
			service("checkout", 0, versions(one(1, 120)), call("payment", 1), call("inventory", 1)),
			service("payment", 0, versions(one(1, 120))),
			service("inventory", 0, versions(one(1, 120))),
		},
	}
}

func monday() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

func service(name string, entry float64, versions []mesh.Version, calls ...mesh.Call) mesh.Service {
	s := defaultService()
	s.Name, s.Entry, s.Versions, s.Calls = name, entry, versions, calls
	return s
}

func versions(v ...mesh.Version) []mesh.Version { return v }

func one(replicas, milliseconds int) mesh.Version { return version("v1", 100, replicas, milliseconds) }

func version(name string, weight float64, replicas, milliseconds int) mesh.Version {
	v := defaultVersion()
	v.Name, v.Weight, v.Replicas, v.Work = name, weight, replicas, time.Duration(milliseconds)*time.Millisecond
	return v
}

func call(to string, probability float64) mesh.Call {
	c := defaultCall()
	c.To, c.Probability = to, probability
	return c
}

// retried lets a call be tried twice. Only catalog, which is quick, is asked again: where a callee is slow because it is busy, retries can
// keep it busy for good.
func retried(c mesh.Call) mesh.Call {
	c.Attempts = 2
	return c
}

// patient lets a call wait longer, because its callee makes calls itself.
func patient(c mesh.Call) mesh.Call {
	c.Timeout = 1500 * time.Millisecond
	return c
}

// Single is one service under a load that can be anything, for instance a recorded series: one span for each request.
func Single(seed uint64) Scenario {
	v := version("v1", 100, 4, 40)
	v.Workers = 4
	return Scenario{Seed: seed, Preset: SinglePreset, Rates: Rates{Scale: 1}, Mesh: mesh.Config{
		Name: string(SinglePreset), Start: monday(), Length: 24 * time.Hour, Cluster: "demo", Namespace: "single",
		Load:     mesh.Load{Rate: 10, Daily: 0.87, PeakHour: 13, Weekly: [7]float64{1, 1, 1, 1, 1, 0.7, 0.6}},
		Services: []mesh.Service{service("web", 1, versions(v))},
	}}
}

// What a key that a file leaves out in the items of a list stands for.

func defaultService() mesh.Service {
	return mesh.Service{Balancer: mesh.LeastLoaded, Queue: 100, StartLag: 30 * time.Second}
}

func defaultVersion() mesh.Version {
	return mesh.Version{
		Name: "v1", Weight: 100, Replicas: 1, Workers: 1, CPU: 250, Work: 100 * time.Millisecond, Variability: mesh.Lognormal, Spread: 0.4,
	}
}

func defaultCall() mesh.Call {
	return mesh.Call{Probability: 1, Timeout: time.Second, Attempts: 1, Backoff: 25 * time.Millisecond}
}

func defaultFault() mesh.Fault { return mesh.Fault{Share: 1} }

// vary draws evenly from mean-spread to mean+spread.
func vary(rng *rand.Rand, mean, spread float64) float64 {
	return mean + spread*(2*rng.Float64()-1)
}

// round keeps numbers short enough to read.
func round(v float64, digits int) float64 {
	one := math.Pow10(digits)
	return math.Round(v*one) / one
}
