package parts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/torture/apache"
	"github.com/weirmesh/weir/torture/ports"
	"github.com/weirmesh/weir/torture/proxy"
)

// addresses hands out addresses that are free.
type addresses []string

func (a *addresses) next() string {
	first := (*a)[0]
	*a = (*a)[1:]
	return first
}

// build makes all parts and links, and starts none of the parts.
func (c *Cluster) build(ctx context.Context) error {
	l := c.layout
	if err := os.MkdirAll(l.Dir, 0o755); err != nil {
		return err
	}
	// Beyond what each part listens on: a link, an operations endpoint, and Apache Kafka's own.
	list, err := ports.Free(8 + 6*l.Apache + 4*l.Collectors + 2*l.Features)
	if err != nil {
		return err
	}
	free := addresses(list)
	collectors, features, err := c.brokers(ctx, &free)
	if err != nil {
		return err
	}
	if err := c.store(&free); err != nil {
		return err
	}
	for i := range l.Collectors {
		if err := c.collector(i+1, collectors, &free); err != nil {
			return err
		}
	}
	for i := range l.Features {
		if err := c.features(i+1, features, &free); err != nil {
			return err
		}
	}
	return nil
}

// link makes a proxy.
func (c *Cluster) link(name, listen, target string) error {
	p, err := proxy.New(listen, target)
	if err != nil {
		return err
	}
	c.links[name] = p
	return nil
}

// add makes a part known.
func (c *Cluster) add(name, path string, args, env []string, ops, plain string) {
	c.order = append(c.order, name)
	c.parts[name] = &part{
		spec: process.Spec{Name: name, Path: path, Args: args, Env: env, Log: c.Log(name)},
		mark: c.layout.Dir, ops: ops, plain: plain,
	}
}

// weir makes a part that is a command of the binary.
func (c *Cluster) weir(name, dir, ops string, env []string, args ...string) {
	args = append(args, "--data-dir", dir, "--ops", ops)
	c.add(name, c.layout.Binary, args, c.layout.env(env...), ops, "")
}

// disk makes the folder of a part, of limited size or not.
func (c *Cluster) disk(name string, mib int) (string, error) {
	dir, err := c.layout.folder(name)
	if err != nil || mib == 0 {
		return dir, err
	}
	if err := mount(dir, mib); err != nil {
		return "", err
	}
	c.disks[name] = dir
	return dir, nil
}

// brokers makes Kafka and returns where collectors and features reach it.
func (c *Cluster) brokers(ctx context.Context, free *addresses) (collectors, features []string, err error) {
	if c.layout.Apache > 0 {
		return c.apache(ctx, free)
	}
	dir, err := c.disk("broker", c.layout.BrokerMiB)
	if err != nil {
		return nil, nil, err
	}
	listen, told := free.next(), free.next()
	if err := c.link("clients>broker", told, listen); err != nil {
		return nil, nil, err
	}
	env := append([]string{"WEIR_BROKER_ADVERTISED=" + told}, c.layout.KeepersEnv...)
	c.weir("broker", dir, free.next(), env, "broker", "--listen", listen)
	c.kafka = []string{listen}
	return []string{told}, []string{told}, nil
}

// apache makes Apache Kafka. Each kind of client has a listener of its own on each node, and so a link of its own.
func (c *Cluster) apache(ctx context.Context, free *addresses) (collectors, features []string, err error) {
	l := c.layout
	cfg := apache.Config{Home: l.Home, Controller: free.next(), HeapMiB: l.HeapMiB, MinInSync: l.MinInSync}
	for i := range l.Apache {
		name := fmt.Sprintf("kafka-%d", i+1)
		dir, err := c.disk(name, l.BrokerMiB)
		if err != nil {
			return nil, nil, err
		}
		node := apache.Node{ID: i + 1, Dir: dir, Replication: free.next()}
		for _, kind := range []string{"collectors", "features"} {
			listen, told := free.next(), free.next()
			if err := c.link(kind+">"+name, told, listen); err != nil {
				return nil, nil, err
			}
			node.Listeners = append(node.Listeners, apache.Listener{Name: strings.ToUpper(kind), Listen: listen, Advertised: told})
			if kind == "collectors" {
				collectors = append(collectors, told)
			} else {
				features = append(features, told)
			}
		}
		direct := free.next()
		node.Listeners = append(node.Listeners, apache.Listener{Name: "DIRECT", Listen: direct})
		c.kafka = append(c.kafka, direct)
		cfg.Nodes = append(cfg.Nodes, node)
	}
	if err := cfg.Prepare(ctx); err != nil {
		return nil, nil, err
	}
	for i := range l.Apache {
		path, args := cfg.Command(i)
		c.add(fmt.Sprintf("kafka-%d", i+1), path, args, nil, "", c.kafka[i])
	}
	return collectors, features, nil
}

// store makes ClickHouse.
func (c *Cluster) store(free *addresses) error {
	dir, err := c.disk("clickhouse", c.layout.ClickHouseMiB)
	if err != nil {
		return err
	}
	c.clickhouse = free.next()
	c.weir("clickhouse", dir, free.next(), c.layout.KeepersEnv, "clickhouse", "--listen", c.clickhouse)
	return nil
}

func (c *Cluster) collector(i int, kafka []string, free *addresses) error {
	name := fmt.Sprintf("collector-%d", i)
	dir, err := c.layout.folder(name)
	if err != nil {
		return err
	}
	listen, told := free.next(), free.next()
	if err := c.link("senders>"+name, told, listen); err != nil {
		return err
	}
	args := []string{"collector", "--grpc", listen, "--http", free.next()}
	c.weir(name, dir, free.next(), c.layout.topics(), append(args, flags("--kafka", kafka)...)...)
	c.otlp = append(c.otlp, told)
	return nil
}

func (c *Cluster) features(i int, kafka []string, free *addresses) error {
	name := fmt.Sprintf("features-%d", i)
	dir, err := c.layout.folder(name)
	if err != nil {
		return err
	}
	told := free.next()
	if err := c.link(name+">clickhouse", told, c.clickhouse); err != nil {
		return err
	}
	c.weir(name, dir, free.next(), c.layout.topics(), append([]string{"features", "--clickhouse", told}, flags("--kafka", kafka)...)...)
	return nil
}

// flags repeats a flag for each value.
func flags(name string, values []string) (out []string) {
	for _, v := range values {
		out = append(out, name, v)
	}
	return out
}

// Find returns a binary that WEIR_BIN names.
func Find() (string, error) {
	bin := os.Getenv("WEIR_BIN")
	if bin == "" {
		return "", fmt.Errorf("WEIR_BIN is not set: run `make build clickhouse`, and set WEIR_BIN and WEIR_CHDB_LIBRARY as make does")
	}
	return filepath.Abs(bin)
}
