package agent

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/weirmesh/weir/lab/xds"
)

// Keepalive between proxies, relay and istiod, so that a side that vanished is noticed.
const (
	keepaliveEvery   = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	maxMessage       = 64 << 20 // bytes; configuration of a mesh in one message
)

// relay is the gRPC server that proxies get their configuration and certificates from.
type relay struct {
	listener net.Listener
	server   *grpc.Server
	istiod   *grpc.ClientConn
}

// listen makes the relay on a free port.
func (a *Agent) listen(ctx context.Context) (*relay, error) {
	istiod, err := grpc.NewClient(a.cfg.XDS,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}))
	if err != nil {
		return nil, fmt.Errorf("connect to istiod: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		_ = istiod.Close() // nothing has used it
		return nil, fmt.Errorf("listen for proxies: %w", err)
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveEvery / 3, PermitWithoutStream: true}))
	(&xds.Relay{
		Upstream: xds.Upstream(istiod), Network: a.cfg.Network, Internet: a.cfg.Internet,
		Secrets: a.cfg.Secrets, Logger: a.cfg.Logger,
	}).Register(server)
	a.relay = l.Addr().String()
	return &relay{listener: l, server: server, istiod: istiod}, nil
}

// serve answers proxies until ctx ends.
func (r *relay) serve(ctx context.Context) error {
	defer r.istiod.Close() //nolint:errcheck // there is nothing left to say to it
	stop := context.AfterFunc(ctx, r.server.Stop)
	defer stop()
	if err := r.server.Serve(r.listener); err != nil {
		return fmt.Errorf("serve proxies: %w", err)
	}
	return nil
}
