package names

import "time"

const (
	// settle is how much later than its first use a name must be used again to count as one that stays: what is invented comes once.
	settle = time.Second
	// freshFor is how long a name is kept that came once, where there is no room.
	freshFor = 5 * time.Minute
	// inUse is how lately a name that stays must have been used that nobody else may take its place.
	inUse = time.Minute
	// forget is how long a name is known that nobody uses.
	forget = time.Hour
	// sweepEvery is how often a full level looks for what can be forgotten.
	sweepEvery = time.Minute
)

// level holds the names of one kind. Those that came once are apart from those that stay, as in segmented LRU caches (Karedla, Love and
// Wherry 1994), so that whoever invents names competes with his like.
type level struct {
	most           int
	known          map[uint64]*entry
	fresh, settled pool
	swept          time.Time
}

// entry is a known name, in its holder's list by last use.
type entry struct {
	name         uint64
	in           *pool
	of           *holder
	first, used  time.Time
	older, newer *entry
}

func newLevel(most int) level {
	return level{most: most, known: map[uint64]*entry{}, fresh: newPool(), settled: newPool()}
}

// admit reports whether the name is known or was admitted now.
func (l *level) admit(name uint64, source string, now time.Time) bool {
	if e, ok := l.known[name]; ok {
		l.use(e, now)
		return true
	}
	if len(l.known) >= l.most && !l.makeRoom(source, now) {
		return false
	}
	e := &entry{name: name, first: now, used: now}
	l.known[name] = e
	l.fresh.add(e, source)
	return true
}

func (l *level) use(e *entry, now time.Time) {
	e.used = now
	if e.in == &l.fresh && now.Sub(e.first) >= settle {
		source := e.of.source
		e.in.remove(e)
		l.settled.add(e, source)
		return
	}
	e.of.unlink(e)
	e.of.link(e)
}

// makeRoom frees a place for a name of the source, if it is to have one: that of a name that came once, of whoever has the most of them,
// else that of a name which nobody uses just now.
func (l *level) makeRoom(source string, now time.Time) bool {
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		l.forget(now)
	}
	if len(l.known) < l.most {
		return true
	}
	if e := l.fresh.oldestOfLargest(); e != nil && (l.fresh.yields(source) || now.Sub(e.used) >= freshFor) {
		l.remove(e)
		return true
	}
	if e := l.settled.oldestOfLargest(); e != nil && l.settled.yields(source) && now.Sub(e.used) >= inUse {
		l.remove(e)
		return true
	}
	return false
}

// forget forgets what was not used for long.
func (l *level) forget(now time.Time) {
	for _, p := range [...]*pool{&l.fresh, &l.settled} {
		for _, h := range append(byCount(nil), p.largest...) {
			for h.count > 0 && now.Sub(h.oldest.used) >= forget {
				l.remove(h.oldest)
			}
		}
	}
}

func (l *level) remove(e *entry) {
	delete(l.known, e.name)
	e.in.remove(e)
}
