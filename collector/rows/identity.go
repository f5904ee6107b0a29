package rows

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/weirmesh/weir/schemas"
)

// workloadKeys name a workload whose SDK left service.name out, the first that is there.
func workloadKeys() [5]string {
	return [...]string{"k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name"}
}

// instanceKeys name one instance of a workload, the first that is there: a recording may know only the pod's name.
func instanceKeys() [5]string {
	return [...]string{"service.instance.id", "k8s.pod.uid", "k8s.pod.name", "container.id", "host.name"}
}

// origin returns who a resource says it is, in its own words, see fit. It never names the outside or the unknown caller: those are no
// senders.
func (c *Converter) origin(resource pcommon.Resource) schemas.Origin {
	a := attributes(resource.Attributes())
	o := schemas.Origin{
		Workload: schemas.Workload{
			Tenant:    c.tenant,
			Cluster:   a.first("k8s.cluster.name"),
			Region:    a.first("cloud.region"),
			Namespace: a.first("k8s.namespace.name", "service.namespace"),
			Name:      a.first("service.name"),
			Version:   a.first("service.version"),
		},
	}
	instances := instanceKeys()
	o.Instance = a.first(instances[:]...)
	if o.Name == "" || o.Name == schemas.UnknownCaller || strings.HasPrefix(o.Name, schemas.UnknownService) {
		workloads := workloadKeys()
		o.Name = a.first(workloads[:]...)
	}
	if o.Name == "" || o.Name == schemas.UnknownCaller {
		o.Name = schemas.UnknownService
	}
	return o
}

// fit returns an origin whose names are fit to be names.
func fit(o schemas.Origin) schemas.Origin {
	o.Cluster, o.Region, o.Namespace = name(o.Cluster), name(o.Region), name(o.Namespace)
	o.Name, o.Version, o.Instance = name(o.Name), name(o.Version), instanceName(o.Instance)
	return o
}

type attributes pcommon.Map

// first returns the first of the attributes that is there and not empty.
func (a attributes) first(keys ...string) string {
	for _, key := range keys {
		if v, ok := pcommon.Map(a).Get(key); ok {
			if s := text(v); s != "" {
				return s
			}
		}
	}
	return ""
}
