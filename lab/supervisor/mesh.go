package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/identity"
	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/toolbox"
)

func (s *Supervisor) applyObjects(ctx context.Context) error {
	all, err := objects.Render(s.cfg.Lab, objects.DefaultOptions())
	if err != nil {
		return err
	}
	return objects.Apply(ctx, s.plane.Rest, all)
}

// startAgent starts what runs pods, and waits until all of the lab file's serve.
func (s *Supervisor) startAgent(ctx context.Context, g *errgroup.Group) error {
	authority, err := identity.New("cluster.local", time.Now())
	if err != nil {
		return err
	}
	internet, err := netip.ParseAddrPort(s.ports.Internet)
	if err != nil {
		return fmt.Errorf("address of the internet: %w", err)
	}
	s.agent, err = agent.New(agent.Config{
		API: s.cluster.api, Lab: s.cfg.Lab, Run: s.cfg.Run, Network: s.network, XDS: s.plane.XDS, Secrets: authority,
		Telemetry: s.tapAddress(), Internet: internet, Envoy: s.cfg.Tools.Path(toolbox.Envoy), Service: s.cfg.Self, Mark: s.cfg.Run, Logger: s.log,
	})
	if err != nil {
		return err
	}
	g.Go(func() error { return s.agent.Run(ctx) })
	return poll(ctx, "not every pod serves: see `weir lab status` and "+filepath.Join(s.cfg.Run, "logs"), func() (bool, error) {
		missing := s.missing()
		return len(missing) == 0, fmt.Errorf("missing: %v", missing)
	})
}

// missing returns which versions have fewer serving instances than the lab file says.
func (s *Supervisor) missing() []string {
	serving := map[string]int{}
	for _, i := range s.agent.Instances() {
		if i.State == agent.Serving {
			serving[i.Service+"-"+i.Version]++
		}
	}
	var missing []string
	for _, sv := range s.cfg.Lab.Mesh.Services {
		for _, v := range sv.Versions {
			if name := sv.Name + "-" + v.Name; serving[name] < v.Replicas {
				missing = append(missing, fmt.Sprintf("%s (%d of %d)", name, serving[name], v.Replicas))
			}
		}
	}
	if _, ok := s.gateway(); !ok {
		missing = append(missing, objects.Gateway)
	}
	return missing
}

// gateway returns where requests from outside come in.
func (s *Supervisor) gateway() (netip.AddrPort, bool) {
	all := s.agent.Instances()
	i := slices.IndexFunc(all, func(i agent.Instance) bool { return i.Service == "" && i.State == agent.Serving })
	if i < 0 {
		return netip.AddrPort{}, false
	}
	at, err := s.network.Place(all[i].IP, loopback.Outbound)
	return netip.AddrPortFrom(at, objects.GatewayPort), err == nil
}

// loadName is the load generator's among processes.
const loadName = "load"

// startLoad starts the load generator.
func (s *Supervisor) startLoad(ctx, parts context.Context) error {
	entry, _ := s.cfg.Lab.Mesh.Service(s.cfg.Lab.Mesh.Entry)
	target, ok := s.gateway()
	if !ok {
		return errors.New("the ingress gateway does not serve")
	}
	admin, err := netip.ParseAddrPort(s.ports.Load)
	if err != nil {
		return fmt.Errorf("address of the load generator: %w", err)
	}
	text, err := json.MarshalIndent(load.Config{
		Load: s.cfg.Lab.Load, Seed: s.cfg.Lab.Seed, Entry: entry, Target: target, Host: objects.Host(s.cfg.Lab),
		Ledger: filepath.Join(s.cfg.Run, "ledger", "load.ledger"), Admin: admin, Start: time.Now(),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("configuration of the load: %w", err)
	}
	path := filepath.Join(s.cfg.Run, "load.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("configuration of the load: %w", err)
	}
	s.load = s.keep(parts, process.Spec{Name: loadName, Path: s.cfg.Self, Args: []string{"generate", path}})
	return untilListening(ctx, s.load, s.ports.Load)
}

// internet stands in for every host outside the mesh: it takes whatever is sent, and keeps nothing.
func (s *Supervisor) internet(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.ports.Internet)
	if err != nil {
		return fmt.Errorf("stand in for the internet: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the sender went away
	})}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stand in for the internet: %w", err)
	}
	return nil
}

// tellLoad tells the load generator which faults hold.
func (s *Supervisor) tellLoad(ctx context.Context, faults []spec.Fault) error {
	text, err := json.Marshal(faults)
	if err != nil {
		return fmt.Errorf("tell the load generator: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+s.ports.Load+"/faults", bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("tell the load generator: %w", err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("tell the load generator: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, maxRequest))
		return fmt.Errorf("the load generator says: %s", bytes.TrimSpace(why))
	}
	return nil
}
