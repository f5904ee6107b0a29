// Package supervisor runs a lab: it starts every part, keeps it running, carries out faults, and ends everything.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/controlplane"
	"github.com/weirmesh/weir/lab/dial"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/tap"
	"github.com/weirmesh/weir/lab/toolbox"
)

// Config is what a lab is made of.
type Config struct {
	Run    string // folder of everything the lab keeps; it exists
	Lab    spec.Lab
	Tools  toolbox.Tools
	Self   string // the program weir-lab
	Weir   string // the program weir
	Logger *slog.Logger
}

// Supervisor is a running lab.
type Supervisor struct {
	cfg     Config
	log     *slog.Logger
	network loopback.Network
	ports   ports
	stop    context.CancelFunc
	dial    *dial.Dial
	wake    chan struct{} // a fault with an end has begun
	again   chan struct{} // the load generator has been started
	faults  sync.Mutex    // held while a fault begins or ends

	// What the tap asks for every request.
	regions atomic.Pointer[map[netip.Addr]string] // of pods
	silent  atomic.Pointer[map[netip.Addr]bool]   // pods whose proxies are refused
	down    atomic.Pointer[string]                // region whose collector is down

	// What follows is set while the lab starts, before faults can begin.
	plane      *controlplane.ControlPlane
	cluster    cluster
	agent      *agent.Agent
	tap        *tap.Tap
	weir       *process.Kept
	collectors map[string]*process.Kept // by region; that of the first region is part of weir
	load       *process.Kept

	mu           sync.Mutex
	phase        control.Phase
	failure      error
	started      time.Time
	ready        time.Time
	steps        []control.Step
	recording    *tap.Recording
	recordingDir string // of it, or of the last one
}

// Run starts a lab and keeps it until ctx ends or somebody asks it to stop. Everything it started has ended when it returns.
func Run(ctx context.Context, cfg Config) error {
	truth, err := os.OpenFile(filepath.Join(cfg.Run, "truth.jsonl"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the truth: %w", err)
	}
	s, err := newSupervisor(ctx, cfg, truth)
	if err != nil {
		return errors.Join(err, truth.Close())
	}
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	// The socket outlives the parts, so that people can see the lab stop.
	socket, closeSocket := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- s.serve(socket) }()
	err = s.run(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	closeSocket()
	return errors.Join(err, <-served, truth.Close())
}

func newSupervisor(ctx context.Context, cfg Config, truth io.Writer) (*Supervisor, error) {
	at, err := choosePorts(ctx, len(cfg.Lab.Mesh.Regions))
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		cfg: cfg, log: cfg.Logger, network: loopback.Default(), ports: at, dial: dial.New(truth, cfg.Lab.Seed, 0),
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1),
		collectors: map[string]*process.Kept{}, phase: control.Starting, started: time.Now(),
	}
	s.silent.Store(&map[netip.Addr]bool{})
	s.regions.Store(&map[netip.Addr]string{})
	for _, dir := range []string{"logs", "pods", "ledger"} {
		if err := os.MkdirAll(filepath.Join(cfg.Run, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make the lab's folder: %w", err)
		}
	}
	return s, nil
}

// run starts the parts one after the other, and ends them in the other direction.
func (s *Supervisor) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	// Parts are ended one by one, in their order; until then they live.
	parts, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	err := s.start(ctx, parts, g)
	if err == nil {
		s.setPhase(control.Ready)
		s.log.Info("Lab was ready", "after", time.Since(s.started).Round(time.Millisecond))
		<-ctx.Done()
		err = context.Cause(ctx)
	} else if ctx.Err() == nil {
		s.fail(err)
	}
	s.setPhase(control.Stopping)
	s.stop()
	ended := g.Wait()
	s.shutDown(parts)
	if err == nil || errors.Is(err, context.Canceled) {
		err = ended
	}
	return err
}

// start brings everything up. parts is the life of processes, ctx that of the lab's own work, whose goroutines are in g.
func (s *Supervisor) start(ctx, parts context.Context, g *errgroup.Group) error {
	if err := s.checkFree(ctx); err != nil {
		return err
	}
	l, err := s.listenTap(ctx)
	if err != nil {
		return err
	}
	if err := s.startPlane(ctx); err != nil {
		return errors.Join(err, l.Close())
	}
	s.startTap(ctx, g, l) // has the listener from here on
	if err := s.step("Weir", func() error { return s.startWeir(ctx, parts) }); err != nil {
		return err
	}
	if err := s.step("objects of the mesh", func() error { return s.applyObjects(ctx) }); err != nil {
		return err
	}
	g.Go(func() error { return s.internet(ctx) })
	if err := s.step("proxies and services", func() error { return s.startAgent(ctx, g) }); err != nil {
		return err
	}
	if err := s.step("endpoints everywhere", func() error { return s.untilConverged(ctx) }); err != nil {
		return err
	}
	if err := s.step("load", func() error { return s.startLoad(ctx, parts) }); err != nil {
		return err
	}
	g.Go(func() error { return s.expire(ctx) })
	g.Go(func() error { return s.look(ctx) })
	g.Go(func() error { return s.retell(ctx) })
	g.Go(func() error { return s.kubelet(ctx) })
	s.planned(ctx, g)
	return nil
}

func (s *Supervisor) startPlane(ctx context.Context) (err error) {
	s.plane, err = controlplane.Start(ctx, controlplane.Config{
		Tools: s.cfg.Tools, Run: s.cfg.Run, Mark: s.cfg.Run, Network: s.network, Cluster: s.cfg.Lab.Mesh.Cluster,
		StartLag: s.cfg.Lab.Mesh.StartLag, Logger: s.log,
	}, s.stepDone)
	if err != nil {
		return err
	}
	if s.cluster.api, err = dynamic.NewForConfig(s.plane.Rest); err != nil {
		return fmt.Errorf("make a client of the API server: %w", err)
	}
	return nil
}

// planned begins the faults of the lab file when their time has come.
func (s *Supervisor) planned(ctx context.Context, g *errgroup.Group) {
	for _, f := range s.cfg.Lab.Faults {
		g.Go(func() error {
			timer := time.NewTimer(f.From)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
				if _, err := s.begin(ctx, control.NewFault{Fault: f, Length: f.Length}); err != nil {
					s.log.Error("Planned fault did not begin", "kind", f.Kind, "error", err)
				}
			}
			return nil
		})
	}
}

// shutDown ends every process that is still there.
func (s *Supervisor) shutDown(ctx context.Context) {
	for _, kept := range append([]*process.Kept{s.load}, s.kept()...) {
		if kept == nil {
			continue
		}
		if err := kept.Stop(10 * time.Second); err != nil {
			s.log.Warn("Part was killed", "part", kept.Name(), "error", err)
		}
	}
	if s.plane != nil {
		s.plane.Stop(ctx)
	}
	if _, err := process.Sweep(s.cfg.Run, 5*time.Second); err != nil {
		s.log.Error("Processes are left over", "error", err)
	}
}

// kept returns Weir's processes.
func (s *Supervisor) kept() []*process.Kept {
	var all []*process.Kept
	for _, c := range s.collectors {
		all = append(all, c)
	}
	return append(all, s.weir)
}
