package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Headers (metadata of gRPC) between services of the lab.
const (
	HeaderRequestID = "x-request-id"   // passed on as it came
	HeaderCaller    = "x-lab-caller"   // the calling service; none = from outside
	HeaderRegion    = "x-lab-region"   // the caller's region
	HeaderPassword  = "x-lab-password" // endpoints that end in /login want RightPassword, else they answer 401
	HeaderAnswered  = "x-lab-answered" // of an answer (trailer of gRPC): the instance that gave it
)

// RightPassword is what endpoints that end in /login want in HeaderPassword.
const RightPassword = "right"

// ExfiltrationHost is the host outside the mesh that the fault exfiltration sends data to.
const ExfiltrationHost = "files.example.com"

// Config is what one instance needs to know.
type Config struct {
	Service spec.Service   `json:"service"`
	Version spec.Version   `json:"version"` // the one that this instance runs
	All     []spec.Service `json:"all"`     // how others are spoken to

	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	Region    string `json:"region"`
	Pod       string `json:"pod"` // the instance's name

	RegionDelay time.Duration `json:"region_delay"` // one way, of a call from another region
	Seed        uint64        `json:"seed"`         // of the lab; an instance's chance depends on it and on Pod

	Listen    netip.Addr     `json:"listen"`    // serves here, on the service's port, and connects to others from here
	Outbound  netip.Addr     `json:"outbound"`  // others are reached here, on their service's port
	Admin     netip.AddrPort `json:"admin"`     // see Gauges, Applied
	Telemetry netip.AddrPort `json:"telemetry"` // OTLP/gRPC
	Ledger    string         `json:"ledger"`    // file
	Internet  netip.AddrPort `json:"internet"`  // where the proxy takes what goes to hosts outside the mesh; the service does not connect to it

	Faults []spec.Fault  `json:"faults,omitempty"` // that hold at the beginning
	Finish time.Duration `json:"finish,omitempty"` // how long a stop waits for requests under way and queued messages; 0 = 8 s
}

// ReadConfig reads the configuration of an instance from a file.
func ReadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the instance's configuration: %w", err)
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return Config{}, fmt.Errorf("read the instance's configuration %s: %w", path, err)
	}
	return c, nil
}

func (c Config) validate() error {
	var problems []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	must(c.Service.Name != "" && c.Pod != "", "an instance has a service and a name, not %q and %q", c.Service.Name, c.Pod)
	must(c.Service.Port > 0 && c.Service.Port < 1<<16, "port %d is none", c.Service.Port)
	must(c.Version.Slots > 0, "slots %d: an instance works on at least one request at a time", c.Version.Slots)
	must(c.Version.Waiting >= 0 && c.Version.Work >= 0 && c.Version.Spread >= 0, "waiting, work and spread are not negative")
	must(c.Listen.IsValid() && c.Outbound.IsValid() && c.Admin.IsValid() && c.Telemetry.IsValid(),
		"listen, outbound, admin and telemetry are addresses")
	must(c.Ledger != "", "ledger names a file")
	for _, name := range c.Service.Calls() {
		_, known := c.callee(name)
		must(known, "it calls %s, which is not among all services", name)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("configuration of instance %s: %w", c.Pod, err)
	}
	return nil
}

func (c Config) callee(name string) (spec.Service, bool) {
	return spec.Mesh{Services: c.All}.Service(name)
}
