package check

import (
	"maps"
	"slices"
)

// span is what is known of one span.
type span struct {
	request   uint32 // that it was first sent in
	partition uint16 // where it was seen first
	copies    uint8  // in the log, up to 255
	flags     uint8
}

const (
	sent uint8 = 1 << iota
	acknowledged
)

// pageBits is how many spans a page holds, as a power of two.
const pageBits = 12

type page [1 << pageBits]span

// spans holds spans by number: numbers of a group are dense.
type spans struct {
	pages map[uint64]*page
}

func (s *spans) find(number uint64) *span {
	if p := s.pages[number>>pageBits]; p != nil {
		return &p[number%(1<<pageBits)]
	}
	return nil
}

func (s *spans) add(number uint64) *span {
	p := s.pages[number>>pageBits]
	if p == nil {
		p = &page{}
		s.pages[number>>pageBits] = p
	}
	return &p[number%(1<<pageBits)]
}

// each calls fn with all spans, by rising number.
func (s *spans) each(fn func(number uint64, s *span)) {
	for _, n := range slices.Sorted(maps.Keys(s.pages)) {
		p := s.pages[n]
		for i := range p {
			fn(n<<pageBits|uint64(i), &p[i])
		}
	}
}
