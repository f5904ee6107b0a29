package names

import "container/heap"

// pool is names with the sources that brought them.
type pool struct {
	holders map[string]*holder
	largest byCount
	joined  int
}

// holder is a source that has names in a pool; without any it is forgotten, so there are at most as many as names.
type holder struct {
	source         string
	joined         int
	count          int
	place          int // in byCount
	oldest, newest *entry
}

func newPool() pool { return pool{holders: map[string]*holder{}} }

// oldestOfLargest is the name that was used longest ago of whoever has the most; nil if there is none.
func (p *pool) oldestOfLargest() *entry {
	if len(p.largest) == 0 {
		return nil
	}
	return p.largest[0].oldest
}

// yields reports whether the largest holder has to make room for the source: not if that would then have as many, or the next would take
// the place back.
func (p *pool) yields(source string) bool {
	held := 0
	if h := p.holders[source]; h != nil {
		held = h.count
	}
	return held+1 < p.largest[0].count
}

func (p *pool) add(e *entry, source string) {
	h := p.holders[source]
	if h == nil {
		h = &holder{source: source, joined: p.joined}
		p.joined++
		p.holders[source] = h
		heap.Push(&p.largest, h)
	}
	e.in, e.of = p, h
	h.link(e)
	h.count++
	heap.Fix(&p.largest, h.place)
}

func (p *pool) remove(e *entry) {
	h := e.of
	h.unlink(e)
	h.count--
	if h.count > 0 {
		heap.Fix(&p.largest, h.place)
		return
	}
	heap.Remove(&p.largest, h.place)
	delete(p.holders, h.source)
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
