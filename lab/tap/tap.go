package tap

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // senders may compress
	"google.golang.org/grpc/keepalive"

	"github.com/weirmesh/weir/lab/loopback"
)

// maxMessage is the largest request that is passed on, in bytes. Collectors have limits of their own, which senders should meet.
const maxMessage = 64 << 20

// Config says where requests come from and go to.
type Config struct {
	Network loopback.Network
	// Route returns the address (host:port) of the collector for a pod, or "" if it has none. It is called for every request, from several
	// goroutines. The zero address stands for a sender that is no pod.
	Route func(pod netip.Addr) string
	// Patience is how long a request waits for a collector that is away, as one waits behind an agent that sends again; 0 = not at all. The
	// sender waits meanwhile, so nothing is held twice.
	Patience time.Duration
	Logger   *slog.Logger // nil: says nothing
}

// Sender is who a request came from, by its address.
type Sender struct {
	Pod   netip.Addr // zero: no pod
	Proxy bool       // the pod's Envoy, not its application
}

// Tap is the server. It is safe for concurrent use.
type Tap struct {
	cfg    Config
	server *grpc.Server
	refuse atomic.Pointer[func(Sender) bool]
	conns  conns
	counts counts

	mu        sync.Mutex // guards recording
	recording *Recording
}

// New returns a tap that waits to serve. It must be closed.
func New(cfg Config) *Tap {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Tap{cfg: cfg}
	t.server = grpc.NewServer(
		grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(t.pass), grpc.MaxRecvMsgSize(maxMessage), grpc.WaitForHandlers(true),
		// Proxies ask more often whether the other end is there than the default allows.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	return t
}

// Serve takes connections from l, which it closes, until Close.
func (t *Tap) Serve(l net.Listener) error { return t.server.Serve(l) }

// Close ends all requests, the recording and the connections to collectors. It returns the first error, mostly that of the recording.
func (t *Tap) Close() error {
	t.server.Stop()
	t.mu.Lock()
	r := t.recording
	t.mu.Unlock()
	var err error
	if r != nil {
		err = r.Stop()
	}
	if closed := t.conns.close(); err == nil {
		err = closed
	}
	return err
}

// Refuse answers all requests of the senders that match with UNAVAILABLE, and passes on those of the others; nil passes on all. match is
// called for every request, from several goroutines.
func (t *Tap) Refuse(match func(Sender) bool) {
	if match == nil {
		t.refuse.Store(nil)
		return
	}
	t.refuse.Store(&match)
}

func (t *Tap) refuses(s Sender) bool {
	match := t.refuse.Load()
	return match != nil && (*match)(s)
}

// sender returns who has an address.
func (t *Tap) sender(remote net.Addr) Sender {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return Sender{}
	}
	place := at.Addr().Unmap()
	pod, ok := t.cfg.Network.Pod(place)
	if !ok {
		return Sender{}
	}
	proxy, err := t.cfg.Network.Place(pod, loopback.Inbound)
	return Sender{Pod: pod, Proxy: err == nil && proxy == place}
}
