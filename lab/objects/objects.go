// Package objects says what a lab is in the words of Kubernetes and Istio: the objects a user of such a mesh would have written.
//
// Render is pure. Apply hands objects to an API server by server-side apply, so that doing it again changes nothing, and what others
// own, such as the replicas that somebody has scaled, is taken back only when Apply is called again.
package objects

import (
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/weirmesh/weir/lab/spec"
)

// Labels and annotations of the lab's own. The annotations of pods are read by the stages of kwok, the others by whoever asks.
const (
	LabelVM            = "lab.weir.dev/vm"        // on a WorkloadEntry: the agent runs it
	AnnotationServing  = "lab.weir.dev/serving"   // on a pod: "true" while its processes serve
	AnnotationStartLag = "lab.weir.dev/start-lag" // on a pod: from serving to Ready
	AnnotationPrice    = "lab.weir.dev/price"     // on a node: of one instance for an hour
)

// Namespaces beside the mesh's own.
const (
	IstioNamespace = "istio-system"
	WeirNamespace  = "weir"
)

// The ingress gateway.
const (
	Gateway     = "istio-ingressgateway" // Deployment, Service and service account
	GatewayPort = 8080                   // where its proxy listens; the Service's port is 80
)

// Collector is the Service that proxies send their telemetry to, and CollectorPort its port, as the mesh's configuration names them.
const (
	Collector     = "collector"
	CollectorPort = 4317
)

// Labels that Istio knows.
const (
	labelRegion = "topology.kubernetes.io/region"
	labelZone   = "topology.kubernetes.io/zone"
)

// Options are what the lab file does not say.
type Options struct {
	// Telemetry is what the collector's Service leads to, an address of the pod network.
	Telemetry netip.AddrPort
	// VMs are addresses of the pod network for services that are VMs, the first one first.
	VMs netip.Addr
	// Sampling is the percentage of requests that are traced; 0 means 100.
	Sampling float64
}

// DefaultOptions are the addresses that the lab uses.
func DefaultOptions() Options {
	return Options{
		// Not OTLP's own port: a collector of the machine may listen there on all addresses.
		Telemetry: netip.MustParseAddrPort("10.244.3.250:14317"),
		VMs:       netip.MustParseAddr("10.244.3.10"),
		Sampling:  100,
	}
}

type object = map[string]any

// Render returns the objects of a lab, those that others need first. The lab must be valid.
func Render(lab spec.Lab, o Options) ([]*unstructured.Unstructured, error) {
	if !o.Telemetry.IsValid() || !o.VMs.IsValid() {
		return nil, fmt.Errorf("render objects: options without addresses: %+v", o)
	}
	var all []object
	all = append(all, namespace(lab.Mesh.Namespace, true), namespace(IstioNamespace, false), namespace(WeirNamespace, false))
	all = append(all, nodes(lab.Mesh)...)
	all = append(all, telemetry(o)...)
	vm := o.VMs
	for _, s := range lab.Mesh.Services {
		all = append(all, service(lab.Mesh, s)...)
		for _, v := range s.Versions {
			if s.VM {
				all = append(all, workloadEntry(lab.Mesh, s, v, vm))
				vm = vm.Next()
				continue
			}
			all = append(all, deployment(lab.Mesh, s, v))
		}
	}
	all = append(all, routing(lab)...)
	all = append(all, gateway(lab)...)
	out := make([]*unstructured.Unstructured, 0, len(all))
	for _, one := range all {
		out = append(out, &unstructured.Unstructured{Object: one})
	}
	return out, nil
}

// make an object's head; an empty namespace is left out.
func head(apiVersion, kind, namespace, name string) object {
	meta := object{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
}

// with adds labels to an object's head.
func with(o object, labels object) object {
	if meta, ok := o["metadata"].(object); ok {
		meta["labels"] = labels
	}
	return o
}

func namespace(name string, mesh bool) object {
	o := head("v1", "Namespace", "", name)
	if mesh {
		return with(o, object{"istio-injection": "enabled"})
	}
	return o
}

// NodeName is the name of a region's node, counted from 1.
func NodeName(region string, i int) string { return fmt.Sprintf("%s-%d", region, i) }

// nodes have a /24 of the pod network each, in the order of the regions.
func nodes(m spec.Mesh) []object {
	var all []object
	for _, r := range m.Regions {
		for i := range r.Nodes {
			all = append(all, Node(r, i+1, len(all)+1))
		}
	}
	return all
}

// Node is a node of a region: its number there, and in the whole cluster. Both count from 1.
func Node(r spec.Region, i, number int) object {
	name := NodeName(r.Name, i)
	o := with(head("v1", "Node", "", name), object{
		"kubernetes.io/hostname": name, labelRegion: r.Name, labelZone: name, "type": "kwok",
	})
	if meta, ok := o["metadata"].(object); ok {
		meta["annotations"] = object{AnnotationPrice: fmt.Sprintf("%g", r.Price)}
	}
	o["spec"] = object{"podCIDR": fmt.Sprintf("10.244.%d.0/24", number), "podCIDRs": []any{fmt.Sprintf("10.244.%d.0/24", number)}}
	return o
}
