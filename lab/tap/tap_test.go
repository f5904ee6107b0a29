package tap_test

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is a stand-in that remembers what it got and answers as it is told.
type collector struct {
	ptraceotlp.UnimplementedGRPCServer
	name     string
	rejected int64
	fail     error

	mu    sync.Mutex // guards the rest
	spans int
	md    metadata.MD
}

func (c *collector) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.md, _ = metadata.FromIncomingContext(ctx)
	c.spans += r.Traces().SpanCount()
	if err := grpc.SetHeader(ctx, metadata.Pairs("x-collector", c.name)); err != nil {
		return ptraceotlp.NewExportResponse(), err
	}
	resp := ptraceotlp.NewExportResponse()
	resp.PartialSuccess().SetRejectedSpans(c.rejected)
	return resp, c.fail
}

func (c *collector) seen() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans
}

func (c *collector) start(t *testing.T, at string) string {
	t.Helper()
	s := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(s, c)
	l := listen(t, at)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func listen(t *testing.T, at string) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func startTap(t *testing.T, route func(netip.Addr) string) (*tap.Tap, string) {
	t.Helper()
	p := tap.New(tap.Config{Network: loopback.Default(), Route: route})
	l := listen(t, "127.0.0.1:0")
	go func() { _ = p.Serve(l) }() // ends with Close
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, l.Addr().String()
}

// from returns a client whose connections come from an address.
func from(t *testing.T, source, address string) ptraceotlp.GRPCClient {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", a) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return ptraceotlp.NewGRPCClient(conn)
}

func request(spans int) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	if spans == 0 {
		return ptraceotlp.NewExportRequestFromTraces(td)
	}
	list := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range spans {
		s := list.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i)})
		s.SetSpanID(pcommon.SpanID{1, byte(i)})
		s.SetEndTimestamp(5)
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func TestPassesEverythingThrough(t *testing.T) {
	c := &collector{name: "a", rejected: 2}
	address := c.start(t, "127.0.0.1:0")
	p, at := startTap(t, func(netip.Addr) string { return address })
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-tenant", "blue")
	var header metadata.MD
	resp, err := from(t, "127.0.0.1", at).Export(ctx, request(3), grpc.Header(&header))
	if err != nil {
		t.Fatal(err)
	}
	if resp.PartialSuccess().RejectedSpans() != 2 || c.seen() != 3 || header.Get("x-collector")[0] != "a" || c.md.Get("x-tenant")[0] != "blue" {
		t.Errorf("rejected %d, spans %d, header %v, metadata %v", resp.PartialSuccess().RejectedSpans(), c.spans, header, c.md)
	}
	for source, n := range p.Counts() {
		if source != (tap.Source{Signal: tap.Traces}) || n.Requests != 1 || n.Bytes == 0 || n.Failed != 0 {
			t.Errorf("%+v: %+v", source, n)
		}
	}
}

func TestErrorsAreTheCollectorsOwn(t *testing.T) {
	c := &collector{fail: status.Error(codes.ResourceExhausted, "slower, please")}
	address := c.start(t, "127.0.0.1:0")
	p, at := startTap(t, func(netip.Addr) string { return address })
	_, err := from(t, "127.0.0.1", at).Export(t.Context(), request(1))
	if s := status.Convert(err); s.Code() != codes.ResourceExhausted || s.Message() != "slower, please" {
		t.Errorf("got %v", err)
	}
	if n := p.Counts()[tap.Source{Signal: tap.Traces}]; n.Failed != 1 {
		t.Errorf("counted %+v", n)
	}
}

func TestACollectorThatIsAwayIsUnavailableAndFoundAgain(t *testing.T) {
	address := listen(t, "127.0.0.1:0")
	if err := address.Close(); err != nil {
		t.Fatal(err)
	}
	_, at := startTap(t, func(netip.Addr) string { return address.Addr().String() })
	client := from(t, "127.0.0.1", at)
	if _, err := client.Export(t.Context(), request(1)); status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v, want UNAVAILABLE", err)
	}
	c := &collector{}
	c.start(t, address.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); c.seen() == 0; {
		select {
		case <-ctx.Done():
			t.Fatal("not found again")
		case <-tick.C:
			_, _ = client.Export(ctx, request(1)) // fails until the tap has seen that the collector is back
		}
	}
}

func TestOnlyOTLPPasses(t *testing.T) {
	_, at := startTap(t, func(netip.Addr) string { return "" })
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{}, "/other.Service/Call")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(nil); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
	if _, err := from(t, "127.0.0.1", at).Export(t.Context(), request(1)); status.Code(err) != codes.Unavailable {
		t.Errorf("without a route: %v, want UNAVAILABLE", err)
	}
}

// TestSendersAreKnownByTheirAddress sends as a pod's application and as its proxy.
func TestSendersAreKnownByTheirAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8")
	}
	network := loopback.Default()
	pod, other := netip.MustParseAddr("10.244.1.3"), netip.MustParseAddr("10.244.2.4")
	place := func(a netip.Addr, as loopback.Role) string {
		got, err := network.Place(a, as)
		if err != nil {
			t.Fatal(err)
		}
		return got.String()
	}
	north, south := &collector{}, &collector{}
	routes := map[netip.Addr]string{pod: north.start(t, "127.0.0.1:0"), other: south.start(t, "127.0.0.1:0")}
	p, at := startTap(t, func(a netip.Addr) string { return routes[a] })
	proxy, app := from(t, place(pod, loopback.Inbound), at), from(t, place(pod, loopback.App), at)
	elsewhere := from(t, place(other, loopback.App), at)

	p.Refuse(func(s tap.Sender) bool { return s.Proxy && s.Pod == pod })
	if _, err := proxy.Export(t.Context(), request(1)); status.Code(err) != codes.Unavailable {
		t.Errorf("refused proxy: %v", err)
	}
	for _, c := range []ptraceotlp.GRPCClient{app, elsewhere} {
		if _, err := c.Export(t.Context(), request(1)); err != nil {
			t.Error(err)
		}
	}
	p.Refuse(nil)
	if _, err := proxy.Export(t.Context(), request(10)); err != nil {
		t.Error(err)
	}
	if north.seen() != 11 || south.seen() != 1 {
		t.Errorf("%d spans north, %d south", north.seen(), south.seen())
	}
	counts := p.Counts()
	for source, want := range map[tap.Source][2]uint64{
		{Sender: tap.Sender{Pod: pod, Proxy: true}, Signal: tap.Traces}: {2, 1},
		{Sender: tap.Sender{Pod: pod}, Signal: tap.Traces}:              {1, 0},
		{Sender: tap.Sender{Pod: other}, Signal: tap.Traces}:            {1, 0},
	} {
		if n := counts[source]; n.Requests != want[0] || n.Failed != want[1] {
			t.Errorf("%+v: %+v, want %v", source, n, want)
		}
	}
}
