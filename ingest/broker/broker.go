// Package broker is the embedded Kafka-protocol broker: enough of a cluster for a laptop, a test or a demo, never for production. It is
// the only package that imports kfake.
//
// Its log lives in a directory and survives kill -9. The caller makes sure that only one process uses the directory.
package broker

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Config says how to run the broker.
type Config struct {
	Dir    string // holds the log; made if missing
	Listen string // host:port; port 0 picks one
	// Advertised is the host:port that clients are told, where it differs from the one listened on; "" = the same.
	Advertised string
	Sync       bool        // fsync every write, so that a power cut loses nothing that was acknowledged
	TLS        *tls.Config // nil = plain text
	Logger     *slog.Logger

	MinFree int64                           // bytes that must be free on the disk for a message to be taken; 0 = no limit
	Space   func(error)                     // told why messages are refused, and nil when they are taken again; nil = nobody
	Free    func(dir string) (int64, error) // bytes free on the disk of dir; nil = ask the system
}

// Broker is a running broker. Close it.
type Broker struct {
	cluster *kfake.Cluster
}

// Start opens the log and listens.
func Start(cfg Config) (*Broker, error) {
	incarnation, err := incarnation(cfg.Dir)
	if err != nil {
		return nil, err
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID(incarnation), kfake.DataDir(filepath.Join(cfg.Dir, "log")),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listen(cfg) }),
		kfake.WithLogger(logger{cfg.Logger}),
	}
	if cfg.Sync {
		options = append(options, kfake.SyncWrites())
	}
	if cfg.TLS != nil {
		options = append(options, kfake.TLS(cfg.TLS))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", cfg.Listen, err)
	}
	if cfg.MinFree > 0 {
		cfg.space().watch(cluster)
	}
	return &Broker{cluster: cluster}, nil
}

func (cfg Config) space() *space {
	s := &space{dir: cfg.Dir, limit: cfg.MinFree, free: cfg.Free, changed: cfg.Space}
	if s.free == nil {
		s.free = freeBytes
	}
	if s.changed == nil {
		s.changed = func(error) {}
	}
	return s
}

// listen opens the listener. The broker tells its clients the address that it has.
func listen(cfg Config) (net.Listener, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil || cfg.Advertised == "" {
		return l, err
	}
	return advertised{l, address(cfg.Advertised)}, nil
}

// advertised is a listener that says it is elsewhere.
type advertised struct {
	net.Listener
	at address
}

func (l advertised) Addr() net.Addr { return l.at }

// address is a host:port that nobody has resolved: clients do.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// Addr is what clients are told: host:port.
func (b *Broker) Addr() string {
	return strings.Join(b.cluster.ListenAddrs(), ",")
}

// Close stops listening and closes the log.
func (b *Broker) Close() { b.cluster.Close() }

// incarnation returns the name this log was given when it was made.
func incarnation(dir string) (string, error) {
	file := filepath.Join(dir, "incarnation")
	known, err := os.ReadFile(file)
	if err == nil && len(known) > 0 {
		return string(known), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read incarnation: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make broker directory: %w", err)
	}
	name := strings.ToLower(rand.Text()[:12])
	if err := os.WriteFile(file+".new", []byte(name), 0o600); err != nil {
		return "", fmt.Errorf("write incarnation: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return "", fmt.Errorf("write incarnation: %w", err)
	}
	return name, nil
}

// logger hands kfake's own lines to slog.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch text := fmt.Sprintf(format, args...); level {
	case kfake.LogLevelError:
		l.log.Error("Embedded broker", "event", text)
	case kfake.LogLevelWarn:
		l.log.Warn("Embedded broker", "event", text)
	default:
		l.log.Debug("Embedded broker", "event", text)
	}
}
