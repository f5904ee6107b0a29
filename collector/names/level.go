package names

import (
	"container/heap"
	"time"
)

const (
	// forget is how long a name is known that nobody uses.
	forget = time.Hour
	// sweepEvery is how often a full level looks for what can be forgotten.
	sweepEvery = time.Minute
)

// level holds the names of one kind, each with the source that brought it.
type level struct {
	most    int
	known   map[uint64]*entry
	holders map[string]*holder
	largest byCount
	joined  int
	swept   time.Time
}

// entry is a known name, in its holder's list by last use.
type entry struct {
	name         uint64
	of           *holder
	used         time.Time
	older, newer *entry
}

// holder is a source that has names; without any it is forgotten, so there are at most as many as names.
type holder struct {
	source         string
	joined         int
	count          int
	place          int // in byCount
	oldest, newest *entry
}

func newLevel(most int) level {
	return level{most: most, known: map[uint64]*entry{}, holders: map[string]*holder{}}
}

// admit reports whether the name is known or was admitted now.
func (l *level) admit(name uint64, source string, now time.Time) bool {
	if e, ok := l.known[name]; ok {
		e.of.unlink(e)
		e.used = now
		e.of.link(e)
		return true
	}
	if len(l.known) >= l.most && !l.makeRoom(source, now) {
		return false
	}
	l.add(name, source, now)
	return true
}

// makeRoom frees a place for a name of the source, if it is to have one.
func (l *level) makeRoom(source string, now time.Time) bool {
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		l.sweep(now)
	}
	if len(l.known) < l.most {
		return true
	}
	if len(l.largest) == 0 {
		return false
	}
	held := 0
	if h := l.holders[source]; h != nil {
		held = h.count
	}
	most := l.largest[0]
	if held+1 >= most.count { // it would hold as many, and the next would take the place back
		return false
	}
	l.remove(most.oldest)
	return true
}

// sweep forgets what was not used for long.
func (l *level) sweep(now time.Time) {
	for _, h := range append(byCount(nil), l.largest...) {
		for h.count > 0 && now.Sub(h.oldest.used) >= forget {
			l.remove(h.oldest)
		}
	}
}

func (l *level) add(name uint64, source string, now time.Time) {
	h := l.holders[source]
	if h == nil {
		h = &holder{source: source, joined: l.joined}
		l.joined++
		l.holders[source] = h
		heap.Push(&l.largest, h)
	}
	e := &entry{name: name, of: h, used: now}
	l.known[name] = e
	h.link(e)
	h.count++
	heap.Fix(&l.largest, h.place)
}

func (l *level) remove(e *entry) {
	h := e.of
	delete(l.known, e.name)
	h.unlink(e)
	h.count--
	if h.count > 0 {
		heap.Fix(&l.largest, h.place)
		return
	}
	heap.Remove(&l.largest, h.place)
	delete(l.holders, h.source)
}

// link puts an entry at the end of those used last.
func (h *holder) link(e *entry) {
	e.older, e.newer = h.newest, nil
	if h.newest == nil {
		h.oldest = e
	} else {
		h.newest.newer = e
	}
	h.newest = e
}

func (h *holder) unlink(e *entry) {
	if e.older == nil {
		h.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
	if e.newer == nil {
		h.newest = e.older
	} else {
		e.newer.older = e.older
	}
}

// byCount is a heap of holders, the one with the most names first, of two alike the one that came first.
type byCount []*holder

func (b byCount) Len() int { return len(b) }

func (b byCount) Less(i, j int) bool {
	if b[i].count != b[j].count {
		return b[i].count > b[j].count
	}
	return b[i].joined < b[j].joined
}

func (b byCount) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}

// Push implements heap.Interface.
func (b *byCount) Push(h any) {
	if one, ok := h.(*holder); ok {
		one.place = len(*b)
		*b = append(*b, one)
	}
}

// Pop implements heap.Interface.
func (b *byCount) Pop() any {
	last := len(*b) - 1
	h := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return h
}
