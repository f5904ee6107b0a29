package weirexporter_test

import (
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/collector/weirexporter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(t *testing.T, id string) *weirexporter.Config {
	t.Helper()
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := all.Sub(id)
	if err != nil {
		t.Fatal(err)
	}
	cfg, ok := weirexporter.NewFactory().CreateDefaultConfig().(*weirexporter.Config)
	if err := sub.Unmarshal(cfg); !ok || err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestLoadConfig(t *testing.T) {
	short := load(t, "weir")
	if err := short.Validate(); err != nil || short.Compression != "none" || short.Retry.MaxInterval != 5*time.Second {
		t.Errorf("got %+v, %v", short, err)
	}
	all := load(t, "weir/all")
	if err := all.Validate(); err != nil || len(all.Addresses) != 2 || !all.TLS.Enabled || all.TLS.CAFile == "" || all.TLS.KeyFile == "" || all.SASL.User == "" || all.SASL.PasswordFile == "" || all.Compression != "zstd" ||
		all.Attributes[0] != "queue.name" || all.Tenant != "blue" || all.Retry.InitialInterval != 50*time.Millisecond {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		want   error
		change func(*weirexporter.Config)
	}{
		{nil, func(*weirexporter.Config) {}},
		{weirexporter.ErrNoAddresses, func(c *weirexporter.Config) { c.Addresses = nil }},
		{weirexporter.ErrNoAddresses, func(c *weirexporter.Config) { c.Addresses = []string{""} }},
		{weirexporter.ErrCompression, func(c *weirexporter.Config) { c.Compression = "brotli" }},
		{weirexporter.ErrRetry, func(c *weirexporter.Config) { c.Retry.InitialInterval = 0 }},
		{weirexporter.ErrRetry, func(c *weirexporter.Config) { c.Retry.MaxInterval = time.Nanosecond }},
		{weirexporter.ErrCAFile, func(c *weirexporter.Config) { c.TLS.CAFile = "x" }},
		{weirexporter.ErrCAFile, func(c *weirexporter.Config) { c.TLS.KeyFile = "x" }},
		{weirexporter.ErrMechanism, func(c *weirexporter.Config) { c.SASL.User, c.SASL.Mechanism = "u", "gssapi" }},
		{weirexporter.ErrAttribute, func(c *weirexporter.Config) { c.Attributes = []string{"a=b"} }},
	} {
		cfg := load(t, "weir")
		tt.change(cfg)
		if err := cfg.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
	}
}

func TestMissingCAFileStopsTheStart(t *testing.T) {
	factory := weirexporter.NewFactory()
	cfg := load(t, "weir/all")
	cfg.TLS.CAFile = "testdata/missing.pem"
	e, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(component.MustNewType("weir")), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err == nil {
		t.Error("started without its certificates")
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
