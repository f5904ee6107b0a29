package xds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/lab/loopback"
)

// Relay stands between the proxies and istiod, where Istio's agent stands in a pod: it hands on what both say, puts addresses on
// loopback, and serves the proxies' certificates.
type Relay struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	secret.UnimplementedSecretDiscoveryServiceServer

	Upstream discovery.AggregatedDiscoveryServiceClient // istiod
	Network  loopback.Network
	Internet netip.AddrPort
	Secrets  Secrets
	Logger   *slog.Logger
}

// Upstream returns istiod behind a connection.
func Upstream(istiod grpc.ClientConnInterface) discovery.AggregatedDiscoveryServiceClient {
	return discovery.NewAggregatedDiscoveryServiceClient(istiod)
}

// Register adds the relay's services to a server.
func (r *Relay) Register(s *grpc.Server) {
	discovery.RegisterAggregatedDiscoveryServiceServer(s, r)
	secret.RegisterSecretDiscoveryServiceServer(s, r)
}

// DeltaAggregatedResources serves one proxy for as long as both it and istiod are there.
func (r *Relay) DeltaAggregatedResources(proxy discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	first, err := proxy.Recv()
	if err != nil {
		return err
	}
	pod, err := podOf(first.GetNode().GetId())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	ctx, stop := context.WithCancelCause(proxy.Context())
	defer stop(nil)
	istiod, err := r.Upstream.DeltaAggregatedResources(ctx)
	if err != nil {
		return fmt.Errorf("open a stream to istiod: %w", err)
	}
	// It ends when the proxy's stream does, which is when this method returns: waiting for it here would be waiting for ever.
	go func() { stop(r.requests(first, proxy, istiod)) }()
	err = r.responses(istiod, proxy, Rewriter{Network: r.Network, Pod: pod, Internet: r.Internet})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// requests hands on what the proxy asks for.
func (r *Relay) requests(next *discovery.DeltaDiscoveryRequest, proxy discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer,
	istiod discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient,
) error {
	for {
		if d := next.GetErrorDetail(); d != nil {
			r.Logger.Error("Proxy refused configuration", "type", next.GetTypeUrl(), "error", d.GetMessage())
		}
		if err := istiod.Send(next); err != nil {
			if errors.Is(err, io.EOF) {
				return nil // the reason arrives where responses are read
			}
			return fmt.Errorf("send to istiod: %w", err)
		}
		var err error
		if next, err = proxy.Recv(); err != nil {
			_ = istiod.CloseSend()
			if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
				return nil
			}
			return fmt.Errorf("receive from the proxy: %w", err)
		}
	}
}

// responses hands on what istiod answers.
func (r *Relay) responses(istiod discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient,
	proxy discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer, rewrite Rewriter,
) error {
	for {
		answer, err := istiod.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kept := answer.GetResources()[:0]
		for _, resource := range answer.GetResources() {
			out, err := rewrite.Resource(resource.GetResource())
			if err != nil {
				return fmt.Errorf("rewrite %s for %s: %w", resource.GetName(), rewrite.Pod, err)
			}
			if out != nil {
				resource.Resource = out
				kept = append(kept, resource)
			}
		}
		answer.Resources = kept
		if err := proxy.Send(answer); err != nil {
			return err
		}
	}
}

// podOf returns the address in a proxy's id: sidecar~10.244.0.5~name.namespace~namespace.svc.cluster.local.
func podOf(node string) (netip.Addr, error) {
	parts := strings.Split(node, "~")
	if len(parts) != 4 {
		return netip.Addr{}, fmt.Errorf("node id %q is not type~address~name.namespace~domain", node)
	}
	return netip.ParseAddr(parts[1])
}
