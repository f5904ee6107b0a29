package objects

import (
	"net/netip"

	"github.com/weirmesh/weir/lab/spec"
)

// service returns what a workload needs whatever its versions: an identity and a name.
func service(m spec.Mesh, s spec.Service) []object {
	svc := with(head("v1", "Service", m.Namespace, s.Name), object{"app": s.Name, "service": s.Name})
	svc["spec"] = object{
		"selector": object{"app": s.Name},
		"ports":    []any{object{"name": portName(s), "port": int64(s.Port), "targetPort": int64(s.Port), "protocol": "TCP"}},
	}
	return []object{with(head("v1", "ServiceAccount", m.Namespace, s.Name), object{"account": s.Name}), svc}
}

// portName tells Istio the protocol: https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
func portName(s spec.Service) string { return string(s.Protocol) + "-api" }

// podLabels are what a user writes, and what Istio's injector adds.
func podLabels(service, version string) object {
	return object{
		"app": service, "version": version,
		"security.istio.io/tlsMode":           "istio",
		"service.istio.io/canonical-name":     service,
		"service.istio.io/canonical-revision": version,
	}
}

func deployment(m spec.Mesh, s spec.Service, v spec.Version) object {
	labels := object{"app": s.Name, "version": v.Name}
	o := with(head("apps/v1", "Deployment", m.Namespace, s.Name+"-"+v.Name), labels)
	o["spec"] = object{
		"replicas": int64(v.Replicas),
		"selector": object{"matchLabels": labels},
		"template": pod(m, podLabels(s.Name, v.Name), v.Region, object{
			"serviceAccountName": s.Name,
			"containers": []any{object{
				"name": "app", "image": "weir-lab/service",
				"ports":     []any{object{"name": portName(s), "containerPort": int64(s.Port), "protocol": "TCP"}},
				"resources": resources("100m", "64Mi", "500m", "256Mi"),
			}},
		}),
	}
	return o
}

// pod is the template of a Deployment's pods: the containers stand for processes that the lab runs.
func pod(m spec.Mesh, labels object, region string, spec object) object {
	spec["nodeSelector"] = object{labelRegion: region}
	return object{
		"metadata": object{"labels": labels, "annotations": object{AnnotationStartLag: m.StartLag.String()}},
		"spec":     spec,
	}
}

func resources(cpu, memory, cpuLimit, memoryLimit string) object {
	return object{
		"requests": object{"cpu": cpu, "memory": memory},
		"limits":   object{"cpu": cpuLimit, "memory": memoryLimit},
	}
}

// workloadEntry is a VM that the service's selector finds.
func workloadEntry(m spec.Mesh, s spec.Service, v spec.Version, at netip.Addr) object {
	labels := podLabels(s.Name, v.Name)
	o := with(head("networking.istio.io/v1", "WorkloadEntry", m.Namespace, s.Name+"-"+v.Name),
		object{"app": s.Name, "version": v.Name, LabelVM: "true"})
	o["spec"] = object{
		"address": at.String(), "labels": labels, "serviceAccount": s.Name, "locality": v.Region + "/" + NodeName(v.Region, 1),
	}
	return o
}
