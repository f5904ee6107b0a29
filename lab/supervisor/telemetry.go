package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/tap"
)

// tapAddress is where everybody in the mesh sends telemetry.
func (s *Supervisor) tapAddress() netip.AddrPort {
	o := objects.DefaultOptions()
	at, _ := s.network.Place(o.Telemetry.Addr(), loopback.Inbound) // a constant of the pod network
	return netip.AddrPortFrom(at, o.Telemetry.Port())
}

// patience covers a restart of Weir, so that killing it loses nothing that its senders were not told of.
const patience = time.Minute

// listenTap takes the tap's address. A lab that runs has it, whatever its folder: that is how a second one notices.
func (s *Supervisor) listenTap(ctx context.Context) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.tapAddress().String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another lab runs on this machine, from another folder: stop it with `weir lab down --dir` and its folder (%w)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for telemetry: %w", err)
	}
	return l, nil
}

// startTap starts what passes telemetry on to the collector of the sender's region.
func (s *Supervisor) startTap(ctx context.Context, g *errgroup.Group, l net.Listener) {
	s.tap = tap.New(tap.Config{Network: s.network, Route: s.route, Patience: patience, Logger: s.log})
	s.tap.Refuse(func(from tap.Sender) bool {
		silent := *s.silent.Load()
		return from.Proxy && silent[from.Pod]
	})
	g.Go(func() error { return s.tap.Serve(l) })
	g.Go(func() error { <-ctx.Done(); return s.tap.Close() })
}

// route returns the collector of a pod's region; who is no pod reports to the first.
func (s *Supervisor) route(pod netip.Addr) string {
	region := (*s.regions.Load())[pod]
	for i, r := range s.cfg.Lab.Mesh.Regions {
		if r.Name == region {
			if down := s.down.Load(); down != nil && *down == region {
				return "" // it is down: nobody takes it
			}
			return s.ports.OTLP[i]
		}
	}
	return s.ports.OTLP[0]
}

// lookEvery is how soon the tap knows of a new pod.
const lookEvery = time.Second

// look keeps what the tap has to know of each sender, until ctx ends.
func (s *Supervisor) look(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		all := s.agent.Instances()
		regions := make(map[netip.Addr]string, len(all))
		for _, i := range all {
			regions[i.IP] = i.Region
		}
		s.regions.Store(&regions)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// silence makes the tap refuse the proxies that must not be heard.
func (s *Supervisor) silence() {
	hit := map[string]bool{}
	for _, h := range s.dial.Held() {
		if h.Fault.Kind == spec.ProxySilent {
			for _, pod := range h.Instances {
				hit[pod] = true
			}
		}
	}
	silent := map[netip.Addr]bool{}
	for _, i := range s.agent.Instances() {
		if hit[i.Pod] {
			silent[i.IP] = true
		}
	}
	s.silent.Store(&silent)
}

var errRecording = errors.New("a recording is under way: end it first")

func (s *Supervisor) record(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording != nil {
		return fmt.Errorf("%w: it is written to %s", errRecording, s.recordingDir)
	}
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%w: %q is no absolute path", errBadRequest, dir)
	}
	r, err := s.tap.Record(dir)
	if err != nil {
		return err
	}
	s.recording, s.recordingDir = r, dir
	return nil
}

func (s *Supervisor) stopRecording() (control.Recorded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording == nil {
		return control.Recorded{}, fmt.Errorf("%w: no recording is under way", errBadRequest)
	}
	r := s.recording
	s.recording = nil
	if err := r.Stop(); err != nil {
		return control.Recorded{}, err
	}
	return control.Recorded{Dir: s.recordingDir}, nil
}

func (s *Supervisor) setTracing(ctx context.Context, on bool) error {
	return s.cluster.setTracing(ctx, on)
}
