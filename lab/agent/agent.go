// Package agent does in the lab what kubelets and Istio's agents do on nodes: it runs the processes of pods and of virtual machines, and
// says which of them serve.
//
// It works from what is wanted and what is there. The watched objects say which instances there must be; each instance has a goroutine
// of its own that brings it up, keeps it up and takes it down, so that none waits for another, but for a bound on how many start at once.
// When the API server is away, what runs goes on running, and what has to be told is told when it is back.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/dynamic"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/xds"
)

// Config is what an agent needs. All of it but Keep is required.
type Config struct {
	API       dynamic.Interface // its rate limit should let some twenty patches through at once
	Lab       spec.Lab
	Run       string // folder: pods, logs and ledger are below it
	Network   loopback.Network
	XDS       string         // host:port of istiod, plaintext
	Secrets   xds.Secrets    // what proxies prove who they are with
	Telemetry netip.AddrPort // where processes report to
	Internet  netip.AddrPort // where requests to hosts outside the mesh go
	Envoy     string         // the program
	Service   string         // the program that is `service` with its first argument, and a file with its second
	Mark      string         // of all processes, see package process
	Logger    *slog.Logger
	// Keep runs a program for as long as it is wanted; nil means process.Keep.
	Keep func(ctx context.Context, s process.Spec, on func(process.Event)) Program
}

// Program is a program that is kept running.
type Program interface {
	Stop(grace time.Duration) error
	Pid() int // 0 while it does not run
	Starts() int
}

// How many instances are brought up at once, and how long each may hold up the others.
const (
	starting  = 2
	startTime = 30 * time.Second
)

// look is how often the agent compares what is wanted with what is there, changes or not.
const look = 5 * time.Second

// Agent runs instances. Its methods may be called from any goroutine.
type Agent struct {
	cfg   Config
	relay string // host:port of the relay, before any instance starts
	turns *semaphore.Weighted

	mu      sync.Mutex
	running map[key]*instance // guarded by mu
	faults  []spec.Fault      // guarded by mu
}

// New returns an agent that does nothing until Run.
func New(cfg Config) (*Agent, error) {
	for what, missing := range map[string]bool{
		"API": cfg.API == nil, "Run": cfg.Run == "", "XDS": cfg.XDS == "", "Secrets": cfg.Secrets == nil, "Envoy": cfg.Envoy == "",
		"Service": cfg.Service == "", "Logger": cfg.Logger == nil, "Telemetry": !cfg.Telemetry.IsValid(), "Internet": !cfg.Internet.IsValid(),
	} {
		if missing {
			return nil, fmt.Errorf("make an agent: %s is missing", what)
		}
	}
	if cfg.Keep == nil {
		cfg.Keep = func(ctx context.Context, s process.Spec, on func(process.Event)) Program {
			return process.Keep(ctx, s, cfg.Mark, on)
		}
	}
	return &Agent{cfg: cfg, turns: semaphore.NewWeighted(starting), running: map[key]*instance{}}, nil
}

// Run runs instances until ctx ends; then it ends all of them and returns nil.
func (a *Agent) Run(ctx context.Context) error {
	relay, err := a.listen(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return relay.serve(ctx) })
	group.Go(func() error {
		a.follow(ctx)
		return nil
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("run the agent: %w", err)
	}
	return nil
}

// follow makes what runs what the cluster says, until ctx ends.
func (a *Agent) follow(ctx context.Context) {
	cluster := newCluster(a.cfg.API, a.cfg.Logger)
	var all sync.WaitGroup
	defer all.Wait() // they see that ctx ended
	all.Go(func() { cluster.follow(ctx) })
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx.Err() == nil {
		if wanted, known := cluster.workloads(a.cfg.Lab.Mesh); known {
			a.reconcile(ctx, wanted, &all)
		}
		select {
		case <-ctx.Done():
		case <-cluster.changed:
		case <-tick.C:
		}
	}
}

// reconcile starts what is wanted and not there, and ends what is there and not wanted.
func (a *Agent) reconcile(ctx context.Context, wanted map[key]workload, instances *sync.WaitGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, i := range a.running {
		if _, ok := wanted[k]; !ok {
			i.leave()
		}
	}
	for k, w := range wanted {
		if a.running[k] != nil {
			continue
		}
		i, err := a.instance(w)
		if err != nil {
			a.cfg.Logger.Error("Pod cannot be run", "pod", w.name, "namespace", w.namespace, "error", err)
			continue
		}
		before, free := a.holders(w)
		if !free {
			a.cfg.Logger.Error("Pod cannot be run", "pod", w.name, "namespace", w.namespace, "error", "another one has its address or its name")
			continue
		}
		a.running[k] = i
		instances.Go(func() {
			defer a.remove(k)
			i.run(ctx, before)
		})
	}
}

// holders returns the instances that have a workload's address or name and are on their way out: Kubernetes gives both to a new pod as
// soon as the old one's object is gone. It returns false if one of them is to stay. mu is held.
func (a *Agent) holders(w workload) (leaving []*instance, free bool) {
	for _, i := range a.running {
		if i.address != w.address && i.name != w.name {
			continue
		}
		if !i.isLeaving() {
			return nil, false
		}
		leaving = append(leaving, i)
	}
	return leaving, true
}

func (a *Agent) remove(k key) {
	a.mu.Lock()
	i := a.running[k]
	delete(a.running, k)
	a.mu.Unlock()
	close(i.gone)
}

// SetFaults says which faults hold; those that held before and are not among them end. It returns at once: instances are told soon, and
// told again whenever their process starts. Faults that are carried out elsewhere are ignored.
func (a *Agent) SetFaults(faults []spec.Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = slices.Clone(faults)
	for _, i := range a.running {
		i.poke()
	}
}

// Instances returns what runs, in order of namespace and name.
func (a *Agent) Instances() []Instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list()
}

// list is Instances with mu held.
func (a *Agent) list() []Instance {
	all := make([]Instance, 0, len(a.running))
	for _, i := range a.running {
		all = append(all, i.info())
	}
	slices.SortFunc(all, func(a, b Instance) int { return strings.Compare(a.Namespace+"/"+a.Pod, b.Namespace+"/"+b.Pod) })
	return all
}

// faultsOf returns which faults hold at an instance.
func (a *Agent) faultsOf(i Instance) []spec.Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	return held(a.faults, i, a.list(), a.cfg.Lab.Seed)
}
