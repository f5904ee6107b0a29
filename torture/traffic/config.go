// Package traffic makes telemetry of a service mesh, and the truth about it.
//
// A Generator yields OTLP requests block by block: the same Config gives the same requests, byte for byte, and a block needs nothing of
// the blocks before it, so memory does not grow with their number. Traces and their repeated spans stay within a block of BlockRequests
// requests. Whoever keeps a Gate between the sender and the requests therefore sends nothing that a join would have to remember for
// longer than it promises, whatever goes wrong in between.
//
// The truth is counted while the calls are made up, from what is meant by them. No code of the product that joins or counts takes part.
// Each block brings its own, and truths of blocks add up.
package traffic

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// BlockRequests is how many requests a block has at most. No trace reaches beyond its block.
const BlockRequests = 64

// Config says what is made. The rates lie in 0..1.
type Config struct {
	Seed            uint64
	Calls           int           // calls that arrive somewhere, all blocks together
	CallsPerRequest int           // on average; a call is about two spans
	Services        []Service     // callers first
	Start           time.Time     // event time of the first trace
	Span            time.Duration // event time between the first trace and the last
	Senders         int           // requests are dealt to so many senders in turn
	Tenant          string        // that the collector gives to all of it; counts are by tenant

	Duplicates float64 // spans that come again, unchanged, in a later request
	Scattered  float64 // spans that come in any request of their block, not in their turn
	Late       float64 // traces that happened up to MaxLate before their turn
	Skewed     float64 // instances whose host's clock is Skew ahead or behind
	Failing    float64 // calls that end as the callee's error
	Orphans    float64 // calls whose CLIENT span never comes: from an unknown caller, as far as anyone can tell
	Retries    float64 // calls that are marked as another attempt
}

// How far event times lie from where they belong.
const (
	MaxLate = time.Hour
	Skew    = 10 * time.Minute
)

// Service is one workload.
type Service struct {
	Name      string
	Namespace string
	Versions  int // v1, v2, ...
	Instances int // of each version
	GRPC      bool
	Entry     bool // calls from outside arrive here
	Calls     []Call
}

// Call is what a service asks of another one while it serves a call.
type Call struct {
	To    string
	Share float64 // how often, 0..1
	Kind  Kind
}

// Kind says which spans a call leaves.
type Kind int

// The ways to call.
const (
	Plain   Kind = iota // CLIENT span in the caller, SERVER span below it
	Named               // Plain, and the CLIENT span also declares its peer
	Bare                // no CLIENT span: the SERVER span is a child of the caller's SERVER span
	Peer                // CLIENT span with a declared peer that sends no spans, such as a database
	Proxied             // Peer, and the proxy beside the caller records the same call below it: still one call
)

// DefaultConfig is two hours of 30 workloads that end a little after midnight, with every trouble there is.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Calls: 100_000, CallsPerRequest: 360, Services: Services(30),
		Start: time.Date(2025, 3, 4, 22, 15, 0, 0, time.UTC), Span: 2 * time.Hour, Senders: 8,
		Duplicates: 0.01, Scattered: 0.05, Late: 0.02, Skewed: 0.1, Failing: 0.03, Orphans: 0.01, Retries: 0.02,
	}
}

// Services is a mesh of n workloads with three entries, of which each calls up to two others and every third one a database. A trace has
// some ten calls.
func Services(n int) []Service {
	name := func(i int) string { return fmt.Sprintf("svc-%02d", i) }
	out := make([]Service, n)
	for i := range out {
		s := Service{
			Name: name(i), Namespace: []string{"shop", "bank"}[i%2], Versions: 1 + i%3, Instances: 1 + (i+1)%2,
			GRPC: i%2 == 1, Entry: i < 3,
		}
		for k, to := range []int{2*i + 3, 2*i + 4} {
			if to < n {
				s.Calls = append(s.Calls, Call{To: name(to), Share: 0.85, Kind: []Kind{Plain, Named, Bare, Plain}[(i+k)%4]})
			}
		}
		if i%3 == 2 {
			s.Calls = append(s.Calls, Call{To: "db-" + s.Name, Share: 0.7, Kind: []Kind{Peer, Proxied}[i/3%2]})
		}
		out[i] = s
	}
	return out
}

// ErrConfig is wrapped by every error of New.
var ErrConfig = errors.New("traffic cannot be made of this configuration")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

func (c Config) validate() error {
	switch {
	case c.Calls < 1 || c.CallsPerRequest < 1 || c.Senders < 1:
		return bad("calls (%d), calls per request (%d) and senders (%d) must be at least 1", c.Calls, c.CallsPerRequest, c.Senders)
	case c.Span < 0:
		return bad("span %s is negative", c.Span)
	case c.Start.Add(-MaxLate-Skew).Unix() <= 0 || c.Start.Add(c.Span+Skew).Unix() >= math.MaxInt32:
		return bad("times around %s do not fit", c.Start)
	}
	for _, rate := range []float64{c.Duplicates, c.Scattered, c.Late, c.Skewed, c.Failing, c.Orphans, c.Retries} {
		if !(rate >= 0 && rate <= 1) {
			return bad("rate %v is not in 0..1", rate)
		}
	}
	return c.validateServices()
}

// validateServices lets services call only later ones, which keeps traces finite, and peers be nobody who sends spans, which would be two
// stories of one call.
func (c Config) validateServices() error {
	place, entries, instances := map[string]int{}, 0, 0
	for i, s := range c.Services {
		if _, twice := place[s.Name]; twice || s.Name == "" || s.Versions < 1 || s.Instances < 1 {
			return bad("service %q needs a name of its own, a version and an instance", s.Name)
		}
		place[s.Name] = i
		instances += s.Versions * s.Instances
		if s.Entry {
			entries++
		}
	}
	if entries == 0 || instances > maxPlaces/2 {
		return bad("%d entries and %d instances: one entry is needed, and at most %d instances", entries, instances, maxPlaces/2)
	}
	for i, s := range c.Services {
		for _, call := range s.Calls {
			to, known := place[call.To]
			if silent := call.Kind == Peer || call.Kind == Proxied; silent == known || known && to <= i {
				return bad("%s calls %s: must be a later service, or for Peer and Proxied no service at all", s.Name, call.To)
			}
		}
	}
	return nil
}
