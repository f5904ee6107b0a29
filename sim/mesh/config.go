package mesh

import "time"

// Config is a mesh and what happens to it. Shares and probabilities are 0..1.
type Config struct {
	Name      string
	Start     time.Time     // a whole minute
	Length    time.Duration // whole minutes; what is under way at the end still ends
	Cluster   string
	Namespace string
	Load      Load
	Services  []Service // callers before those they call
	Events    []Event
	Faults    []Fault
}

// End is when the last request may arrive.
func (c Config) End() time.Time { return c.Start.Add(c.Length) }

// Service is one workload.
type Service struct {
	Name       string        `yaml:"name"`
	Route      string        `yaml:"route"` // http.route of its calls; "" = /name
	Entry      float64       `yaml:"entry"` // its part of the arrivals, relative to that of other services
	Balancer   Balancer      `yaml:"balancer"`
	Queue      int           `yaml:"queue"`       // calls that may wait at an instance
	HoldWorker bool          `yaml:"hold_worker"` // a call keeps its worker while it waits for others
	StartLag   time.Duration `yaml:"start_lag"`   // how long a new instance takes to become ready
	Versions   []Version     `yaml:"versions"`
	Calls      []Call        `yaml:"calls"` // made one after the other
}

// Balancer chooses among the ready instances of a version.
type Balancer string

// The balancers.
const (
	LeastLoaded Balancer = "least_loaded" // the one with the fewest calls inside
	TwoChoices  Balancer = "two_choices"  // the better of two drawn at random
)

// Version is one version of a service. Its CPU limit is what its workers can use together.
type Version struct {
	Name        string        `yaml:"name"`
	Weight      float64       `yaml:"weight"` // percent of the service's calls, relative to other versions
	Replicas    int           `yaml:"replicas"`
	Workers     int           `yaml:"workers"`     // calls that an instance works on at once
	CPU         int           `yaml:"cpu"`         // CPU limit of an instance in thousandths of a core; only manifests tell it
	Work        time.Duration `yaml:"work"`        // mean time of a call's own work
	Variability Variability   `yaml:"variability"` // distribution of that time
	Spread      float64       `yaml:"spread"`      // its coefficient of variation, for lognormal
	ErrorRate   float64       `yaml:"error_rate"`
}

// Variability is how work varies from call to call.
type Variability string

// The distributions of work.
const (
	Lognormal   Variability = "lognormal"
	Exponential Variability = "exponential"
	Constant    Variability = "constant"
)

// Call is what a service asks of another one in each of its own calls.
type Call struct {
	To          string        `yaml:"to"`
	Probability float64       `yaml:"probability"`
	Timeout     time.Duration `yaml:"timeout"`  // of each attempt; 0 = none
	Attempts    int           `yaml:"attempts"` // 1 = no retries
	Backoff     time.Duration `yaml:"backoff"`  // mean pause before a retry
	Optional    bool          `yaml:"optional"` // the caller does without the answer
}

// Load is how many requests arrive, all entry services together.
type Load struct {
	Rate     float64    `yaml:"rate"`      // mean per second over a day, on a day of weekly factor 1, before growth and events
	Daily    float64    `yaml:"daily"`     // strength of the daily curve, see Curve; 0 = none
	PeakHour float64    `yaml:"peak_hour"` // hour of the day, UTC
	Weekly   [7]float64 `yaml:"weekly"`    // factor of each day, Monday first
	Growth   float64    `yaml:"growth"`    // per day: 0.02 = 2 % more each day, compounded
	Bursts   Bursts     `yaml:"bursts"`
	Series   []float64  `yaml:"-"` // if not nil: requests in each minute from Start instead of all this; NaN = minute without telemetry
}

// Bursts make the load change between calm and bursts at random, at the same mean. A Markov-modulated Poisson process of two states,
// see Fischer and Meier-Hellstern, The MMPP cookbook (1993).
type Bursts struct {
	Factor float64       `yaml:"factor"` // rate in a burst, times that between bursts; 0 = no bursts
	Length time.Duration `yaml:"length"` // mean length of a burst
	Every  time.Duration `yaml:"every"`  // mean time between bursts
}

// Event is something innocent that happens. Times count from the start; negative ones from the end.
type Event struct {
	Kind     EventKind     `yaml:"kind"`
	From     time.Duration `yaml:"from"`
	To       time.Duration `yaml:"to"`      // 0 = the end
	Factor   float64       `yaml:"factor"`  // of the load
	Service  string        `yaml:"service"` // the rest is for Scale
	Version  string        `yaml:"version"`
	Replicas int           `yaml:"replicas"`
}

// EventKind is a kind of Event.
type EventKind string

// The kinds of events.
const (
	Ramp       EventKind = "ramp"        // the load grows evenly from 1 to Factor between From and To, and stays there
	FlashCrowd EventKind = "flash_crowd" // the load is Factor times as high between From and To
	Scale      EventKind = "scale"       // somebody sets the replicas of a version at From
)

// Fault is something that goes wrong. Times count from the start; negative ones from the end.
type Fault struct {
	Kind      FaultKind     `yaml:"kind"`
	Service   string        `yaml:"service"` // "" = all, for TelemetryLoss
	Version   string        `yaml:"version"` // "" = all
	Share     float64       `yaml:"share"`   // of the instances there are at From, rounded up; 1 includes those that come later
	Collector int           `yaml:"collector"`
	From      time.Duration `yaml:"from"`
	To        time.Duration `yaml:"to"` // 0 = until the end
	Size      float64       `yaml:"size"`
}

// FaultKind is a kind of Fault.
type FaultKind string

// The kinds of faults, with the meaning of Size.
const (
	Latency       FaultKind = "latency"        // own time x Size; the added time is spent waiting (a lock, a slow disk), off the worker
	Slowdown      FaultKind = "slowdown"       // own work x Size, on the worker: capacity falls with it
	Errors        FaultKind = "errors"         // a share of Size of the calls fails with 500
	Crash         FaultKind = "crash"          // the instances are gone; new ones start at To
	Limiter       FaultKind = "limiter"        // a share of Size of the calls is refused with 429
	RetryStorm    FaultKind = "retry_storm"    // callers repeat each successful call Size times
	TelemetryLoss FaultKind = "telemetry_loss" // traffic flows, nothing is reported; Collector 1 or 2: all that report to that one
)

// Collectors is how many collectors the instances report to, in turn.
const Collectors = 2
