package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/objects"
)

// ports are addresses on loopback that stay the same for as long as a lab runs, so that a part that is started again is found.
type ports struct {
	Broker, ClickHouse, Ops string
	OTLP, OTLPHTTP          []string // of the collectors, one for each region
	CollectorOps            []string // of the collectors that are processes of their own
	Load, Internet          string
}

// choosePorts finds free ones.
func choosePorts(ctx context.Context, regions int) (p ports, err error) {
	n := 5 + 3*regions
	all := make([]string, 0, n)
	for range n {
		// All are held until the last is found, so that none is given twice.
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return p, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	p.Broker, p.ClickHouse, p.Ops, p.Load, p.Internet = all[0], all[1], all[2], all[3], all[4]
	rest := all[5:]
	p.OTLP, p.OTLPHTTP, p.CollectorOps = rest[:regions], rest[regions:2*regions], rest[2*regions:]
	return p, nil
}

// checkFree makes sure that nobody listens, on all addresses, at a port that pods will want on theirs.
func (s *Supervisor) checkFree(ctx context.Context) error {
	at, err := s.network.Place(unused(), loopback.Admin)
	if err != nil {
		return err
	}
	wanted := map[uint16]string{
		15000: "administration of Envoys", 15001: "administration of services", 15006: "inbound traffic of Envoys",
		objects.GatewayPort: "the ingress gateway", objects.DefaultOptions().Telemetry.Port(): "telemetry",
	}
	for _, sv := range s.cfg.Lab.Mesh.Services {
		wanted[uint16(sv.Port)] = "service " + sv.Name
	}
	for port, what := range wanted {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", netip.AddrPortFrom(at, port).String())
		if err != nil {
			return fmt.Errorf("port %d, for %s, is taken on all addresses by another program: stop that, or choose another port (%w)", port, what, err)
		}
		_ = l.Close()
	}
	return nil
}

// unused is an address of the pod network that nobody is given.
func unused() netip.Addr { return netip.MustParseAddr("10.244.3.254") }
