package loopback_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/weirmesh/weir/lab/loopback"
)

func pick(r *rand.Rand, in netip.Prefix) netip.Addr {
	b := in.Addr().As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v |= r.Uint32() >> in.Bits()
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func roles() []loopback.Role {
	return []loopback.Role{loopback.Inbound, loopback.App, loopback.Outbound, loopback.Admin}
}

// Every place is on loopback, leads back to its pod, and is nobody else's.
func TestPlacesAreDistinct(t *testing.T) {
	n, r := loopback.Default(), rand.New(rand.NewPCG(1, 2))
	owner := map[netip.Addr]string{}
	claim := func(pod, place netip.Addr, what string) {
		t.Helper()
		if back, ok := n.Pod(place); !ok || back != pod || !place.IsLoopback() {
			t.Fatalf("%s of %s is %s, which leads back to %s", what, pod, place, back)
		}
		if who := pod.String() + " " + what; owner[place] != "" && owner[place] != who {
			t.Fatalf("%s is both %s and %s", place, owner[place], who)
		}
		owner[place] = pod.String() + " " + what
	}
	for pod := n.Pods.Addr().Next(); n.Pods.Contains(pod); pod = pod.Next() {
		for _, role := range roles() {
			place, err := n.Place(pod, role)
			if err != nil {
				t.Fatal(err)
			}
			claim(pod, place, string(rune('0'+role)))
		}
		for range 20 {
			service := pick(r, n.Services)
			place, err := n.Service(pod, service)
			if err != nil {
				t.Fatal(err)
			}
			claim(pod, place, service.String())
		}
	}
}

// A network of pods is, on loopback, all places of those pods and no place of any other.
func TestPrefix(t *testing.T) {
	n, r := loopback.Default(), rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		pods := netip.PrefixFrom(pick(r, n.Pods), 16+r.IntN(17)).Masked()
		on, err := n.Prefix(pods)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			pod := pick(r, n.Pods)
			for _, role := range roles() {
				place, err := n.Place(pod, role)
				if err != nil {
					t.Fatal(err)
				}
				if on.Contains(place) != pods.Contains(pod) {
					t.Fatalf("%s became %s: contains %s (%s) is %t", pods, on, place, pod, on.Contains(place))
				}
			}
		}
	}
}

func TestNotOurs(t *testing.T) {
	n := loopback.Default()
	for _, a := range []string{"10.245.0.1", "127.0.0.1", "::1", "0.0.0.0"} {
		if place, err := n.Place(netip.MustParseAddr(a), loopback.App); err == nil {
			t.Errorf("%s is no pod, and has the place %s", a, place)
		}
	}
	if _, err := n.Service(netip.MustParseAddr("10.244.1.1"), netip.MustParseAddr("10.97.0.1")); err == nil {
		t.Error("10.97.0.1 is no service")
	}
	if _, err := n.Prefix(netip.MustParsePrefix("192.168.0.0/16")); err == nil {
		t.Error("192.168.0.0/16 holds no pods")
	}
	for _, a := range []string{"127.0.0.1", "10.244.1.1", "::1", "128.0.64.1"} {
		if pod, ok := n.Pod(netip.MustParseAddr(a)); ok {
			t.Errorf("%s is %s's", a, pod)
		}
	}
	if _, ok := n.Pod(netip.Addr{}); ok {
		t.Error("no address is somebody's")
	}
}

func TestPodOfAMappedAddress(t *testing.T) {
	n, pod := loopback.Default(), netip.MustParseAddr("10.244.1.7")
	place, err := n.Place(pod, loopback.App)
	if err != nil {
		t.Fatal(err)
	}
	if back, ok := n.Pod(netip.AddrFrom16(place.As16())); !ok || back != pod {
		t.Errorf("%s leads to %s", netip.AddrFrom16(place.As16()), back)
	}
}
