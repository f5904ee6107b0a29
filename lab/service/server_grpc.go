package service

import (
	"context"
	"io"
	"net"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
)

// grpcServer answers every method that is an endpoint, whatever its messages are.
type grpcServer struct {
	instance *instance
	routes   routes
	server   *grpc.Server
}

func newGRPCServer(i *instance, tel *telemetry) *grpcServer {
	s := &grpcServer{instance: i, routes: newRoutes(i.cfg.Service.Endpoints)}
	s.server = grpc.NewServer(
		grpc.StatsHandler(otelgrpc.NewServerHandler(tel.grpcOptions()...)),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.UnknownServiceHandler(s.answer),
		grpc.ReadBufferSize(4096), grpc.WriteBufferSize(4096), grpc.MaxRecvMsgSize(maxRequest),
	)
	return s
}

func (s *grpcServer) answer(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	first := func(name string) string { return strings.Join(md.Get(name), ",") }
	out := s.instance.handle(withRequestID(stream.Context(), first(HeaderRequestID)), request{
		endpoint: s.routes.find("", method), caller: first(HeaderCaller), region: first(HeaderRegion), password: first(HeaderPassword),
	})
	stream.SetTrailer(metadata.Pairs(HeaderAnswered, s.instance.cfg.Pod))
	if m := out.status.meaning(); m.grpc != codes.OK {
		return grpcstatus.Error(m.grpc, m.outcome)
	}
	body, err := io.ReadAll(out.body())
	if err != nil {
		return err
	}
	return stream.SendMsg(body)
}

func (s *grpcServer) serve(l net.Listener) error { return s.server.Serve(l) }

func (s *grpcServer) stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.server.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.server.Stop()
		<-done
		return ctx.Err()
	}
}
