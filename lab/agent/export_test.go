package agent

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What tests look at without running anything.

// Bootstrap returns the proxy's configuration and the environment variable beside it of a pod or a WorkloadEntry.
func (a *Agent) Bootstrap(o, node *unstructured.Unstructured, relay netip.AddrPort) (text []byte, attributes string, err error) {
	a.relay = relay.String()
	nodes := map[string]map[string]string{node.GetName(): node.GetLabels()}
	w, ok := fromPod(o, nodes, a.cfg.Lab.Mesh)
	if o.GetKind() == "WorkloadEntry" {
		w, ok = fromEntry(o, a.cfg.Lab.Mesh)
	}
	if !ok {
		return nil, "", nil
	}
	i, err := a.instance(w)
	if err != nil {
		return nil, "", err
	}
	text, err = i.bootstrap()
	return text, i.attributes(), err
}

// Held is which faults hold at an instance.
var Held = held
