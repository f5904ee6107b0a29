package xds_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirmesh/weir/lab/identity"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/xds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// istiod answers one stream as the test says.
type istiod struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	asked   chan *discovery.DeltaDiscoveryRequest
	answers chan *discovery.DeltaDiscoveryResponse // closed: the stream ends
	ended   chan struct{}                          // a stream is over
}

func (i *istiod) DeltaAggregatedResources(s discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	defer func() { i.ended <- struct{}{} }()
	go func() {
		for {
			r, err := s.Recv()
			if err != nil {
				return
			}
			i.asked <- r
		}
	}()
	for {
		select {
		case <-s.Context().Done():
			return s.Context().Err()
		case a, ok := <-i.answers:
			if !ok {
				return status.Error(codes.Unavailable, "istiod restarts")
			}
			if err := s.Send(a); err != nil {
				return err
			}
		}
	}
}

// serve makes a server and a connection to it.
func serve(t *testing.T, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	l, s := bufconn.Listen(1<<20), grpc.NewServer()
	register(s)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func relay(t *testing.T) (*istiod, *grpc.ClientConn) {
	t.Helper()
	up := &istiod{
		asked: make(chan *discovery.DeltaDiscoveryRequest, 10), answers: make(chan *discovery.DeltaDiscoveryResponse),
		ended: make(chan struct{}, 1),
	}
	upstream := serve(t, func(s *grpc.Server) { discovery.RegisterAggregatedDiscoveryServiceServer(s, up) })
	secrets, err := identity.New("cluster.local", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return up, serve(t, (&xds.Relay{
		Upstream: discovery.NewAggregatedDiscoveryServiceClient(upstream), Network: loopback.Default(), Internet: rewriter().Internet,
		Secrets: secrets, Logger: slog.New(slog.DiscardHandler),
	}).Register)
}

type stream = discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

// open begins a proxy's stream; its test fails rather than hangs.
func open(t *testing.T, conn *grpc.ClientConn, id string) stream {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(stop)
	s, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: id}, TypeUrl: "first"}); err != nil {
		t.Fatal(err)
	}
	return s
}

const proxy = "sidecar~10.244.1.7~web-0.shop~shop.svc.cluster.local"

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRelayHandsOn(t *testing.T) {
	up, conn := relay(t)
	s := open(t, conn, proxy)
	if got := <-up.asked; got.GetTypeUrl() != "first" || got.GetNode().GetId() != proxy {
		t.Errorf("istiod was asked %v", got)
	}
	if err := s.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: "second", ResponseNonce: "n"}); err != nil {
		t.Fatal(err)
	}
	if got := <-up.asked; got.GetTypeUrl() != "second" || got.GetResponseNonce() != "n" {
		t.Errorf("istiod was asked %v", got)
	}
	up.answers <- &discovery.DeltaDiscoveryResponse{
		Nonce: "n2", RemovedResources: []string{"old"},
		Resources: []*discovery.Resource{
			{Name: "virtualOutbound", Resource: packed(t, &listener.Listener{Name: "virtualOutbound"})},
			{Name: "c", Version: "7", Resource: packed(t, &cluster.Cluster{Name: "inbound|8080||"})},
		},
	}
	got, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if got.GetNonce() != "n2" || len(got.GetRemovedResources()) != 1 || len(got.GetResources()) != 1 || got.GetResources()[0].GetVersion() != "7" {
		t.Fatalf("the proxy got %v", got)
	}
	var c cluster.Cluster
	if err := got.GetResources()[0].GetResource().UnmarshalTo(&c); err != nil {
		t.Fatal(err)
	}
	if c.GetType() != cluster.Cluster_STATIC {
		t.Error("a resource was not rewritten")
	}
}

// When istiod ends the stream, the proxy's ends, so that it comes back; when the proxy goes, istiod hears of it.
func TestRelayEnds(t *testing.T) {
	t.Run("istiod", func(t *testing.T) {
		up, conn := relay(t)
		s := open(t, conn, proxy)
		<-up.asked
		close(up.answers)
		if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("the proxy's stream ended with %v", err)
		}
	})
	t.Run("proxy", func(t *testing.T) {
		up, conn := relay(t)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(&discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: proxy}}); err != nil {
			t.Fatal(err)
		}
		<-up.asked
		stop()
		<-up.ended
	})
	t.Run("damage", func(t *testing.T) {
		up, conn := relay(t)
		s := open(t, conn, proxy)
		<-up.asked
		damaged := &anypb.Any{TypeUrl: packed(t, &cluster.Cluster{}).GetTypeUrl(), Value: []byte{0xff}}
		up.answers <- &discovery.DeltaDiscoveryResponse{Resources: []*discovery.Resource{{Name: "c", Resource: damaged}}}
		if _, err := s.Recv(); err == nil {
			t.Error("the proxy got something")
		}
		<-up.ended
	})
}

func TestNodeID(t *testing.T) {
	for _, id := range []string{"", "web-0", "sidecar~nowhere~web-0.shop~shop.svc.cluster.local"} {
		_, conn := relay(t)
		if _, err := open(t, conn, id).Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("id %q ended with %v", id, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	_, conn := relay(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	s, err := secret.NewSecretDiscoveryServiceClient(conn).StreamSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	who, err := structpb.NewStruct(object{"NAMESPACE": "shop", "SERVICE_ACCOUNT": "web"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *discovery.DiscoveryRequest) (*tls.Secret, error) {
		if err := s.Send(r); err != nil {
			return nil, err
		}
		got, err := s.Recv()
		if err != nil {
			return nil, err
		}
		var out tls.Secret
		return &out, got.GetResources()[0].UnmarshalTo(&out)
	}
	own, err := ask(&discovery.DiscoveryRequest{Node: &core.Node{Metadata: who}, ResourceNames: []string{"default"}})
	if err != nil || len(own.GetTlsCertificate().GetPrivateKey().GetInlineBytes()) == 0 {
		t.Fatalf("its own certificate: %v, %v", own, err)
	}
	// That it was taken is not a question; the next answer is to the next one.
	if err := s.Send(&discovery.DiscoveryRequest{ResourceNames: []string{"default"}, ResponseNonce: "default"}); err != nil {
		t.Fatal(err)
	}
	root, err := ask(&discovery.DiscoveryRequest{ResourceNames: []string{"ROOTCA"}})
	if err != nil || len(root.GetValidationContext().GetTrustedCa().GetInlineBytes()) == 0 {
		t.Fatalf("the root: %v, %v", root, err)
	}
	if _, err := ask(&discovery.DiscoveryRequest{ResourceNames: []string{"other"}}); status.Code(err) != codes.Internal {
		t.Errorf("an unknown secret: %v", err)
	}
}

type object = map[string]any
