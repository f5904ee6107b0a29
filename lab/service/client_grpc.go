package service

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/weirmesh/weir/lab/spec"
)

// grpcClient asks one service over one connection.
type grpcClient struct {
	cfg  Config
	conn *grpc.ClientConn
}

func dialGRPC(cfg Config, to spec.Service, host string, dialer *net.Dialer, tel *telemetry) (*grpcClient, error) {
	target := netip.AddrPortFrom(cfg.Outbound, uint16(to.Port)).String()
	conn, err := grpc.NewClient("passthrough:///"+target,
		grpc.WithAuthority(host),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(tel.grpcOptions()...)),
		grpc.WithStatsHandler(markedStats{}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithReadBufferSize(4096), grpc.WithWriteBufferSize(4096),
	)
	if err != nil {
		return nil, err
	}
	return &grpcClient{cfg: cfg, conn: conn}, nil
}

func (c *grpcClient) ask(ctx context.Context, _ spec.Endpoint, path string) string {
	ctx = metadata.AppendToOutgoingContext(ctx, HeaderCaller, c.cfg.Service.Name, HeaderRegion, c.cfg.Region)
	if id := requestID(ctx); id != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, HeaderRequestID, id)
	}
	var answer []byte
	var trailer metadata.MD
	err := c.conn.Invoke(ctx, path, make([]byte, requestBytes), &answer, grpc.Trailer(&trailer))
	return ofGRPC(grpcstatus.Code(err), len(trailer.Get(HeaderAnswered)) > 0)
}

func (c *grpcClient) close() error { return c.conn.Close() }

// markedStats comes after the instrumentation, whose span it finds in the context.
type markedStats struct{}

// TagRPC marks the client span.
func (markedStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	underSpan(ctx)
	return ctx
}

// HandleRPC does nothing.
func (markedStats) HandleRPC(context.Context, stats.RPCStats) {}

// TagConn does nothing.
func (markedStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (markedStats) HandleConn(context.Context, stats.ConnStats) {}

// rawCodec carries messages as bytes. It goes by the name of the usual codec: nobody on the way looks inside.
type rawCodec struct{}

// Name is the content's subtype.
func (rawCodec) Name() string { return "proto" }

// Marshal takes a []byte.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a message is bytes, not %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal fills a *[]byte.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message is read into bytes, not %T", v)
	}
	*b = data.Materialize()
	return nil
}
