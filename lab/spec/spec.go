// Package spec is the vocabulary of the lab: what a mesh, its load and its faults are, as a lab file describes them.
package spec

import "time"

// Lab is one lab file.
type Lab struct {
	Name   string  `yaml:"name"`
	Seed   uint64  `yaml:"seed"` // all chance of load, work and faults
	Mesh   Mesh    `yaml:"mesh"`
	Load   Load    `yaml:"load"`
	Faults []Fault `yaml:"faults"` // begin by themselves; others are set with `weir lab fault`
}

// Mesh is the cluster and what runs in it.
type Mesh struct {
	Namespace string        `yaml:"namespace"` // of all services
	Cluster   string        `yaml:"cluster"`
	StartLag  time.Duration `yaml:"start_lag"` // from a pod that serves to a pod that is Ready
	Regions   []Region      `yaml:"regions"`
	// RegionDelay is added, one way, to a call between two regions.
	RegionDelay time.Duration `yaml:"region_delay"`
	Services    []Service     `yaml:"services"`
	// Entry is the service that the ingress gateway routes to.
	Entry string `yaml:"entry"`
}

// Region is a place with nodes of its own.
type Region struct {
	Name  string  `yaml:"name"`
	Nodes int     `yaml:"nodes"`
	Price float64 `yaml:"price"` // of one instance for an hour, in the currency of your choice
}

// Protocol is how a service is spoken to.
type Protocol string

// The protocols.
const (
	HTTP Protocol = "http"
	GRPC Protocol = "grpc"
)

// Kind is what a service is like.
type Kind string

// The kinds of services.
const (
	Plain    Kind = "service"
	Database Kind = "database" // calls to it are database spans of the caller; a pool of connections bounds each caller
	Queue    Kind = "queue"    // takes messages at once and delivers them, in order, to the service named in Deliver
)

// Service is one workload with its Kubernetes Service.
type Service struct {
	Name      string     `yaml:"name"`
	Protocol  Protocol   `yaml:"protocol"`
	Kind      Kind       `yaml:"kind"`
	Port      int        `yaml:"port"`    // of the Kubernetes Service; instances listen on the same one
	VM        bool       `yaml:"vm"`      // one instance outside Kubernetes, known to Istio by a WorkloadEntry
	Deliver   string     `yaml:"deliver"` // of a queue: who gets the messages
	Versions  []Version  `yaml:"versions"`
	Endpoints []Endpoint `yaml:"endpoints"`
}

// Version is one Deployment of a service.
type Version struct {
	Name     string `yaml:"name"`
	Region   string `yaml:"region"`
	Replicas int    `yaml:"replicas"`
	Weight   int    `yaml:"weight"` // percent of the service's calls; all 0 = no VirtualService is made
	// Slots is how many requests an instance works on at once, Waiting how many more may wait; others are refused (503, UNAVAILABLE).
	Slots   int `yaml:"slots"`
	Waiting int `yaml:"waiting"`
	// Work is the mean time a request holds a slot, without its calls; Spread is its coefficient of variation (lognormal).
	Work   time.Duration `yaml:"work"`
	Spread float64       `yaml:"spread"`
	Errors float64       `yaml:"errors"` // share of requests that fail by themselves
}

// Endpoint is one thing a service can be asked for. For gRPC, Path is the method's full name, /package.Service/Method.
type Endpoint struct {
	Method string  `yaml:"method"`
	Path   string  `yaml:"path"`   // a template: {id} stands for one segment
	Weight float64 `yaml:"weight"` // of the entry service: its part of the load
	Calls  []Call  `yaml:"calls"`
	Bytes  int     `yaml:"bytes"` // of the response
}

// Call is what a service asks of another while it works on a request. Calls happen one after the other.
type Call struct {
	To       string        `yaml:"to"`
	Path     string        `yaml:"path"`  // the endpoint of the other; "" = its first
	Share    float64       `yaml:"share"` // of the requests that make this call; 0 means 1
	Timeout  time.Duration `yaml:"timeout"`
	Attempts int           `yaml:"attempts"` // after failures; 0 and 1 mean no retry
	Optional bool          `yaml:"optional"` // the caller's request does not fail with it
}

// Load is what comes in from outside, open loop: requests begin at their time whether or not others have been answered.
type Load struct {
	Rate  float64 `yaml:"rate"`  // mean requests a second
	Shape Shape   `yaml:"shape"` // "" = flat
	// Day is how long a day of the daily shape lasts; Peak is its highest rate over its mean.
	Day    time.Duration `yaml:"day"`
	Peak   float64       `yaml:"peak"`
	Rates  string        `yaml:"rates"` // of the shape recorded: CSV minute,count or ts,value, also .gz; scaled to Rate
	Step   time.Duration `yaml:"step"`  // of the shape recorded: how long one row lasts here; 0 = as recorded
	Crowds []Crowd       `yaml:"crowds"`
	// Timeout is when the client gives up on a request.
	Timeout time.Duration `yaml:"timeout"`
}

// Shape is how the rate changes with time.
type Shape string

// The shapes.
const (
	Flat     Shape = "flat"
	Daily    Shape = "daily"
	Recorded Shape = "recorded"
)

// Crowd multiplies the rate for a while.
type Crowd struct {
	At     time.Duration `yaml:"at"` // from the beginning of the load
	Length time.Duration `yaml:"length"`
	Factor float64       `yaml:"factor"`
}
