package collector

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"
)

// tree is a part of the Collector's configuration.
type tree = map[string]any

// configuration returns the Collector's configuration file. Values are encoded, never pasted, so that no value can add a key; JSON is
// YAML.
func (c Config) configuration() (string, error) {
	k := c.KafkaSecurity
	pipelines, limiters := tree{}, tree{}
	for _, signal := range []string{"traces", "metrics", "logs"} {
		// A limiter for each signal: one that several pipelines share is started by each, which races with its own ticker.
		limiter := "memory_limiter/" + signal
		limiters[limiter] = tree{
			"check_interval": "1s", "limit_mib": c.MemoryLimitMiB, "spike_limit_mib": c.MemoryLimitMiB / 5,
		}
		pipelines[signal] = tree{"receivers": []string{"otlp"}, "processors": []string{limiter}, "exporters": []string{"weir"}}
	}
	text, err := json.Marshal(tree{
		"extensions": tree{"weir_answers": tree{"drain": c.Drain.String(), "room_mib": c.room()}},
		"receivers":  tree{"otlp": tree{"protocols": c.protocols()}},
		"processors": limiters,
		"exporters": tree{"weir": tree{
			"addresses":   c.KafkaAddresses,
			"tls":         tree{"enabled": k.TLS, "ca_file": k.CAFile, "cert_file": k.CertFile, "key_file": k.KeyFile},
			"sasl":        tree{"user": k.User, "password_file": k.PasswordFile, "mechanism": k.Mechanism, "insecure": k.Insecure},
			"compression": c.Compression,
			"attributes":  c.Attributes,
			"tenant":      c.Tenant,

			"max_workloads": c.MaxWorkloads, "max_instances": c.MaxInstances, "max_series": c.MaxSeries, "max_days": c.MaxDays,
			"max_future": c.MaxFuture.String(), "max_past": c.MaxPast.String(),
		}},
		"service": tree{
			"extensions": []string{"weir_answers"},
			"pipelines":  pipelines,
		},
	})
	if err != nil {
		return "", fmt.Errorf("encode collector configuration: %w", err)
	}
	// The Collector would replace ${env:NAME} inside a value.
	return strings.ReplaceAll(string(text), "$", "$$"), nil
}

// decodedTimes is how many times its size on the wire an ordinary request may take when decoded: spans with ten attributes take twelve.
const decodedTimes = 16

// room is how much memory requests may take together when decoded, in MiB: the largest two must get in.
func (c Config) room() int { return max(c.MemoryLimitMiB/2, 2*decodedTimes*c.MaxRequestMiB) }

func (c Config) protocols() tree {
	out := tree{}
	if c.GRPC != "" {
		out["grpc"] = c.server(c.GRPC, "max_recv_msg_size_mib", c.MaxRequestMiB)
	}
	if c.HTTP != "" {
		out["http"] = c.server(c.HTTP, "max_request_body_size", c.MaxRequestMiB<<20)
	}
	return out
}

func (c Config) server(address, sizeKey string, size int) tree {
	out := tree{"endpoint": address, sizeKey: size, "middlewares": []tree{{"id": "weir_answers"}}}
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		out["endpoint"], out["transport"] = path, "unix"
	}
	if c.CertFile != "" {
		out["tls"] = tree{"cert_file": c.CertFile, "key_file": c.KeyFile}
	}
	return out
}

// provider hands the configuration to the Collector.
func provider(text string) otelcol.ConfigProviderSettings {
	return otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
		URIs:              []string{"yaml:" + text},
		ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
	}}
}
