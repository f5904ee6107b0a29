package rows

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// facts are the attributes of one span that are on the list, as they came. Everything else is never looked at.
type facts struct {
	httpStatus            int64 // -1 = not there, as in all numbers here
	grpcStatus            int64
	rpcStatus             int64
	requestBytes          bytesFact
	responseBytes         bytesFact
	grpc, http            bool
	messaging, db         bool
	retried               bool
	errorType, envoyFlags string
	istio                 istioTags
	routeFacts
	peerFacts
}

// peerFacts are the attributes that name whom a span called.
type peerFacts struct {
	peerName, peerSpace string
	peerService         string
	destination         columns.Peer // as Istio's proxies name it
	upstream            string       // Envoy's cluster that the call went to
}

// bytesFact is a size of which several attributes may tell; the one with the lowest rank is believed.
type bytesFact struct {
	size int64
	rank int
}

func (b *bytesFact) offer(v pcommon.Value, rank int) {
	if n := whole(v); n >= 0 && (b.rank == 0 || rank < b.rank) {
		b.size, b.rank = n, rank
	}
}

// read gathers the facts of a span.
func (f *facts) read(span ptrace.Span) {
	f.httpStatus, f.grpcStatus, f.rpcStatus = -1, -1, -1
	for key, v := range span.Attributes().All() {
		f.take(key, v)
	}
}

// take is the allow-list of span attributes.
func (f *facts) take(key string, v pcommon.Value) {
	switch key {
	case "http.response.status_code", "http.status_code":
		f.http = true
		f.httpStatus = max(f.httpStatus, whole(v))
	case "http.request.method", "http.method":
		f.http = true
	case "http.route":
		f.http, f.httpRoute = true, text(v)
	case "rpc.system", "rpc.system.name":
		f.grpc = f.grpc || text(v) == "grpc"
	case "rpc.grpc.status_code", "grpc.status_code":
		f.grpc, f.grpcStatus = true, grpcCode(v)
	case "rpc.response.status_code":
		f.rpcStatus = grpcCode(v)
	case "rpc.service":
		f.rpcService = text(v)
	case "rpc.method":
		f.rpcMethod = text(v)
	case "messaging.system":
		f.messaging = true
	case "db.system", "db.system.name":
		f.db = true
	case "service.peer.name":
		f.peerName = text(v)
	case "service.peer.namespace":
		f.peerSpace = text(v)
	case "peer.service":
		f.peerService = text(v)
	default:
		f.takeRest(key, v)
	}
}

// takeRest is the part of the allow-list that few spans have.
func (f *facts) takeRest(key string, v pcommon.Value) {
	switch key {
	case "http.request.body.size":
		f.requestBytes.offer(v, 1)
	case "http.request_content_length":
		f.requestBytes.offer(v, 2)
	case "http.request.size", "request_size":
		f.requestBytes.offer(v, 3)
	case "http.response.body.size":
		f.responseBytes.offer(v, 1)
	case "http.response_content_length":
		f.responseBytes.offer(v, 2)
	case "http.response.size", "response_size":
		f.responseBytes.offer(v, 3)
	case "http.request.resend_count", "http.resend_count", "retry.count":
		f.retried = f.retried || whole(v) > 0
	case "error.type":
		f.errorType = text(v)
	case "response_flags", "envoy.response_flags":
		f.envoyFlags = text(v)
	case "upstream_cluster":
		f.upstream = text(v)
	case "node_id":
		f.istio.node = text(v)
	case "istio.canonical_service":
		f.istio.service = text(v)
	case "istio.canonical_revision":
		f.istio.revision = text(v)
	case "istio.namespace":
		f.istio.namespace = text(v)
	case "istio.cluster_id":
		f.istio.cluster = text(v)
	case "istio.destination_canonical_service":
		f.destination.Name = text(v)
	case "istio.destination_namespace":
		f.destination.Namespace = text(v)
	}
}

// status is how the span says its call ended.
func (f *facts) status(span ptrace.Span) schemas.Status {
	s := schemas.Status{GRPC: schemas.NoGRPC}
	if f.httpStatus >= 100 && f.httpStatus <= 999 {
		s.HTTP = uint16(f.httpStatus)
	}
	switch {
	case f.grpcStatus >= 0:
		s.GRPC = int16(f.grpcStatus)
	case f.grpc && f.rpcStatus >= 0:
		s.GRPC = int16(f.rpcStatus)
	}
	switch span.Status().Code() {
	case ptrace.StatusCodeOk:
		s.Span = 1
	case ptrace.StatusCodeError:
		s.Span = 2
	}
	return s
}

// flags are what the attributes say about the call, as far as they say it.
func (f *facts) flags() schemas.Flags {
	out := flagsOfEnvoy(f.envoyFlags)
	if f.retried {
		out |= schemas.FlagRetry
	}
	if belowProtocol(f.errorType) {
		out |= schemas.FlagTransport
	}
	return out
}

func (f *facts) protocol() string {
	switch {
	case f.grpc:
		return "grpc"
	case f.messaging:
		return "messaging"
	case f.db:
		return "db"
	case f.http:
		return "http"
	}
	return ""
}

// peer is whom a sending span says it called.
func (f *peerFacts) peer() columns.Peer {
	var peer columns.Peer
	switch {
	case f.peerName != "":
		peer = columns.Peer{Namespace: name(f.peerSpace), Name: name(f.peerName)}
	case f.peerService != "":
		peer = columns.Peer{Name: name(f.peerService)}
	case f.destination.Name != "" && f.destination.Name != unknownToIstio:
		peer = columns.Peer{Namespace: name(f.destination.Namespace), Name: name(f.destination.Name)}
	case f.upstream != "":
		peer = upstreamPeer(f.upstream)
	}
	if peer.Name == "" || peer.Name == schemas.UnknownCaller {
		return columns.Peer{}
	}
	return peer
}
