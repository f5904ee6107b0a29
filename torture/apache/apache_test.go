package apache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/torture/apache"
	"github.com/weirmesh/weir/torture/ports"
)

const patience = time.Minute

// cluster is Apache Kafka for one test.
type cluster struct {
	cfg       apache.Config
	addresses []string // for clients, one of each node
	nodes     []*process.Process
}

// start runs a cluster of n nodes. It skips where Kafka is not fetched.
func start(t *testing.T, n, minInSync int) *cluster {
	t.Helper()
	home, err := apache.Find()
	if errors.Is(err, apache.ErrNoKafka) {
		t.Skip(err)
	}
	free, err := ports.Free(2*n + 1)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{cfg: apache.Config{Home: home, Controller: free[2*n], MinInSync: minInSync}, nodes: make([]*process.Process, n)}
	for i := range n {
		c.cfg.Nodes = append(c.cfg.Nodes, apache.Node{
			ID: i + 1, Dir: filepath.Join(t.TempDir(), fmt.Sprint(i+1)), Replication: free[2*i],
			Listeners: []apache.Listener{{Name: "CLIENTS", Listen: free[2*i+1]}},
		})
		c.addresses = append(c.addresses, free[2*i+1])
	}
	if err := c.cfg.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		c.run(t, i)
	}
	return c
}

func (c *cluster) run(t *testing.T, node int) {
	t.Helper()
	path, args := c.cfg.Command(node)
	log := filepath.Join(c.cfg.Nodes[node].Dir, "out.log")
	p, err := process.Start(t.Context(), process.Spec{Name: fmt.Sprint("kafka-", node+1), Path: path, Args: args, Log: log}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	c.nodes[node] = p
	t.Cleanup(func() {
		_ = p.Stop(20 * time.Second)
		if text, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("node %d:\n%s", node+1, text[max(0, len(text)-20_000):])
		}
	})
}

// topic makes a topic, trying until the cluster can.
func (c *cluster) client(t *testing.T, topic kafka.Topic) *kafka.Client {
	t.Helper()
	client, err := kafka.New(kafka.Config{Addresses: c.addresses})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	eventually(t, "make a topic", func(ctx context.Context) error { return client.EnsureTopics(ctx, true, topic) })
	return client
}

// eventually tries until it works.
func eventually(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if pause.For(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestFindSaysWhatToDo(t *testing.T) {
	t.Setenv("APACHE_KAFKA_JARS", t.TempDir())
	if _, err := apache.Find(); !errors.Is(err, apache.ErrNoKafka) || !strings.Contains(err.Error(), "make kafka") {
		t.Errorf("error %v", err)
	}
}

// TestPrepareKeepsTheCluster formats once: a cluster whose id changed would forget its log.
func TestPrepareKeepsTheCluster(t *testing.T) {
	home, err := apache.Find()
	if err != nil {
		t.Skip(err)
	}
	node := apache.Node{ID: 1, Dir: t.TempDir(), Replication: "127.0.0.1:1", Listeners: []apache.Listener{{Name: "CLIENTS", Listen: "127.0.0.1:2", Advertised: "127.0.0.1:3"}}}
	cfg := apache.Config{Home: home, Controller: "127.0.0.1:4", Nodes: []apache.Node{node}}
	var metas [][]byte
	for range 2 {
		if err := cfg.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		meta, err := os.ReadFile(filepath.Join(node.Dir, "log", "meta.properties"))
		if err != nil {
			t.Fatal(err)
		}
		metas = append(metas, meta)
	}
	if !slices.Equal(metas[0], metas[1]) || !strings.Contains(string(metas[0]), "cluster.id=") {
		t.Errorf("formatted twice:\n%s\n%s", metas[0], metas[1])
	}
	text, err := os.ReadFile(filepath.Join(node.Dir, "server.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "advertised.listeners=REPLICATION://127.0.0.1:1,CLIENTS://127.0.0.1:3\n"; !strings.Contains(string(text), want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}
