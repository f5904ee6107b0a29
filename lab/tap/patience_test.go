package tap_test

import (
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/tap"
)

// TestWaitsForACollectorThatIsAway: the request that came while the collector was away arrives when it is back.
func TestWaitsForACollectorThatIsAway(t *testing.T) {
	free := listen(t, "127.200.0.1:14317") // no port that connections come from
	address := free.Addr().String()
	_ = free.Close()
	p := tap.New(tap.Config{Network: loopback.Default(), Route: func(netip.Addr) string { return address }, Patience: time.Minute})
	l := listen(t, "127.0.0.1:0")
	go func() { _ = p.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = p.Close() })

	answered := make(chan error, 1)
	go func() {
		_, err := from(t, "127.65.0.1", l.Addr().String()).Export(t.Context(), request(3))
		answered <- err
	}()
	c := &collector{name: "late"}
	c.start(t, address)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if got := c.seen(); got != 3 {
		t.Errorf("%d spans arrived, want 3", got)
	}
}

// TestPatienceHasAnEnd: a sender is told that nobody took its request, and at once if nobody shall.
func TestPatienceHasAnEnd(t *testing.T) {
	for name, cfg := range map[string]tap.Config{
		"no collector": {Route: func(netip.Addr) string { return "" }, Patience: time.Hour},
		"away for too long": {
			Route: func(netip.Addr) string { return "127.0.0.1:1" }, Patience: time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Network = loopback.Default()
			p := tap.New(cfg)
			l := listen(t, "127.0.0.1:0")
			go func() { _ = p.Serve(l) }() // ends with Close
			t.Cleanup(func() { _ = p.Close() })
			_, err := from(t, "127.65.0.1", l.Addr().String()).Export(t.Context(), request(1))
			if status.Code(err) != codes.Unavailable {
				t.Errorf("answered %v, want UNAVAILABLE", err)
			}
		})
	}
}
