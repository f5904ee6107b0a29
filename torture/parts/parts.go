// Package parts runs Weir as it runs in production, one process for each part, and hurts it: parts are killed, paused and started again, and
// every link between two of them goes through a proxy that misbehaves on demand (package proxy).
//
// Parts and links have names:
//
//	collector-1, features-1 ...     the stages
//	broker                          the embedded broker, or kafka-1 ... with Apache Kafka
//	clickhouse                      the embedded engine as a server
//	senders>collector-1             OTLP over gRPC
//	clients>broker                  of the embedded broker, which can tell its clients only one address
//	collectors>kafka-1, features>kafka-1
//	features-1>clickhouse
//
// A part that was killed stays dead until Run. Every part ends with this process, however that ends. Linux alone.
package parts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/torture/proxy"
)

// Cluster is made by Start and must be closed. Its methods may be called from any goroutine; what is done to one part is for one at a time.
type Cluster struct {
	ctx        context.Context // of all processes
	layout     Layout
	order      []string // as parts start; they stop the other way round
	parts      map[string]*part
	links      map[string]*proxy.Proxy
	disks      map[string]string // where tmpfs is mounted, by part
	keep       bool              // what is on the disks
	otlp       []string
	kafka      []string
	clickhouse string
}

var errDone = errors.New("with status 0")

// Start starts all parts; see AwaitReady. They are killed when ctx ends.
func Start(ctx context.Context, l Layout) (*Cluster, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("start the cluster: %w", err)
	}
	c := &Cluster{
		ctx: ctx, layout: l.withDefaults(), parts: map[string]*part{}, links: map[string]*proxy.Proxy{}, disks: map[string]string{},
	}
	err := c.build(ctx)
	for _, name := range c.order {
		if err == nil {
			err = c.Run(name)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the cluster: %w", err), c.Close())
	}
	return c, nil
}

// Parts returns the names of all parts, in the order in which they start.
func (c *Cluster) Parts() []string { return slices.Clone(c.order) }

// Links returns the names of all links, sorted.
func (c *Cluster) Links() []string { return slices.Sorted(maps.Keys(c.links)) }

// Link returns a link, nil if there is none of that name.
func (c *Cluster) Link(name string) *proxy.Proxy { return c.links[name] }

// OTLP returns where senders connect to each collector, over gRPC, through a link.
func (c *Cluster) OTLP() []string { return slices.Clone(c.otlp) }

// Kafka returns where to look at the log past all links. The embedded broker sends its clients through clients>broker even so.
func (c *Cluster) Kafka() []string { return slices.Clone(c.kafka) }

// ClickHouse returns the store's HTTP interface, past all links.
func (c *Cluster) ClickHouse() string { return c.clickhouse }

// Log returns the file that a part writes to; its runs follow one another.
func (c *Cluster) Log(name string) string { return filepath.Join(c.layout.Dir, name+".log") }

// Ops returns the host:port of a part's operations endpoint, "" for Apache Kafka.
func (c *Cluster) Ops(name string) string {
	if p := c.parts[name]; p != nil {
		return p.ops
	}
	return ""
}

// Pid returns the process id of a part, 0 while it does not run.
func (c *Cluster) Pid(name string) int {
	p, err := c.part(name)
	if err != nil {
		return 0
	}
	now, err := p.alive()
	if err != nil {
		return 0
	}
	return now.Pid()
}

// Run starts a part that does not run.
func (c *Cluster) Run(name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.run(c.ctx)
}

// Kill ends a part without warning (SIGKILL) and returns when it is gone.
func (c *Cluster) Kill(name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.current().Done()
	return nil
}

// Stop asks a part to end (SIGTERM) and returns when it has. That it had to be killed, or that it failed, is an error.
func (c *Cluster) Stop(name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	now, err := p.alive()
	if err != nil {
		return err
	}
	return now.Stop(grace)
}

// Restart is Stop and Run.
func (c *Cluster) Restart(name string) error {
	if err := c.Stop(name); err != nil {
		return err
	}
	return c.Run(name)
}

// Pause stops a part where it is (SIGSTOP), without an end to its connections.
func (c *Cluster) Pause(name string) error { return c.signal(name, syscall.SIGSTOP) }

// Continue lets a part go on after Pause.
func (c *Cluster) Continue(name string) error { return c.signal(name, syscall.SIGCONT) }

func (c *Cluster) signal(name string, s syscall.Signal) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.signal(s)
}

// Await returns when a part says that it is ready. A part that has ended is an error.
func (c *Cluster) Await(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.await(ctx)
}

// AwaitReady returns when all parts say that they are ready.
func (c *Cluster) AwaitReady(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, name := range c.order {
		all.Go(func() error { return c.Await(ctx, name) })
	}
	return all.Wait()
}

// Memory returns how many bytes of a part are in memory.
func (c *Cluster) Memory(name string) (uint64, error) {
	p, err := c.part(name)
	if err != nil {
		return 0, err
	}
	now, err := p.alive()
	if err != nil {
		return 0, err
	}
	return process.RSS(now.Pid())
}

// Grow gives the disk of a part another size, in MiB.
func (c *Cluster) Grow(name string, mib int) error {
	dir, ok := c.disks[name]
	if !ok {
		return fmt.Errorf("%s has no disk of limited size", name)
	}
	return resize(dir, mib)
}

// Close stops all parts, those that read first, closes the links and lets go of the disks; their data is gone then. Parts that were paused
// go on before. It may be called again.
func (c *Cluster) Close() error {
	for _, name := range c.Links() {
		c.links[name].Heal() // so that the parts can say goodbye to each other
	}
	var errs []error
	for _, name := range slices.Backward(c.order) {
		now := c.parts[name].current()
		if now == nil || ended(now) {
			continue
		}
		_ = c.Continue(name) // it has ended meanwhile
		errs = append(errs, now.Stop(grace))
	}
	for _, link := range c.links {
		errs = append(errs, link.Close())
	}
	for name, dir := range c.disks {
		if c.keep {
			errs = append(errs, os.CopyFS(dir+".kept", os.DirFS(dir)))
		}
		errs = append(errs, unmount(dir))
		delete(c.disks, name)
	}
	c.links = map[string]*proxy.Proxy{}
	return errors.Join(errs...)
}

func (c *Cluster) part(name string) (*part, error) {
	if p := c.parts[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no part %q: the parts are %v", name, c.order)
}
