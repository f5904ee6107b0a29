// Package names bounds how many different names a collector lets through: of workloads, their versions and instances, of peers and series,
// and of days. Whatever is invented, what is behind the collector holds no more of them than the limits say.
//
// While there is room, every name is admitted. When a level is full, a source that holds fewer names than another still gets room. Names that
// came once make room first: of whoever holds the most of them, or those older than five minutes. Names that come again stay; only one that
// was not used for a minute, of whoever holds the most, makes room for others, and one that was not used for an hour is forgotten. So whoever
// invents names competes with his like, behind however many connections. A source is a connection.
//
// A Table keeps hashes of names, never the names, so its memory does not depend on how long they are. What it answers depends on the
// sequence of questions alone: times come in as arguments. It is safe for concurrent use.
package names

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Level is a kind of name.
type Level uint8

// The kinds of names that are bounded.
const (
	Workload Level = iota
	Version
	Instance
	Peer
	Series
	Day
	levels
)

// String is the name of the level in metrics and logs.
func (l Level) String() string {
	return [...]string{"workload", "version", "instance", "peer", "series", "day"}[l%levels]
}

// Counts is a number for each level.
type Counts [levels]int

// Set is a set of levels.
type Set uint8

// SetOf returns the set of one level.
func SetOf(l Level) Set { return 1 << l }

// Has reports whether l is in the set.
func (s Set) Has(l Level) bool { return s&(1<<l) != 0 }

// Count adds one to the count of each level in the set.
func (s Set) Count(to *Counts) {
	for l := range levels {
		if s.Has(l) {
			to[l]++
		}
	}
}

// Limits says how many names are known at a time. Of versions, twice as many as of workloads are, and of peers as many.
type Limits struct {
	Workloads, Instances, Series int
	Days                         int // that events are from, besides now: each is a partition of every table of the store
}

// DefaultLimits are those of a large mesh.
func DefaultLimits() Limits {
	return Limits{Workloads: 10_000, Instances: 50_000, Series: 100_000, Days: 32}
}

// Table knows the names that are admitted.
type Table struct {
	seed maphash.Seed

	mu     sync.Mutex // guards levels
	levels [levels]level
}

// New returns an empty table.
func New(l Limits) *Table {
	t := &Table{seed: maphash.MakeSeed()}
	for at, most := range [levels]int{
		Workload: l.Workloads, Version: 2 * l.Workloads, Instance: l.Instances, Peer: l.Workloads, Series: l.Series, Day: l.Days,
	} {
		t.levels[at] = newLevel(most)
	}
	return t
}

// under is a name below another, which is hashed.
type under struct {
	above uint64
	name  string
}

// Origin returns o with schemas.Overflow in place of what is not admitted, and the levels that were not. Without a workload nothing of it
// is kept but the tenant, which the sender does not choose.
func (t *Table) Origin(source string, now time.Time, o schemas.Origin) (schemas.Origin, Set) {
	unversioned := o.Workload
	unversioned.Version = ""
	workload := maphash.Comparable(t.seed, unversioned)
	version, instance := maphash.Comparable(t.seed, under{workload, o.Version}), maphash.Comparable(t.seed, under{workload, o.Instance})
	var over Set
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.levels[Workload].admit(workload, source, now) {
		return schemas.Origin{Workload: schemas.Workload{Tenant: o.Tenant, Name: schemas.Overflow}}, 1 << Workload
	}
	if o.Version != "" && !t.levels[Version].admit(version, source, now) {
		o.Version, over = schemas.Overflow, over|1<<Version
	}
	if o.Instance != "" && !t.levels[Instance].admit(instance, source, now) {
		o.Instance, over = schemas.Overflow, over|1<<Instance
	}
	return o, over
}

// Peer reports whether a workload that was called may be named.
func (t *Table) Peer(source string, now time.Time, namespace, name string) bool {
	return t.admit(Peer, source, now, maphash.Comparable(t.seed, [2]string{namespace, name}))
}

// Series reports whether the metric of an origin may be named; the origin's version does not matter.
func (t *Table) Series(source string, now time.Time, from schemas.Origin, metric string) bool {
	from.Version = metric // one key, one hash
	return t.admit(Series, source, now, maphash.Comparable(t.seed, from))
}

// Day reports whether events of a day, in days since the Unix epoch, may be stored. Today and its neighbours always may.
func (t *Table) Day(source string, now time.Time, day int64) bool {
	if d := day - DayOf(now.UnixNano()); -1 <= d && d <= 1 {
		return true
	}
	return t.admit(Day, source, now, uint64(day))
}

// DayOf returns the day of a time in Unix ns, in days since the Unix epoch.
func DayOf(t int64) int64 { return t / int64(24*time.Hour) }

func (t *Table) admit(l Level, source string, now time.Time, name uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.levels[l].admit(name, source, now)
}

// Len is how many names of a level are known.
func (t *Table) Len(l Level) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.levels[l].known)
}
