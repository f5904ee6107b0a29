package controlplane

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

func TestPoolGivesInTurn(t *testing.T) {
	p, now := newPool(netip.MustParsePrefix("10.244.1.0/29")), time.Unix(0, 0)
	take := func(want string) netip.Addr {
		t.Helper()
		a, err := p.take(now)
		if err != nil || a.String() != want {
			t.Fatalf("got %s (%v), not %s", a, err, want)
		}
		return a
	}
	first := take("10.244.1.1")
	take("10.244.1.2")
	p.put(first, now)
	take("10.244.1.3")
	p.hold(netip.MustParseAddr("10.244.1.4"))
	take("10.244.1.5")
	take("10.244.1.6")
	// .7 is for broadcasts, and .1 has not been free for long.
	if a, err := p.take(now.Add(quarantine - 1)); err == nil {
		t.Errorf("got %s, which was freed a moment ago", a)
	}
	now = now.Add(quarantine)
	take("10.244.1.1")
}

// TestPoolProperty: whatever comes and goes, nobody gets an address of somebody else, nor one that has not rested.
func TestPoolProperty(t *testing.T) {
	for seed := range uint64(50) {
		chance := rand.New(rand.NewPCG(seed, 0))
		p, now := newPool(netip.MustParsePrefix("10.244.2.0/27")), time.Unix(0, 0)
		var held []netip.Addr
		freed := map[netip.Addr]time.Time{}
		for range 2000 {
			now = now.Add(time.Duration(chance.IntN(3000)) * time.Millisecond)
			if len(held) > 0 && chance.IntN(2) == 0 {
				i := chance.IntN(len(held))
				p.put(held[i], now)
				freed[held[i]] = now
				held = append(held[:i], held[i+1:]...)
				continue
			}
			a, err := p.take(now)
			resting := 0
			for _, since := range freed {
				if now.Sub(since) < quarantine {
					resting++
				}
			}
			if err != nil {
				if len(held)+resting < 30 {
					t.Fatalf("seed %d: %d held and %d resting of 30: %v", seed, len(held), resting, err)
				}
				continue
			}
			if since, was := freed[a]; was && now.Sub(since) < quarantine {
				t.Fatalf("seed %d: %s was freed %s ago", seed, a, now.Sub(since))
			}
			for _, other := range held {
				if other == a {
					t.Fatalf("seed %d: %s was given twice", seed, a)
				}
			}
			delete(freed, a)
			held = append(held, a)
		}
	}
}
