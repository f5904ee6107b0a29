package objects

import (
	"github.com/weirmesh/weir/lab/spec"
)

// Host is the name that clients outside ask the gateway for.
func Host(lab spec.Lab) string { return lab.Name + ".lab" }

// routing returns subsets and weights of the services that have some, and the way from the gateway to the entry. There is one
// VirtualService for each service, so that a change of its weights holds for calls from inside and outside.
func routing(lab spec.Lab) []object {
	var all []object
	for _, s := range lab.Mesh.Services {
		if s.Weighted() {
			all = append(all, destinationRule(lab.Mesh, s))
		}
		if s.Weighted() || s.Name == lab.Mesh.Entry {
			all = append(all, virtualService(lab, s))
		}
	}
	return all
}

func destinationRule(m spec.Mesh, s spec.Service) object {
	o := head("networking.istio.io/v1", "DestinationRule", m.Namespace, s.Name)
	var subsets []any
	for _, v := range s.Versions {
		subsets = append(subsets, object{"name": v.Name, "labels": object{"version": v.Name}})
	}
	o["spec"] = object{"host": s.Name, "subsets": subsets}
	return o
}

func virtualService(lab spec.Lab, s spec.Service) object {
	o := head("networking.istio.io/v1", "VirtualService", lab.Mesh.Namespace, s.Name)
	var hosts, gateways []any
	if s.Weighted() {
		hosts, gateways = []any{s.Name}, []any{"mesh"}
	}
	spec := object{"http": []any{object{"route": routes(s)}}}
	if s.Name == lab.Mesh.Entry {
		hosts = append(hosts, Host(lab))
		spec["gateways"] = append(gateways, lab.Name)
	}
	spec["hosts"] = hosts
	o["spec"] = spec
	return o
}

func routes(s spec.Service) []any {
	if !s.Weighted() {
		return []any{object{"destination": object{"host": s.Name, "port": object{"number": int64(s.Port)}}}}
	}
	var all []any
	for _, v := range s.Versions {
		all = append(all, object{"destination": object{"host": s.Name, "subset": v.Name}, "weight": int64(v.Weight)})
	}
	return all
}

// gateway returns the ingress gateway, in the region of the entry's first version.
func gateway(lab spec.Lab) []object {
	m, selector := lab.Mesh, object{"app": Gateway, "istio": "ingressgateway"}
	entry, _ := m.Service(m.Entry)
	svc := with(head("v1", "Service", IstioNamespace, Gateway), selector)
	svc["spec"] = object{
		"selector": selector,
		"ports":    []any{object{"name": "http2", "port": int64(80), "targetPort": int64(GatewayPort), "protocol": "TCP"}},
	}
	labels := object{
		"app": Gateway, "istio": "ingressgateway", "security.istio.io/tlsMode": "istio",
		"service.istio.io/canonical-name": Gateway, "service.istio.io/canonical-revision": "latest",
	}
	proxies := with(head("apps/v1", "Deployment", IstioNamespace, Gateway), selector)
	proxies["spec"] = object{
		"replicas": int64(1),
		"selector": object{"matchLabels": selector},
		"template": pod(m, labels, entry.Versions[0].Region, object{
			"serviceAccountName": Gateway,
			"containers": []any{object{
				"name": "istio-proxy", "image": "weir-lab/envoy",
				"ports":     []any{object{"name": "http2", "containerPort": int64(GatewayPort), "protocol": "TCP"}},
				"resources": resources("100m", "128Mi", "2", "1Gi"),
			}},
		}),
	}
	way := head("networking.istio.io/v1", "Gateway", m.Namespace, lab.Name)
	way["spec"] = object{
		"selector": object{"istio": "ingressgateway"},
		"servers": []any{object{
			"port": object{"number": int64(80), "name": "http", "protocol": "HTTP"}, "hosts": []any{Host(lab)},
		}},
	}
	return []object{with(head("v1", "ServiceAccount", IstioNamespace, Gateway), selector), svc, proxies, way}
}
