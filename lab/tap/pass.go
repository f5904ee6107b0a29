package tap

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Signal is a kind of telemetry.
type Signal string

// The signals.
const (
	Traces  Signal = "traces"
	Metrics Signal = "metrics"
	Logs    Signal = "logs"
)

// signalOf tells by the method, of opentelemetry-proto's collector services.
func signalOf(method string) (Signal, bool) {
	switch method {
	case "/opentelemetry.proto.collector.trace.v1.TraceService/Export":
		return Traces, true
	case "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export":
		return Metrics, true
	case "/opentelemetry.proto.collector.logs.v1.LogsService/Export":
		return Logs, true
	}
	return "", false
}

// pass serves one request.
func (t *Tap) pass(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	signal, ok := signalOf(method)
	if !ok {
		return status.Errorf(codes.Unimplemented, "unknown method %s: only OTLP passes here", method)
	}
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	from := t.sender(remoteOf(stream))
	err := t.forward(method, request, from, stream)
	t.note(entry{signal: signal, body: request, failed: err})
	t.counts.add(Source{Sender: from, Signal: signal}, len(request), err)
	return err
}

func remoteOf(stream grpc.ServerStream) net.Addr {
	if p, ok := peer.FromContext(stream.Context()); ok && p.Addr != nil {
		return p.Addr
	}
	return &net.TCPAddr{}
}

// forward sends the request to the sender's collector and its answer back. An error is the collector's own, or UNAVAILABLE.
func (t *Tap) forward(method string, request []byte, from Sender, stream grpc.ServerStream) error {
	ctx := stream.Context()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, sendable(md))
	}
	patience := time.NewTimer(t.cfg.Patience)
	defer patience.Stop()
	for {
		err := t.try(ctx, method, request, from, stream)
		if status.Code(err) != codes.Unavailable || t.cfg.Patience == 0 || t.refuses(from) || t.cfg.Route(from.Pod) == "" {
			return err
		}
		again := time.NewTimer(retryDelay)
		select {
		case <-again.C:
		case <-patience.C:
			return err
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// try is one attempt. A collector that went away in the middle of it may have the request all the same: Weir counts it once.
func (t *Tap) try(ctx context.Context, method string, request []byte, from Sender, stream grpc.ServerStream) error {
	if t.refuses(from) {
		return status.Error(codes.Unavailable, "refused by the lab")
	}
	address := t.cfg.Route(from.Pod)
	if address == "" {
		return status.Error(codes.Unavailable, "no collector for this sender")
	}
	conn, err := t.conns.to(address)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	var answer []byte
	var header, trailer metadata.MD
	err = conn.Invoke(ctx, method, &request, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	stream.SetTrailer(sendable(trailer))
	if err != nil {
		return err
	}
	if err := stream.SetHeader(sendable(header)); err != nil {
		return fmt.Errorf("pass on the header: %w", err)
	}
	return stream.SendMsg(&answer)
}

// sendable leaves out what belongs to one connection and not to the request.
func sendable(md metadata.MD) metadata.MD {
	out := md.Copy()
	for _, key := range []string{":authority", "content-type", "user-agent", "te", "grpc-accept-encoding", "grpc-encoding"} {
		delete(out, key)
	}
	return out
}
