package collector_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/otelcol"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/weirmesh/weir/collector"
)

// entry is one component of builder.yaml.
type entry struct{ Gomod, Import string }

// path is the package and version of the component, as components.go writes it.
func (e entry) path() string {
	module, version, _ := strings.Cut(e.Gomod, " ")
	if e.Import != "" {
		module = e.Import
	}
	return module + " " + version
}

type manifest struct {
	Receivers, Processors, Exporters, Extensions, Connectors, Providers []entry
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("builder.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestManifestHoldsTheSameComponents keeps the collector in the weir binary and the one made by the builder the same.
func TestManifestHoldsTheSameComponents(t *testing.T) {
	m := readManifest(t)
	got, err := collector.Components(collector.Telemetry(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		manifest []entry
		modules  map[component.Type]string
		made     []component.Type
	}{
		{"receivers", m.Receivers, got.ReceiverModules, slices.Collect(maps.Keys(got.Receivers))},
		{"processors", m.Processors, got.ProcessorModules, slices.Collect(maps.Keys(got.Processors))},
		{"exporters", m.Exporters, got.ExporterModules, slices.Collect(maps.Keys(got.Exporters))},
		{"extensions", m.Extensions, got.ExtensionModules, slices.Collect(maps.Keys(got.Extensions))},
		{"connectors", m.Connectors, got.ConnectorModules, slices.Collect(maps.Keys(got.Connectors))},
	} {
		var want []string
		for _, e := range tt.manifest {
			want = append(want, e.path())
		}
		slices.Sort(want)
		if have := slices.Sorted(maps.Values(tt.modules)); !slices.Equal(have, want) {
			t.Errorf("%s: components.go has %v, builder.yaml %v", tt.name, have, want)
		}
		for _, typ := range tt.made {
			if _, ok := tt.modules[typ]; !ok {
				t.Errorf("%s: %s has no module", tt.name, typ)
			}
		}
	}
}

// TestManifestVersionsAreOurs compares the manifest's versions with go.mod: one pin for the Collector.
func TestManifestVersionsAreOurs(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	pinned := map[string]string{mod.Module.Mod.Path: "v0.0.0"}
	for _, r := range mod.Require {
		pinned[r.Mod.Path] = r.Mod.Version
	}
	m := readManifest(t)
	all := slices.Concat(m.Receivers, m.Processors, m.Exporters, m.Extensions, m.Connectors, m.Providers)
	if len(all) != 7 {
		t.Errorf("%d entries in builder.yaml", len(all))
	}
	for _, e := range all {
		module, version, _ := strings.Cut(e.Gomod, " ")
		if pinned[module] != version {
			t.Errorf("builder.yaml has %s %s, go.mod has %q", module, version, pinned[module])
		}
	}
}

// TestExampleConfiguration has the Collector check the runnable example.
func TestExampleConfiguration(t *testing.T) {
	t.Setenv("KAFKA", "127.0.0.1:9092")
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories: func() (otelcol.Factories, error) { return collector.Components(collector.Telemetry(nil, nil)) },
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{"file:testdata/config.yaml"}, DefaultScheme: "env",
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DryRun(t.Context()); err != nil {
		t.Error(err)
	}
}
