package rows

import (
	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// maxKnown bounds what one request remembers of routes and of peers; with more of them, each is made anew.
const maxKnown = 1024

// routeFacts are the attributes that name what was asked.
type routeFacts struct{ httpRoute, rpcService, rpcMethod string }

// lastRoute is the route of the span before, which most spans share.
type lastRoute struct {
	facts routeFacts
	route string
}

// template is the route of a span, made once for all spans of the request that share it.
func (r *spanRun) template(f *facts) string {
	if f.routeFacts == r.route.facts {
		return r.route.route
	}
	route, ok := r.routes[f.routeFacts]
	if !ok {
		route = f.route()
		if r.routes == nil {
			r.routes = map[routeFacts]string{}
		}
		if len(r.routes) < maxKnown {
			r.routes[f.routeFacts] = route
		}
	}
	r.route = lastRoute{f.routeFacts, route}
	return route
}

// route is the template of what was asked. Instrumentations send paths in its place.
func (f *routeFacts) route() string {
	switch {
	case f.httpRoute != "":
		return name(redact.Route(cut(f.httpRoute, maxScan)))
	case f.rpcService == "" || f.rpcMethod == "":
		return name(f.rpcMethod)
	}
	return name(cut(f.rpcService, schemas.MaxName) + "/" + cut(f.rpcMethod, schemas.MaxName))
}

// admittedPeer is a peer whose name was let through or replaced.
type admittedPeer struct {
	columns.Peer
	over names.Set
}

type lastPeer struct {
	facts peerFacts
	peer  admittedPeer
}

// called is whom a sending span says it called, found once for all spans of the request that say the same.
func (r *spanRun) called(f *facts, kind schemas.Kind) admittedPeer {
	if !kind.Sends() || f.peerFacts == (peerFacts{}) {
		return admittedPeer{}
	}
	if r.peer.facts == f.peerFacts {
		return r.peer.peer
	}
	peer, ok := r.peers[f.peerFacts]
	if !ok {
		peer = r.admitPeer(f.peer())
		if r.peers == nil {
			r.peers = map[peerFacts]admittedPeer{}
		}
		if len(r.peers) < maxKnown {
			r.peers[f.peerFacts] = peer
		}
	}
	r.peer = lastPeer{f.peerFacts, peer}
	return peer
}

func (r *spanRun) admitPeer(p columns.Peer) admittedPeer {
	if p == (columns.Peer{}) || r.names.Peer(r.source, r.clock.now, p.Namespace, p.Name) {
		return admittedPeer{Peer: p}
	}
	return admittedPeer{columns.Peer{Name: schemas.Overflow}, names.SetOf(names.Peer)}
}
