// Package kafka carries ingest over the Kafka protocol with segmentio/kafka-go. It is the only package that imports that library.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
)

// Config says how to reach a cluster.
type Config struct {
	Addresses   []string // host:port of some brokers
	Security    Security
	Compression string // none, gzip, snappy, lz4 or zstd; "" = none
	ClientID    string
	Topics      []string // the only topics that will be used; nil = any that the user may see
	// Timeout bounds a connection's start, with all its handshakes. 0 = 5 s.
	Timeout time.Duration
}

// Client is a connection to a cluster. It is safe for concurrent use and must be closed.
type Client struct {
	kafka       kafka.Client
	transport   *kafka.Transport
	dialer      *dialer
	addresses   []string
	compression kafka.Compression

	mu     sync.Mutex
	epochs map[string]int // guarded by mu; by topic
}

// New returns a client. It does not connect yet, but reads the files of cfg.Security once to find out whether they can be used.
func New(cfg Config) (*Client, error) {
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("no Kafka addresses")
	}
	compression, err := compressionOf(cfg.Compression)
	if err != nil {
		return nil, err
	}
	if err := cfg.Security.check(); err != nil {
		return nil, err
	}
	for _, address := range cfg.Addresses {
		if err := cfg.Security.checkPeer(address); err != nil {
			return nil, err
		}
	}
	d := &dialer{security: cfg.Security, clientID: cfg.ClientID, timeout: cmp.Or(cfg.Timeout, 5*time.Second)}
	t := &kafka.Transport{
		Dial: d.dial, ClientID: cfg.ClientID, MetadataTTL: 5 * time.Second, DialTimeout: d.timeout, MetadataTopics: cfg.Topics,
	}
	return &Client{
		kafka:     kafka.Client{Addr: kafka.TCP(cfg.Addresses...), Transport: t},
		transport: t, dialer: d, addresses: cfg.Addresses, compression: compression, epochs: map[string]int{},
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

// SetEpoch says how often a topic was made anew under its name, as the store has recorded it. It counts for sessions that come after.
func (c *Client) SetEpoch(topic string, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epochs[topic] = epoch
}

// Incarnation names the log of a topic: the cluster's id and, once the topic was made anew, a point and its epoch.
func (c *Client) Incarnation(ctx context.Context, topic string) (string, error) {
	id, err := c.ClusterID(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch := c.epochs[topic]; epoch > 0 {
		id += "." + strconv.Itoa(epoch)
	}
	return id, err
}

// ClusterID identifies the cluster.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", fmt.Errorf("ask for cluster id: %w", c.explain("the cluster", err))
	}
	return meta.ClusterID, nil
}

// classify marks errors that writing again cannot mend. A right that is missing is none of them: it can be given while senders wait.
func classify(err error) error {
	if isTooLarge(err) || errors.Is(err, kafka.InvalidTopic) {
		return ingest.Permanent{Err: err}
	}
	return err
}
