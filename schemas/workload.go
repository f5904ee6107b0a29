package schemas

import (
	"fmt"
	"strings"
)

// Names that mean something other than themselves where a workload's name stands.
const (
	// Outside names the caller of a call that entered the mesh: nobody inside sent it.
	Outside = ""
	// UnknownCaller names the caller of a call whose other end was never seen.
	UnknownCaller = "?"
	// UnknownService is what OpenTelemetry SDKs call a service nobody named.
	UnknownService = "unknown_service"
	// Overflow stands for all names that a collector did not let through because there were too many, at the level that was full:
	// a workload, version, instance, peer or metric. No sender can choose it. Nothing acts on it.
	Overflow = "~overflow"
)

// MaxName is the longest name, in bytes, that Weir keeps of anything a sender may choose. Kubernetes allows 253.
const MaxName = 253

// Workload is one service of the mesh at one version: what windows are counted for. It is comparable, so it can be a map key.
// Version "" means that the version is not known.
type Workload struct {
	Tenant, Cluster, Region, Namespace, Name, Version string
}

// Key names the workload without its version and region: cluster/namespace/name.
func (w Workload) Key() string {
	return w.Cluster + "/" + w.Namespace + "/" + w.Name
}

// Overflowed reports whether the workload or its version is not one, but all that were too many.
func (w Workload) Overflowed() bool { return w.Name == Overflow || w.Version == Overflow }

// Origin is the place a record comes from: one instance (a pod, a process, a machine) of a workload.
// Instance "" means that the sender did not say; all such records of a workload then count as one instance.
type Origin struct {
	Workload
	Instance string
}

// Evidence says which kind of record counted a call. The values are bits, so that a window can name every kind it holds.
type Evidence uint8

// The kinds of evidence, the most trusted first.
const (
	ServerProxy Evidence = 1 << iota
	ServerSpan
	ClientProxy
	ClientSpan
)

// EvidenceNames lists the public names of the evidence bits, lowest bit first.
func EvidenceNames() []string {
	return []string{"server_proxy", "server_span", "client_proxy", "client_span"}
}

// String joins the names of all bits that are set with a comma.
func (e Evidence) String() string {
	var names []string
	for i, name := range EvidenceNames() {
		if e&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// Source is one partition of one topic of one broker: the unit in which messages are ordered and counts are marked.
type Source struct {
	// Incarnation identifies the broker's log. It changes when the log is made anew, so that old marks never hide new messages.
	Incarnation string
	Topic       string
	Partition   int
}

// String is the name under which the store keeps the source's marks.
func (s Source) String() string {
	return fmt.Sprintf("%s@%s/%d", s.Topic, s.Incarnation, s.Partition)
}
