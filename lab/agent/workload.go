package agent

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/spec"
)

// key tells instances apart. A pod that is made anew under its old name is another one.
type key struct {
	namespace, name string
	uid             types.UID
}

// workload is one instance as the cluster wants it.
type workload struct {
	key
	address netip.Addr
	service string // "" = a gateway
	version string
	owner   string // name of the Deployment, or of the WorkloadEntry
	account string
	region  string
	zone    string
	labels  map[string]string
	vm      bool
}

// fromPod reads a pod; false if nothing has to run for it. nodes maps names to labels.
func fromPod(pod *unstructured.Unstructured, nodes map[string]map[string]string, m spec.Mesh) (workload, bool) {
	labels := pod.GetLabels()
	service, ok := runs(pod.GetNamespace(), labels, m)
	address, err := netip.ParseAddr(text(pod, "status", "podIP"))
	phase := text(pod, "status", "phase")
	if !ok || err != nil || pod.GetDeletionTimestamp() != nil || phase == "Succeeded" || phase == "Failed" {
		return workload{}, false
	}
	node := nodes[text(pod, "spec", "nodeName")]
	return workload{
		key:     key{namespace: pod.GetNamespace(), name: pod.GetName(), uid: pod.GetUID()},
		address: address, service: service, version: labels["version"], owner: owner(pod), account: text(pod, "spec", "serviceAccountName"),
		region: node["topology.kubernetes.io/region"], zone: node["topology.kubernetes.io/zone"], labels: labels,
	}, true
}

// runs returns which service a pod is, by its label app; "" and true is a gateway.
func runs(namespace string, labels map[string]string, m spec.Mesh) (service string, ok bool) {
	if labels["istio"] == "ingressgateway" {
		return "", true
	}
	s, ok := m.Service(labels["app"])
	return s.Name, ok && namespace == m.Namespace
}

// owner returns the name of the Deployment that a pod belongs to, else its own.
func owner(pod *unstructured.Unstructured) string {
	for _, o := range pod.GetOwnerReferences() {
		if o.Kind == "ReplicaSet" {
			return strings.TrimSuffix(o.Name, "-"+pod.GetLabels()["pod-template-hash"])
		}
	}
	return pod.GetName()
}

// fromEntry reads a WorkloadEntry; false if it is none that the agent runs.
func fromEntry(entry *unstructured.Unstructured, m spec.Mesh) (workload, bool) {
	labels, _, _ := unstructured.NestedStringMap(entry.Object, "spec", "labels")
	service, ok := runs(entry.GetNamespace(), labels, m)
	address, err := netip.ParseAddr(text(entry, "spec", "address"))
	if !ok || err != nil || service == "" || entry.GetLabels()[objects.LabelVM] != "true" || entry.GetDeletionTimestamp() != nil {
		return workload{}, false
	}
	region, zone, _ := strings.Cut(text(entry, "spec", "locality"), "/")
	return workload{
		key:     key{namespace: entry.GetNamespace(), name: entry.GetName(), uid: entry.GetUID()},
		address: address, service: service, version: labels["version"], owner: entry.GetName(), account: text(entry, "spec", "serviceAccount"),
		region: region, zone: zone, labels: labels, vm: true,
	}, true
}

// text returns the string at a path; "" if there is none.
func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
