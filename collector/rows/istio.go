package rows

import (
	"strings"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// istioTags are the tags with which Istio makes its proxies say, on each span, who they are: the resource of a proxy need not tell. The
// texts are as they came. Tags: istio.io/istio, pilot/pkg/networking/core/tracing.go; node_id is Envoy's own.
type istioTags struct {
	service, revision, namespace, cluster string
	node                                  string // type~address~pod.namespace~domain
}

// What Istio says where it does not know.
const (
	unknownToIstio  = "unknown"
	revisionOfNoone = "latest"
)

// origin is who a span comes from, if its resource is from: the tags know the workload better than the resource of a proxy, whose name is
// made of several in a way the mesh chooses. What the tags leave open, and the instance if the resource has one, stay as they are, so
// that a proxy and the application beside it are one instance.
func (t istioTags) origin(from schemas.Origin) schemas.Origin {
	namespace := name(t.namespace)
	if namespace != "" {
		from.Namespace = namespace
		if short := strings.TrimSuffix(from.Name, "."+namespace); short != "" && short != schemas.UnknownCaller {
			from.Name = own(short)
		}
	}
	if service := name(t.service); service != "" && service != unknownToIstio && service != schemas.UnknownCaller {
		from.Name = service
	}
	if revision := name(t.revision); revision != "" && revision != revisionOfNoone {
		from.Version = revision
	}
	if from.Cluster == "" && t.cluster != unknownToIstio {
		from.Cluster = name(t.cluster)
	}
	if from.Instance == "" {
		from.Instance = instanceName(podOf(t.node))
	}
	return from
}

// podOf returns the pod that a proxy's id names, or "": sidecar~10.0.0.1~cart-7d9f-x2v4k.shop~shop.svc.cluster.local. A pod's name may hold
// dots, its namespace may not.
func podOf(node string) string {
	parts := strings.SplitN(node, "~", 5)
	if len(parts) != 4 {
		return ""
	}
	if dot := strings.LastIndexByte(parts[2], '.'); dot > 0 {
		return parts[2][:dot]
	}
	return ""
}

// outbound begins the names of Istio's clusters that lead out of a pod.
const outbound = "outbound|"

// upstreamPeer is whom Istio's cluster stands for: outbound|port|subset|host, where a Kubernetes service's host is
// service.namespace.svc.domain and any other is a name of its own.
func upstreamPeer(cluster string) columns.Peer {
	rest, ok := strings.CutPrefix(cluster, outbound)
	if !ok || strings.Count(rest, "|") != 2 {
		return columns.Peer{}
	}
	host := rest[strings.LastIndexByte(rest, '|')+1:]
	service, rest, _ := strings.Cut(host, ".")
	namespace, domain, _ := strings.Cut(rest, ".")
	if domain == "svc" || strings.HasPrefix(domain, "svc.") {
		return columns.Peer{Namespace: name(namespace), Name: name(service)}
	}
	return columns.Peer{Name: name(host)}
}
