package controlplane

import (
	"fmt"
	"net/netip"
	"time"
)

// quarantine is how long an address stays free before it is given again: the processes of a pod outlive it for a while, see package agent.
const quarantine = 30 * time.Second

// pool gives out the addresses of a node's pods, in turn, so that one that was freed comes back as late as possible.
type pool struct {
	prefix netip.Prefix
	last   netip.Addr               // the latest one given
	taken  map[netip.Addr]bool      // by a pod that is there
	free   map[netip.Addr]time.Time // since when, of those that were taken once
}

func newPool(prefix netip.Prefix) *pool {
	prefix = prefix.Masked()
	return &pool{prefix: prefix, last: prefix.Addr(), taken: map[netip.Addr]bool{}, free: map[netip.Addr]time.Time{}}
}

// take gives an address. The first and the last one of the network are never given.
func (p *pool) take(now time.Time) (netip.Addr, error) {
	for a, seen := p.after(p.last), 0; seen < 1<<(32-p.prefix.Bits()); a, seen = p.after(a), seen+1 {
		if since, was := p.free[a]; p.taken[a] || was && now.Sub(since) < quarantine {
			continue
		}
		p.last = a
		p.hold(a)
		return a, nil
	}
	return netip.Addr{}, fmt.Errorf("all addresses of %s are taken", p.prefix)
}

// hold marks an address as taken.
func (p *pool) hold(a netip.Addr) {
	p.taken[a] = true
	delete(p.free, a)
}

// put frees an address.
func (p *pool) put(a netip.Addr, now time.Time) {
	delete(p.taken, a)
	p.free[a] = now
}

func (p *pool) after(a netip.Addr) netip.Addr {
	a = a.Next()
	if !p.prefix.Contains(a) || !p.prefix.Contains(a.Next()) {
		return p.prefix.Addr().Next()
	}
	return a
}
