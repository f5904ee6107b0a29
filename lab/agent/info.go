package agent

import "net/netip"

// State is how far an instance is.
type State string

// The states of an instance.
const (
	Starting State = "starting" // its processes do not all serve yet, or no longer
	Serving  State = "serving"
	Leaving  State = "leaving" // its pod is gone; it serves until everybody knows
)

// Instance is one pod or virtual machine whose processes the agent runs.
type Instance struct {
	Pod       string // its name; of a virtual machine that of its WorkloadEntry
	Namespace string
	Service   string // "" = a gateway, which is only a proxy
	Version   string
	Region    string
	VM        bool
	IP        netip.Addr     // as the cluster knows it
	Admin     netip.AddrPort // of the service process; not valid for a gateway
	Envoy     netip.AddrPort // of the proxy's administration
	State     State
	Processes []Process
}

// Process is one of an instance's programs.
type Process struct {
	Name   string
	Role   Role
	Pid    int // 0 while it does not run
	Starts int // 1 = never restarted
}

// Role is what a process of an instance is.
type Role string

// The roles of processes.
const (
	App   Role = "app"
	Proxy Role = "proxy"
)
