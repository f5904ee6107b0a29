// Package clickhouse keeps and reads windows in ClickHouse, embedded or not, over its HTTP interface. It is the only package that imports
// clickhouse-go.
package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Config says how to reach the server.
type Config struct {
	Address  string // host:port of the HTTP interface
	User     string
	Password string
	TLS      *tls.Config // nil = plain text
	MinFree  int64       // bytes that must be free on the server's disk for an insert to begin; 0 = no limit, or the server's own
}

// Client talks to one server. It is safe for concurrent use and must be closed.
type Client struct {
	conn    driver.Conn
	address string
}

// New returns a client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	settings := clickhouse.Settings{}
	if cfg.MinFree > 0 {
		settings["min_free_disk_bytes_to_perform_insert"] = cfg.MinFree
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Settings: settings,
		Addr:     []string{cfg.Address}, Protocol: clickhouse.HTTP, TLS: cfg.TLS,
		Auth:        clickhouse.Auth{Database: "default", Username: cfg.User, Password: cfg.Password},
		DialTimeout: 5 * time.Second, ReadTimeout: 5 * time.Minute,
		MaxOpenConns: 8, MaxIdleConns: 4, ConnMaxLifetime: time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to ClickHouse at %s: %w", cfg.Address, err)
	}
	return &Client{conn: conn, address: cfg.Address}, nil
}

// Close closes the connections.
func (c *Client) Close() error { return c.conn.Close() }

// Ping reports whether the server answers.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.conn.Ping(ctx); err != nil {
		return fmt.Errorf("no ClickHouse answers at %s: %w", c.address, err)
	}
	return nil
}

// quote writes s as a ClickHouse string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// code returns ClickHouse's own error code, 0 if there is none.
func code(err error) int32 {
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// IsUnknownTable reports whether an error says that a table is not there: the schema is older than what was asked.
func IsUnknownTable(err error) bool { return code(err) == 60 }
