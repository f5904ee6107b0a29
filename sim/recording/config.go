// Package recording makes recordings of a service mesh's traffic, damages recordings in known ways, and counts the
// calls in a recording by an independent and simple program.
//
// It is the other side of tests of the pipeline: nothing here may import the code that reads, joins or counts for the
// product, so that a mistake there is not repeated here. Only the standard library is used, and everything of a
// recording is kept in memory (about 200 bytes a span).
//
// It promises: the same Config gives byte-identical files; Mutate with the same seed gives the same files. Times are
// nanoseconds since the Unix epoch.
package recording

import (
	"errors"
	"fmt"
	"time"
)

// Config says what Generate makes. The fractions lie in 0..1.
type Config struct {
	Seed     uint64
	Calls    int       // generate at least this many calls that arrive somewhere
	Start    time.Time // first minute; used in UTC
	Minutes  int       // length; a Nezha folder holds one day, so Start + Minutes must not cross midnight
	Services []Service

	Duplicates float64 // rows that occur again in the neighbouring minute
	Orphans    float64 // calls whose caller's span is missing
	Late       float64 // rows that arrive an hour later
	Skewed     float64 // pods whose clock is wrong by a second to an hour, either way
	Backwards  float64 // spans that end before they start
	Failing    float64 // calls that fail
}

// Service is one workload of the generated mesh.
type Service struct {
	Name  string
	Pods  int           // with two or more, the last one runs v2
	GRPC  bool          // else HTTP
	Work  time.Duration // mean time of its own
	Entry float64       // share of the outside requests that arrive here
	Calls []Call        // made one after the other
}

// Call is what a service asks of another one.
type Call struct {
	To    string
	Share float64 // how often, 0..1
	Kind  CallKind
}

// CallKind says how a call is seen in the recording.
type CallKind int

// The ways to call.
const (
	Plain   CallKind = iota // CLIENT span in the caller, SERVER span below it
	Bare                    // no CLIENT span: the SERVER span is a child of the caller's SERVER span
	Named                   // Plain, and the CLIENT span also declares its peer
	Peer                    // CLIENT span with a declared peer that sends no spans, e.g. a database
	Message                 // PRODUCER and CONSUMER, possibly seconds later
)

// DefaultConfig is a small day with a little of every trouble.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Calls: 20000, Start: time.Date(2025, 3, 4, 9, 0, 0, 0, time.UTC), Minutes: 10, Services: DefaultServices(),
		Duplicates: 0.01, Orphans: 0.005, Late: 0.002, Skewed: 0.1, Backwards: 0.001, Failing: 0.01,
	}
}

// DefaultServices is a shop of ten services, callers first.
func DefaultServices() []Service {
	ms := time.Millisecond
	return []Service{
		{Name: "front", Pods: 4, Work: 4 * ms, Entry: 0.9, Calls: []Call{
			{"catalog", 0.9, Plain},
			{"currency", 0.7, Plain},
			{"cart", 0.5, Named},
			{"recommend", 0.4, Plain},
			{"ads", 0.6, Bare},
			{"checkout", 0.08, Plain},
		}},
		{Name: "mobile-api", Pods: 2, Work: 3 * ms, Entry: 0.1, Calls: []Call{{"catalog", 0.8, Plain}, {"cart", 0.5, Plain}}},
		{Name: "recommend", Pods: 2, GRPC: true, Work: 5 * ms, Calls: []Call{{"catalog", 1, Bare}}},
		{Name: "checkout", Pods: 2, GRPC: true, Work: 8 * ms, Calls: []Call{
			{"cart", 1, Plain}, {"currency", 1, Plain}, {"payment", 1, Plain}, {"mail", 0.95, Message},
		}},
		{Name: "catalog", Pods: 3, GRPC: true, Work: 2 * ms, Calls: []Call{{"catalog-db", 0.8, Peer}}},
		{Name: "currency", Pods: 2, GRPC: true, Work: 1 * ms},
		{Name: "cart", Pods: 3, GRPC: true, Work: 2 * ms, Calls: []Call{{"cart-cache", 1, Peer}}},
		{Name: "ads", Pods: 2, GRPC: true, Work: 3 * ms},
		{Name: "payment", Pods: 2, Work: 20 * ms, Calls: []Call{{"ledger-db", 1, Peer}}},
		{Name: "mail", Pods: 1, Work: 40 * ms},
	}
}

// ErrConfig is wrapped by every error of Validate.
var ErrConfig = errors.New("bad configuration")

// Validate says whether Generate can work with c.
func (c Config) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	day := c.Start.UTC().Truncate(24 * time.Hour)
	switch {
	case c.Calls < 1 || c.Minutes < 1:
		return bad("%d calls in %d minutes", c.Calls, c.Minutes)
	case c.Start.Unix() < 7200:
		return bad("start %s leaves no room for clocks that are slow", c.Start)
	case c.Start.UTC().Add(time.Duration(c.Minutes) * time.Minute).After(day.Add(24 * time.Hour)):
		return bad("%d minutes from %s cross midnight", c.Minutes, c.Start.UTC().Format("15:04"))
	}
	for _, f := range []float64{c.Duplicates, c.Orphans, c.Late, c.Skewed, c.Backwards, c.Failing} {
		if !(f >= 0 && f <= 1) {
			return bad("fraction %v is not in 0..1", f)
		}
	}
	return c.validateServices(bad)
}

// validateServices allows calls only to services further down, which keeps call trees finite.
func (c Config) validateServices(bad func(string, ...any) error) error {
	place := map[string]int{}
	entry := 0.0
	for i, s := range c.Services {
		if _, twice := place[s.Name]; twice || s.Name == "" || s.Pods < 1 {
			return bad("service %q needs a name of its own and a pod", s.Name)
		}
		place[s.Name] = i
		entry += s.Entry
	}
	if !(entry > 0) {
		return bad("no service has an entry share")
	}
	for i, s := range c.Services {
		for _, call := range s.Calls {
			if to, known := place[call.To]; call.Kind != Peer && (!known || to <= i) {
				return bad("%s calls %s, which is not a later service", s.Name, call.To)
			}
		}
	}
	return nil
}
