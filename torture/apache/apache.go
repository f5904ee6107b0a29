// Package apache runs Apache Kafka without ZooKeeper (KRaft) from its jars, as `make kafka` fetches them: the servers that Weir is meant for,
// on loopback, small enough for a laptop. It writes their configuration and formats their storage; the caller runs the programs.
//
// The first node is controller and broker, the others are brokers. A static quorum of one controller is enough: it is the brokers that are
// killed, and with the controller gone nothing is elected and nothing lost.
package apache

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Listener is one address of a broker. Clients that reach it are told the advertised addresses of all brokers' listeners of that name, so a
// name for each kind of client gives each kind its own link.
type Listener struct {
	Name       string // capital letters
	Listen     string // host:port
	Advertised string // host:port; "" = Listen
	Security   Security
}

// Node is one server.
type Node struct {
	ID          int
	Dir         string     // its configuration and its log; made if missing
	Replication string     // host:port for the other brokers
	Listeners   []Listener // for clients, at least one
}

// Config is a cluster.
type Config struct {
	Home       string // folder of the jars
	Java       string // "" = java on the PATH
	Controller string // host:port of the controller
	HeapMiB    int    // of each node; 0 = 256
	// MinInSync is how many replicas a write waits for at least; 0 = all. Below the number of nodes a broker that was killed does not stop
	// the writes, but then one node alone holds what is acknowledged.
	MinInSync int
	Nodes     []Node
	// Users are people and programs with their passwords, for every mechanism. They are made when storage is formatted.
	Users map[string]string
	// Supers are principals who may do everything, for example User:admin; everybody else may do what ACLs give them. nil = everybody may
	// do everything. Whoever comes without a name, over plain text or without a certificate, is User:ANONYMOUS, and may do everything too:
	// so do the brokers among themselves.
	Supers []string
	// Settings are added to server.properties of every node.
	Settings map[string]string
}

// ErrNoKafka says that there is nothing to run.
var ErrNoKafka = errors.New("Apache Kafka is not here: run `make kafka`, or set APACHE_KAFKA_JARS to a folder with its jars") //nolint:staticcheck // a name

// Find returns the folder of the jars: APACHE_KAFKA_JARS.
func Find() (string, error) {
	home := os.Getenv("APACHE_KAFKA_JARS")
	jars, err := filepath.Glob(filepath.Join(home, "kafka-clients-*.jar"))
	if err != nil || home == "" || len(jars) == 0 {
		return "", ErrNoKafka
	}
	return home, nil
}

// Prepare writes each node's configuration and formats its storage unless that was done before.
func (c Config) Prepare(ctx context.Context) error {
	if len(c.Nodes) == 0 {
		return errors.New("prepare Apache Kafka: no nodes")
	}
	id, err := c.clusterID()
	if err != nil {
		return err
	}
	formats, ctx := errgroup.WithContext(ctx)
	for i, n := range c.Nodes {
		if err := os.MkdirAll(n.Dir, 0o755); err != nil {
			return fmt.Errorf("prepare Apache Kafka: %w", err)
		}
		if err := os.WriteFile(n.properties(), []byte(c.text(i)), 0o600); err != nil {
			return fmt.Errorf("prepare Apache Kafka: %w", err)
		}
		if _, err := os.Stat(n.meta()); err == nil {
			continue
		}
		formats.Go(func() error { return c.format(ctx, n, id) })
	}
	return formats.Wait()
}

// Command returns the program of the node at an index and its arguments. It runs until SIGTERM.
func (c Config) Command(node int) (path string, args []string) {
	return c.java(), append(c.options(), "kafka.Kafka", c.Nodes[node].properties())
}

func (c Config) java() string {
	if c.Java != "" {
		return c.Java
	}
	return "java"
}

func (c Config) options() []string {
	heap := c.HeapMiB
	if heap == 0 {
		heap = 256
	}
	return []string{
		fmt.Sprintf("-Xmx%dm", heap), fmt.Sprintf("-Xms%dm", heap), "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", filepath.Join(c.Home, "*"),
	}
}

// format prepares a node's storage with Kafka's own tool.
func (c Config) format(ctx context.Context, n Node, id string) error {
	args := append(c.options(), "kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", id, "--config", n.properties())
	args = append(args, c.scram()...)
	out, err := exec.CommandContext(ctx, c.java(), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format storage of Kafka node %d (java is %s, 17 or newer is needed): %w\n%s", n.ID, c.java(), err, out)
	}
	return nil
}

// clusterID returns the id the nodes have been formatted with, or a new one.
func (c Config) clusterID() (string, error) {
	for _, n := range c.Nodes {
		text, err := os.ReadFile(n.meta())
		if err != nil {
			continue // not formatted yet
		}
		for line := range strings.Lines(string(text)) {
			if id, ok := strings.CutPrefix(line, "cluster.id="); ok {
				return strings.TrimSpace(id), nil
			}
		}
		return "", fmt.Errorf("no cluster.id in %s", n.meta())
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("make a cluster id: %w", err)
	}
	id[0] &= 0x7f // a leading '-' would be taken for a flag
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}

func (n Node) properties() string { return filepath.Join(n.Dir, "server.properties") }
func (n Node) log() string        { return filepath.Join(n.Dir, "log") }
func (n Node) meta() string       { return filepath.Join(n.log(), "meta.properties") }
