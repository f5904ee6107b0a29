package weirexporter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/ingest/kafka"
)

// Errors of Validate.
var (
	ErrNoAddresses = errors.New("addresses: at least one Kafka broker (host:port) is needed")
	ErrCompression = errors.New("compression: unknown name")
	ErrRetry       = errors.New("retry: need 0 < initial_interval <= max_interval")
	ErrNames       = errors.New("max_workloads, max_instances, max_series and max_days must be at least 1")
	ErrTimes       = errors.New("max_future and max_past must not be negative")
	ErrCAFile      = errors.New("tls: files need enabled: true")
	ErrMechanism   = errors.New("sasl: unknown mechanism")
	ErrAttribute   = errors.New("attributes: a key must not be empty or hold one of {}=,")
)

// Config of the exporter.
type Config struct {
	// Addresses of some brokers of the Kafka cluster, host:port.
	Addresses []string   `mapstructure:"addresses"`
	TLS       TLSConfig  `mapstructure:"tls"`
	SASL      SASLConfig `mapstructure:"sasl"`
	// Compression of messages: none, gzip, snappy, lz4 or zstd.
	Compression string `mapstructure:"compression"`
	// Attributes are attribute keys of gauges and counters to keep besides the built-in ones. They become part of the metric's name.
	Attributes []string `mapstructure:"attributes"`
	// Tenant that every record is given.
	Tenant string `mapstructure:"tenant"`
	// Most names that are let through at a time, of workloads, of their instances and of series of metrics.
	MaxWorkloads int `mapstructure:"max_workloads"`
	MaxInstances int `mapstructure:"max_instances"`
	MaxSeries    int `mapstructure:"max_series"`
	// MaxDays is how many days events may be from at a time, besides those around now.
	MaxDays int `mapstructure:"max_days"`
	// MaxFuture and MaxPast are how far from now an event may be; 0 = any time.
	MaxFuture time.Duration `mapstructure:"max_future"`
	MaxPast   time.Duration `mapstructure:"max_past"`

	Retry RetryConfig `mapstructure:"retry"`
}

// TLSConfig says how to talk to the brokers. The files are read again for every connection.
type TLSConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// CAFile holds PEM certificates to trust besides the system's.
	CAFile string `mapstructure:"ca_file"`
	// CertFile and KeyFile hold the certificate to show and its key.
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// SASLConfig says who talks to the brokers. Without a user, nobody.
type SASLConfig struct {
	User string `mapstructure:"user"`
	// PasswordFile is read again for every connection.
	PasswordFile string `mapstructure:"password_file"`
	// Mechanism is plain, scram-sha-256 or scram-sha-512.
	Mechanism string `mapstructure:"mechanism"`
	// Insecure lets mechanism plain send the password over a network without TLS.
	Insecure bool `mapstructure:"insecure"`
}

// security is what the Kafka client makes of both.
func (c *Config) security() kafka.Security {
	return kafka.Security{
		TLS: c.TLS.Enabled, CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
		User: c.SASL.User, PasswordFile: c.SASL.PasswordFile, Mechanism: c.SASL.Mechanism, Insecure: c.SASL.Insecure,
	}
}

// RetryConfig says how often to try again while Kafka takes nothing. There is no last try: while the sender waits, so does the exporter.
type RetryConfig struct {
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	MaxInterval     time.Duration `mapstructure:"max_interval"`
}

// DefaultConfig returns the configuration in which only Addresses is missing.
func DefaultConfig() *Config {
	most := names.DefaultLimits()
	return &Config{
		Compression:  "none",
		MaxWorkloads: most.Workloads, MaxInstances: most.Instances, MaxSeries: most.Series, MaxDays: most.Days,
		MaxFuture: time.Hour, MaxPast: 50 * 365 * 24 * time.Hour,
		SASL:  SASLConfig{Mechanism: kafka.ScramSHA512},
		Retry: RetryConfig{InitialInterval: 100 * time.Millisecond, MaxInterval: 5 * time.Second},
	}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	if len(c.Addresses) == 0 || slices.Contains(c.Addresses, "") {
		return ErrNoAddresses
	}
	if c.Compression != "" && !slices.Contains(kafka.CompressionNames(), c.Compression) {
		return fmt.Errorf("%w %q, want one of %s", ErrCompression, c.Compression, strings.Join(kafka.CompressionNames(), ", "))
	}
	if c.Retry.InitialInterval <= 0 || c.Retry.MaxInterval < c.Retry.InitialInterval {
		return ErrRetry
	}
	if min(c.MaxWorkloads, c.MaxInstances, c.MaxSeries, c.MaxDays) < 1 {
		return ErrNames
	}
	if min(c.MaxFuture, c.MaxPast) < 0 {
		return ErrTimes
	}
	if !c.TLS.Enabled && c.TLS != (TLSConfig{}) {
		return ErrCAFile
	}
	if c.SASL.User != "" && !slices.Contains(kafka.Mechanisms(), c.SASL.Mechanism) {
		return fmt.Errorf("%w %q, want one of %s", ErrMechanism, c.SASL.Mechanism, strings.Join(kafka.Mechanisms(), ", "))
	}
	for _, key := range c.Attributes {
		if key == "" || strings.ContainsAny(key, "{}=,") {
			return fmt.Errorf("%w: %q", ErrAttribute, key)
		}
	}
	return nil
}
