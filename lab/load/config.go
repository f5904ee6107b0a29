// Package load is the load generator of the lab: an open loop, as people outside are one. Each request begins at its scheduled time
// whatever became of the others, and its latency is measured from that time to the last byte of the answer, so that a mesh that stalls
// cannot hide it (coordinated omission). How late the generator itself was is measured too (lag).
//
// What is sent and when is decided by package schedule, what became of it is counted by package tally and in the lab's ledger.
package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Process is the name that the generator's ledger carries.
const Process = "load"

// DefaultInFlight is how many requests may be under way where the configuration does not say it.
const DefaultInFlight = 20_000

// Config is what the generator needs to know.
type Config struct {
	Load   spec.Load      `json:"load"`
	Seed   uint64         `json:"seed"`
	Entry  spec.Service   `json:"entry"`            // the service that is asked
	Target netip.AddrPort `json:"target"`           // where connections go: the ingress gateway
	Host   string         `json:"host"`             // of the requests
	Ledger string         `json:"ledger"`           // file
	Admin  netip.AddrPort `json:"admin"`            // where the generator is looked after: GET /counts, PUT /rate and others
	Faults []spec.Fault   `json:"faults,omitempty"` // that hold at the beginning
	Start  time.Time      `json:"start,omitzero"`   // of the schedule; what lies before the present is left out; zero = now

	// InFlight is how many requests may be under way, 0 = DefaultInFlight. What would exceed it is counted as not sent.
	InFlight int `json:"in_flight,omitempty"`

	// Progress gets a line each second; nil = nowhere.
	Progress io.Writer `json:"-"`
}

// ReadConfig reads the configuration from a file.
func ReadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the load's configuration: %w", err)
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return Config{}, fmt.Errorf("read the load's configuration %s: %w", path, err)
	}
	return c, nil
}

// DefaultTimeout is when a client gives up where the load does not say it.
const DefaultTimeout = 5 * time.Second

func (c Config) validate() error {
	var problems []error
	must := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	must(c.Entry.Name != "", "entry has a name")
	must(c.Target.IsValid() && c.Admin.IsValid(), "target and admin are addresses with ports")
	must(c.Host != "", "host is not empty")
	must(c.Ledger != "", "ledger names a file")
	must(c.Load.Timeout >= 0 && c.InFlight >= 0, "timeout and in_flight are not negative")
	return errors.Join(problems...)
}
