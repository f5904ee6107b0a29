// Package apachetest runs a secured Apache Kafka for tests: one node, with a listener for each way in that is right, and for each that is
// wrong. Tests that need it skip where Apache Kafka is not fetched.
package apachetest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/torture/apache"
	"github.com/weirmesh/weir/torture/ports"
)

// Admin may do everything; Password is everybody's.
const (
	Admin    = "admin"
	Password = "secret"
)

// Cluster is a node that knows its users, checks their rights, and creates no topic by itself.
type Cluster struct {
	Authority *Authority // of the node's certificates, and of its clients'
	// Addresses of its listeners: without TLS and users (whoever comes there may do everything), TLS with users, TLS with client
	// certificates, users without TLS who must send plain passwords, and two with certificates that are of no use.
	Open, Users, Mutual, PlainUsers, Expired, Elsewhere string

	cfg  apache.Config
	node *process.Process
}

// Start runs a cluster with users, besides the admin.
func Start(t testing.TB, users ...string) *Cluster {
	t.Helper()
	home, err := apache.Find()
	if errors.Is(err, apache.ErrNoKafka) {
		t.Skip(err)
	}
	free, err := ports.Free(8)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{
		Authority: NewAuthority(t), Open: free[0], Users: free[1], Mutual: free[2], PlainUsers: free[3], Expired: free[4], Elsewhere: free[5],
	}
	soon := time.Now().Add(time.Hour)
	good := c.Authority.Sign(t, "kafka", "127.0.0.1", soon).Both
	old := c.Authority.Sign(t, "kafka", "127.0.0.1", time.Now().Add(-time.Minute)).Both
	other := c.Authority.Sign(t, "kafka", "kafka.example.org", soon).Both
	all := []string{apache.Plain, apache.ScramSHA256, apache.ScramSHA512}
	listener := func(name, at string, s apache.Security) apache.Listener {
		return apache.Listener{Name: name, Listen: at, Security: s}
	}
	c.cfg = apache.Config{
		Home: home, Controller: free[6], Users: map[string]string{Admin: Password}, Supers: []string{"User:" + Admin},
		Nodes: []apache.Node{{ID: 1, Dir: filepath.Join(t.TempDir(), "kafka"), Replication: free[7], Listeners: []apache.Listener{
			listener("OPEN", c.Open, apache.Security{}),
			listener("USERS", c.Users, apache.Security{KeyStore: good, SASL: all}),
			listener("MUTUAL", c.Mutual, apache.Security{KeyStore: good, TrustStore: c.Authority.File}),
			listener("PLAINUSERS", c.PlainUsers, apache.Security{SASL: []string{apache.Plain}}),
			listener("EXPIRED", c.Expired, apache.Security{KeyStore: old}),
			listener("ELSEWHERE", c.Elsewhere, apache.Security{KeyStore: other}),
		}}},
	}
	for _, user := range users {
		c.cfg.Users[user] = Password
	}
	if err := c.cfg.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.run(t)
	return c
}

func (c *Cluster) run(t testing.TB) {
	t.Helper()
	path, args := c.cfg.Command(0)
	log := filepath.Join(c.cfg.Nodes[0].Dir, "out.log")
	node, err := process.Start(t.Context(), process.Spec{Name: "kafka", Path: path, Args: args, Log: log}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	c.node = node
	t.Cleanup(func() {
		_ = node.Stop(0) // nobody needs what it holds
		if text, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("Kafka:\n%s", text[max(0, len(text)-10_000):])
		}
	})
	c.awaitReady(t)
}

// Restart kills the node, and all connections with it, and starts it again. What was acknowledged is in its files.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	_ = c.node.Stop(0) // it says that the node was killed
	c.run(t)
}

// User returns how a user comes in at Users with the right password.
func (c *Cluster) User(t testing.TB, name string) kafka.Security {
	t.Helper()
	return kafka.Security{TLS: true, CAFile: c.Authority.File, User: name, PasswordFile: WriteFile(t, Password+"\n"), Mechanism: kafka.ScramSHA512}
}

// Client returns a client that is closed with the test.
func Client(t testing.TB, address string, security kafka.Security) *kafka.Client {
	t.Helper()
	client, err := kafka.New(kafka.Config{Addresses: []string{address}, Security: security})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
