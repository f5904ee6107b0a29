// Package control is how commands speak with a running lab: HTTP and JSON over a unix socket in its folder.
package control

import (
	"time"

	"github.com/weirmesh/weir/lab/dial"
	"github.com/weirmesh/weir/lab/spec"
)

// Socket is the name of the socket in the lab's folder.
const Socket = "control.sock"

// Phase is how far a lab is.
type Phase string

// The phases of a lab.
const (
	Starting Phase = "starting"
	Ready    Phase = "ready"
	Failed   Phase = "failed" // it is stopping because of Status.Error
	Stopping Phase = "stopping"
)

// Status is what a lab is doing.
type Status struct {
	Phase     Phase             `json:"phase"`
	Error     string            `json:"error,omitempty"`
	Name      string            `json:"name"`
	Started   time.Time         `json:"started"`
	Ready     time.Time         `json:"ready,omitzero"`
	Steps     []Step            `json:"steps"`
	Parts     []Part            `json:"parts"`
	Instances []Instance        `json:"instances"`
	Faults    []dial.Held       `json:"faults"`
	Addresses map[string]string `json:"addresses"` // what for -> host:port or path
	Recording string            `json:"recording,omitempty"`
}

// Step is one thing a lab does while it starts.
type Step struct {
	Name  string    `json:"name"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
}

// Part is one process.
type Part struct {
	Name   string        `json:"name"`
	Role   Role          `json:"role"`
	PID    int           `json:"pid"`
	CPU    time.Duration `json:"cpu"` // since it started
	Memory uint64        `json:"memory"`
	Starts int           `json:"starts"` // 1 = never restarted
}

// Role is what a process is for, when CPU time is added up.
type Role string

// The roles of processes.
const (
	ControlPlane Role = "control plane"
	Proxy        Role = "proxy"
	Service      Role = "service"
	Weir         Role = "weir"
	Load         Role = "load"
)

// Instance is one instance of a service.
type Instance struct {
	Pod       string `json:"pod"`
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Version   string `json:"version"`
	Region    string `json:"region"`
	Address   string `json:"address"` // as the cluster sees it
	Inbound   string `json:"inbound"` // where that is on loopback
	State     string `json:"state"`
}

// NewFault asks for a fault. Length 0 lasts until it is ended.
type NewFault struct {
	spec.Fault
	Length time.Duration `json:"length"`
}

// Recorded says where a recording is and what it holds.
type Recorded struct {
	Dir      string            `json:"dir"`
	Requests map[string]uint64 `json:"requests"` // by signal
	Bytes    uint64            `json:"bytes"`    // compressed
}

// Fault is a fault that holds or held.
type Fault = dial.Held
