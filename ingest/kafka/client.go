// Package kafka carries ingest over the Kafka protocol with segmentio/kafka-go. It is the only package that imports that library.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
)

// Config says how to reach a cluster.
type Config struct {
	Addresses   []string    // host:port of some brokers
	TLS         *tls.Config // nil = plain text
	Compression string      // none, gzip, snappy, lz4 or zstd; "" = none
	ClientID    string
}

// Client is a connection to a cluster. It is safe for concurrent use and must be closed.
type Client struct {
	kafka       kafka.Client
	transport   *kafka.Transport
	compression kafka.Compression
}

// New returns a client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("no Kafka addresses")
	}
	compression, err := compressionOf(cfg.Compression)
	if err != nil {
		return nil, err
	}
	t := &kafka.Transport{TLS: cfg.TLS, ClientID: cfg.ClientID, MetadataTTL: 5 * time.Second, DialTimeout: 5 * time.Second}
	return &Client{
		kafka:       kafka.Client{Addr: kafka.TCP(cfg.Addresses...), Transport: t},
		transport:   t,
		compression: compression,
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// CompressionNames lists what Config.Compression takes.
func CompressionNames() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func compressionOf(name string) (kafka.Compression, error) {
	i := slices.Index(CompressionNames(), name)
	if name == "" {
		i = 0
	}
	if i < 0 {
		return 0, fmt.Errorf("compression %q is not one of %s", name, strings.Join(CompressionNames(), ", "))
	}
	return kafka.Compression(i), nil
}

// ClusterID identifies the cluster. It doubles as the incarnation of its sources.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", fmt.Errorf("ask for cluster id: %w", c.explain(err))
	}
	return meta.ClusterID, nil
}

// explain adds what a person needs to errors that kafka-go leaves terse.
func (c *Client) explain(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, kafka.BrokerNotAvailable):
		return fmt.Errorf("no Kafka broker answers at %s: %w", c.kafka.Addr, err)
	case strings.Contains(err.Error(), "unexpected EOF"):
		return fmt.Errorf("the broker hung up (is it restarting? or a wrong password, or TLS on one side only?): %w", err)
	}
	return err
}

// classify marks errors that writing again cannot mend.
func classify(err error) error {
	if errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidTopic) || errors.Is(err, kafka.TopicAuthorizationFailed) {
		return ingest.Permanent{Err: err}
	}
	return err
}
