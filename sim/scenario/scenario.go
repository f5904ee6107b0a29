package scenario

import (
	"fmt"

	"github.com/weirmesh/weir/sim/mesh"
)

// Scenario is a mesh, what happens to it, and the chance it all depends on.
type Scenario struct {
	Seed    uint64
	Preset  Preset
	Healthy bool  // the faults are left out; everything innocent stays
	Rates   Rates // a recorded series in place of the load; File "" = none
	Mesh    mesh.Config
}

// Preset names a built-in scenario.
type Preset string

// The presets.
const (
	ShopPreset   Preset = "shop"
	SinglePreset Preset = "single"
)

// Rates is a recorded series of arrivals, see ReadRates.
type Rates struct {
	File  string
	Scale float64 // requests for each that was recorded
}

// Config is the mesh to run, without faults if the scenario is healthy. A scenario that names a series has to be opened before.
func (s Scenario) Config() (mesh.Config, error) {
	cfg := s.Mesh
	if s.Healthy {
		cfg.Faults = nil
	}
	if s.Rates.File != "" && cfg.Load.Series == nil {
		return cfg, fmt.Errorf("scenario %s: series %s was not opened", cfg.Name, s.Rates.File)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("scenario %s: %w", cfg.Name, err)
	}
	return cfg, nil
}
