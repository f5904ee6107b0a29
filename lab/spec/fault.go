package spec

import "time"

// FaultKind names something that can be done to the mesh.
type FaultKind string

// Class says what kind of trouble a fault is, for those who score detection.
type Class string

// The classes.
const (
	Failure   Class = "failure"   // users suffer, or will
	Telemetry Class = "telemetry" // what is seen is wrong
	Attack    Class = "attack"    // somebody means harm
	Innocent  Class = "innocent"  // nothing is wrong
)

// The kinds. Size means what Kinds says.
const (
	Delay              FaultKind = "delay"
	Errors             FaultKind = "errors"
	CPUBurn            FaultKind = "cpu_burn"
	MemoryGrowth       FaultKind = "memory_growth"
	QueueGrowth        FaultKind = "queue_growth"
	DependencyTimeout  FaultKind = "dependency_timeout"
	RetryStorm         FaultKind = "retry_storm"
	Brownout           FaultKind = "brownout"
	BadRelease         FaultKind = "bad_release"
	BlackHole          FaultKind = "black_hole"
	RegionOutage       FaultKind = "region_outage"
	PriceChange        FaultKind = "price_change"
	LogOnly            FaultKind = "log_only"
	CollectorDown      FaultKind = "collector_down"
	ProxySilent        FaultKind = "proxy_silent"
	WrongClock         FaultKind = "wrong_clock"
	NewEdge            FaultKind = "new_edge"
	Exfiltration       FaultKind = "exfiltration"
	CredentialGuessing FaultKind = "credential_guessing"
	Scan               FaultKind = "scan"
	BotCrawl           FaultKind = "bot_crawl"
	Flood              FaultKind = "flood"
	FlashCrowd         FaultKind = "flash_crowd"
	Deploy             FaultKind = "deploy"
	NewEndpoint        FaultKind = "new_endpoint"
)

// Where a fault of a kind is carried out.
type Where string

// The places.
const (
	AtInstances Where = "instances" // the service process does it
	AtLoad      Where = "load"      // the load generator does it
	AtLab       Where = "lab"       // the lab does it: processes, telemetry, objects of the cluster
)

// KindInfo is what people need to know about a kind.
type KindInfo struct {
	Kind    FaultKind
	Class   Class
	Where   Where
	Target  string // which selectors it needs: "service", "service, version", "region", "service, to", ""
	Size    string // what Size means; "" = it has none
	Default float64
	Summary string
}

// Kinds lists every kind, in the order they are shown.
func Kinds() []KindInfo {
	return []KindInfo{
		{Delay, Failure, AtInstances, "service", "milliseconds added to each request", 200, "requests take longer, capacity stays"},
		{Errors, Failure, AtInstances, "service", "share of requests", 0.3, "requests fail with 500 (INTERNAL)"},
		{CPUBurn, Failure, AtInstances, "service", "factor on the work of a request", 3, "requests hold their slot longer: capacity falls"},
		{MemoryGrowth, Failure, AtInstances, "service", "MiB a second", 8, "the heap grows; collections stop all requests, longer and longer"},
		{QueueGrowth, Failure, AtInstances, "service", "factor on the time of a delivery", 10, "a queue delivers slower than it is filled"},
		{DependencyTimeout, Failure, AtInstances, "service, to", "share of the calls", 1, "calls to one dependency get no answer until they time out"},
		{RetryStorm, Failure, AtInstances, "service, to", "further attempts for each call", 3, "calls are made again though they were answered"},
		{Brownout, Failure, AtInstances, "service", "factor on the work of a request", 8, "one instance of the service becomes slow"},
		{BadRelease, Failure, AtInstances, "service, version", "share of failing requests; 0 = slow by 4 instead", 0.3, "a version fails, or is slow"},
		{BlackHole, Failure, AtInstances, "service, version", "share of requests", 1, "a version answers at once, with nothing: 200 and no bytes"},
		{RegionOutage, Failure, AtInstances, "region", "", 0, "instances of a region refuse every request with 503"},
		{PriceChange, Innocent, AtLab, "region", "the new price", 3, "instances of a region cost something else"},
		{LogOnly, Failure, AtInstances, "service", "share of requests", 0.5, "answers look well, only the log tells that they are wrong"},
		{CollectorDown, Telemetry, AtLab, "region", "", 0, "the collector of a region is killed, and comes back at the end"},
		{ProxySilent, Telemetry, AtLab, "service", "share of the instances", 1, "what proxies of a service report is refused"},
		{WrongClock, Telemetry, AtInstances, "service", "seconds the clock is ahead", 600, "an application's spans carry a wrong time"},
		{NewEdge, Attack, AtInstances, "service, to", "calls for each request", 1, "a service calls one it has never called"},
		{Exfiltration, Attack, AtInstances, "service", "KiB for each request", 256, "a service sends data to a host outside the mesh"},
		{CredentialGuessing, Attack, AtLoad, "", "requests a second", 20, "one client tries passwords: 401 after 401"},
		{Scan, Attack, AtLoad, "", "requests a second", 20, "one client asks for paths that do not exist: 404"},
		{BotCrawl, Attack, AtLoad, "", "requests a second", 20, "one client fetches every page in turn"},
		{Flood, Attack, AtLoad, "", "factor on the rate", 5, "a few clients ask for one page as fast as they can"},
		{FlashCrowd, Innocent, AtLoad, "", "factor on the rate", 3, "many more people come"},
		{Deploy, Innocent, AtLab, "service, version", "", 0, "the pods of a version are replaced, one after the other"},
		{NewEndpoint, Innocent, AtLoad, "", "share of the requests", 0.2, "people use a page that was not there before"},
	}
}

// Fault is something done to the mesh for a while.
type Fault struct {
	Kind     FaultKind     `yaml:"kind" json:"kind"`
	Service  string        `yaml:"service" json:"service,omitempty"`
	Version  string        `yaml:"version" json:"version,omitempty"`   // "" = all
	Instance string        `yaml:"instance" json:"instance,omitempty"` // a pod; "" = all
	Region   string        `yaml:"region" json:"region,omitempty"`
	To       string        `yaml:"to" json:"to,omitempty"` // a dependency of the service
	Size     float64       `yaml:"size" json:"size"`
	From     time.Duration `yaml:"from" json:"-"` // in a lab file: from the beginning of the load
	Length   time.Duration `yaml:"length" json:"-"`
}

// Truth is one line of truth.jsonl: what was done, where, and when. It is written when the fault begins (To zero) and again when it ended.
type Truth struct {
	ID        string    `json:"id"`
	Class     Class     `json:"class"`
	Fault     Fault     `json:"fault"`
	Instances []string  `json:"instances,omitempty"` // pods that were hit at the beginning
	Seed      uint64    `json:"seed"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
}
