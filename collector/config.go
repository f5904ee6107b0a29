package collector

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirmesh/weir/ingest/kafka"
)

// Errors of Validate.
var (
	ErrNoListener = errors.New("collector needs an address for grpc or http")
	ErrTLSPair    = errors.New("collector needs both a certificate and a key file, or neither")
	ErrLimits     = errors.New("collector limits must be positive, and a request smaller than the memory limit")
	ErrNoKafka    = errors.New("collector needs Kafka addresses")
)

// Config of a collector inside a process.
type Config struct {
	GRPC, HTTP        string // addresses to listen on, host:port or unix:///path; "" = off
	CertFile, KeyFile string // TLS for both; "" = plain text

	MemoryLimitMiB int // of the whole process; above it, requests are refused and come again
	MaxRequestMiB  int // the largest request taken, after decompression

	Drain time.Duration // how long requests that wait for Kafka may go on after the collector was told to stop

	KafkaAddresses []string
	KafkaSecurity  kafka.Security
	Compression    string // of Kafka messages; "" = none

	Attributes []string // attribute keys of gauges and counters to keep besides the built-in ones
	Tenant     string   // given to every record

	MaxWorkloads, MaxInstances, MaxSeries int           // names let through at a time
	MaxDays                               int           // that events are from at a time, besides those around now
	MaxFuture, MaxPast                    time.Duration // how far from now an event may be; 0 = any time

	Registerer prometheus.Registerer // where its metrics go, once for each registerer; nil = nowhere
	Logger     *slog.Logger          // nil = nowhere
}

// DefaultConfig returns the configuration in which only the Kafka addresses are missing. It listens on loopback.
func DefaultConfig() Config {
	return Config{
		GRPC: "127.0.0.1:4317", HTTP: "127.0.0.1:4318",
		MemoryLimitMiB: 1024, MaxRequestMiB: 16, Drain: 10 * time.Second,
		MaxWorkloads: 10_000, MaxInstances: 50_000, MaxSeries: 100_000, MaxDays: 32, MaxFuture: time.Hour, MaxPast: 50 * 365 * 24 * time.Hour,
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.GRPC == "" && c.HTTP == "":
		return ErrNoListener
	case (c.CertFile == "") != (c.KeyFile == ""):
		return ErrTLSPair
	case c.MemoryLimitMiB <= 0 || c.MaxRequestMiB <= 0 || c.MaxRequestMiB >= c.MemoryLimitMiB:
		return ErrLimits
	case len(c.KafkaAddresses) == 0:
		return ErrNoKafka
	}
	return nil
}
