package otlp_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
)

// shop is the demo's mesh for some time from its first noon on, with a little of every trouble.
func shop(t testing.TB, length time.Duration) mesh.Config {
	t.Helper()
	cfg := scenario.Default(1).Mesh
	cfg.Start, cfg.Length = cfg.Start.Add(12*time.Hour), length
	cfg.Events = nil
	cfg.Services[2].Queue = 2
	cfg.Services[0].Calls[2].Attempts = 3
	third := length / 3
	cfg.Faults = []mesh.Fault{
		{Kind: mesh.Errors, Service: "catalog", Version: "v2", Share: 1, From: third, Size: 0.35},
		{Kind: mesh.Latency, Service: "catalog", Version: "v2", Share: 1, From: third, Size: 9},
		{Kind: mesh.Limiter, Service: "checkout", Share: 1, From: third, To: 2 * third, Size: 0.5},
		{Kind: mesh.Crash, Service: "cart", Share: 0.5, From: third, To: 2 * third},
		{Kind: mesh.Crash, Service: "payment", Share: 1, From: 2 * third},
		{Kind: mesh.RetryStorm, Service: "inventory", Share: 1, From: third, Size: 2},
	}
	return cfg
}

// run simulates and hands over the batches.
func run(t testing.TB, cfg mesh.Config, yield func(mesh.Batch) error) mesh.Truth {
	t.Helper()
	m, err := mesh.New(cfg, 11)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context(), yield); err != nil {
		t.Fatal(err)
	}
	return m.Truth()
}
