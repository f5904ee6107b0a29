package doctor

import "time"

// Facts are what was gathered. A nil part could not be learnt, or does not belong to the deployment.
type Facts struct {
	Now       time.Time // by this machine's clock
	Settings  Settings
	Keys      []Key
	Host      Host
	Endpoints []Endpoint
	Kafka     *Kafka
	Store     *Store
	Flow      *Flow
	Telemetry *Telemetry
	Probe     *Probe
}

// Settings are the values of the configuration that have to fit together.
type Settings struct {
	KafkaRetention, StoreRetention time.Duration
	PlainText                      []string // keys of listeners that speak plain text beyond loopback
	MemoryMiB                      int      // what the embedded engine and the collector may take together
}

// Key is one key file, or a set of trusted ones.
type Key struct {
	Role  string // signing, trusted
	Path  string
	Found bool
	Err   string // why it cannot be used; empty = it can
}

// Host is this machine.
type Host struct {
	DataDir             string
	DiskFree, DiskTotal uint64 // bytes of the data directory's file system; 0 total = not known
	OpenFiles           uint64 // limit of this process; 0 = not known
	MemoryLimit         uint64 // bytes, of the control group; 0 = none, or not known
}

// Endpoint is one address that was tried.
type Endpoint struct {
	Name, Address string
	ResolveErr    string // the name is not known
	DialErr       string // nobody answers
	TLS           bool
	TLSErr        string    // the handshake, or the certificate for that name
	Expires       time.Time // of the certificate; zero = not seen
}

// Kafka is what the cluster says.
type Kafka struct {
	Err       string // it could not be asked; the rest is empty then
	ClusterID string
	Topics    []Topic
	Groups    []Group
	// Ahead is how far the newest word on weir.progress lies ahead of this machine's clock; 0 = not ahead.
	Ahead time.Duration
}

// Topic is one topic as it should be and as it is.
type Topic struct {
	Name                               string
	Missing                            bool
	Partitions, Want, Recorded         int // Recorded: with which its windows were counted; 0 = none yet
	Replication, WantReplication       int
	InSync, MinInSync                  int
	Retention, WantRetention           time.Duration
	RetentionUnlimited, RetentionKnown bool
	Cleanup                            string // cleanup.policy; "" = not known
	MaxBytes, LeastBytes               int64  // max.message.bytes, and what a batch of the collector may need; 0 = not known
}

// Group is a consumer group.
type Group struct {
	Name, Stage string
	Committed   bool
	Members     int
	Lag         int64
}

// Store is what ClickHouse says.
type Store struct {
	Err                string // it could not be asked; the rest is empty then
	Version            string
	Schema, WantSchema int
	MissingFunctions   []string
	MarksErr           string
	Retention          time.Duration // of 10 s windows; 0 = not known
	MaxParts, LimitOf  int           // parts of the fullest partition; the limit at which inserts fail
	MaxPartsIn         string
	DiskFree, DiskAll  uint64        // bytes of its disk
	StuckMutations     []string      // table: reason
	Ahead              time.Duration // its clock against this machine's
	Uncertainty        time.Duration // of Ahead: half the time of the question
}

// Flow is how data passes, as `weir status` sees it.
type Flow struct {
	LastData time.Time // of telemetry in the log; zero = none yet
	// Watermark is the event time that all telemetry has passed; zero = none yet.
	Watermark time.Time
	Silent    []string // hops through which nothing has passed for a while
	Behind    []string // deciders that are behind, in words
	Lag       int64
	LagMoved  bool // more became durable while it was watched
}

// Telemetry is what came in, counted over what was stored in the last hour.
type Telemetry struct {
	Spans, Duplicates, Orphans, Missing, Calls, Observed uint64
	Weighted                                             bool // some record stood for more than one call
	Skewed                                               uint64
	Ahead                                                []string // workloads with windows in the future of ClickHouse's clock
	Unnamed                                              uint64   // calls of workloads that say no name
	Gaps                                                 uint64   // in which telemetry is missing for certain
	Letters                                              []Letters
}

// Letters are dead letters of one reason.
type Letters struct {
	Stage, Reason string
	Count         int
	Last          time.Time
}

// Probe is what became of the synthetic trace.
type Probe struct {
	Stuck string // the hop it did not get past; empty = it came through
	Err   string
	Took  time.Duration
}
