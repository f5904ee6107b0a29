package check

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// Message is one message of the log.
type Message struct {
	Topic     string
	Partition int
	Offset    int64
	Producer  string // "" = none that counts its messages
	Seq       uint64
	Spans     []uint64
	Foreign   int // spans whose ids are of no number
}

// Read takes a message of the log apart. number is traffic.Number with the run's seed. Messages of other topics than weir.calls, and
// control messages, have no spans.
func Read(m ingest.Message, number func(schemas.TraceID, schemas.SpanID) (uint64, bool)) (Message, error) {
	out := Message{Topic: m.Source.Topic, Partition: m.Source.Partition, Offset: m.Offset}
	if _, control := wire.Find(m.Headers, wire.HeaderControl); control {
		return out, nil
	}
	out.Producer, _ = wire.Find(m.Headers, wire.HeaderProducer)
	seq, ok := wire.FindInt(m.Headers, wire.HeaderSeq)
	if !ok || out.Producer == "" {
		return out, fmt.Errorf("read %s offset %d: no %s or no %s", m.Source, m.Offset, wire.HeaderProducer, wire.HeaderSeq)
	}
	out.Seq = uint64(seq)
	if out.Topic != wire.TopicCalls {
		return out, nil
	}
	batch, err := columns.DecodeSpans(m.Value)
	if err != nil {
		return out, fmt.Errorf("read %s offset %d: %w", m.Source, m.Offset, err)
	}
	out.Spans = make([]uint64, 0, len(batch.Spans))
	for i := range batch.Spans {
		if n, ok := number(batch.Spans[i].Trace, batch.Spans[i].ID); ok {
			out.Spans = append(out.Spans, n)
		} else {
			out.Foreign++
		}
	}
	return out, nil
}

// log is how far a partition has been read.
type log struct {
	next   int64 // offset
	newest request
	groups map[uint32]*stretch
}

// stretch is where in a partition the messages of a group lie.
type stretch struct{ first, last int64 }

// story is what a producer's messages were.
type story struct {
	messages map[uint64]uint64 // fingerprints by sequence number
	highest  map[place]uint64
}

// Logged says that the log holds a message.
func (c *Checker) Logged(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := place{m.Topic, m.Partition}
	l, known := c.logs[at]
	if !known {
		l = &log{next: m.Offset, groups: map[uint32]*stretch{}}
		c.logs[at] = l
	}
	c.report.Messages++
	c.offset(l, &m)
	if m.Producer != "" {
		c.sequence(at, &m)
	}
	if m.Foreign > 0 {
		c.report.Phantom.add(uint64(m.Foreign), "%s: %d spans with ids that were never made", m.where(), m.Foreign)
	}
	for _, number := range m.Spans {
		c.stored(l, &m, number)
	}
}

func (m *Message) where() string {
	return fmt.Sprintf("%s/%d offset %d", m.Topic, m.Partition, m.Offset)
}

func (c *Checker) offset(l *log, m *Message) {
	switch {
	case m.Offset > l.next:
		c.report.Holes.add(uint64(m.Offset-l.next), "%s: nothing since offset %d", m.where(), l.next-1)
	case m.Offset < l.next:
		c.report.Rewound.add(1, "%s: comes after offset %d", m.where(), l.next-1)
	}
	l.next = max(l.next, m.Offset+1)
}

// sequence checks that a message that came before is the same, and notes in what order they come.
func (c *Checker) sequence(at place, m *Message) {
	s := c.stories[m.Producer]
	if s == nil {
		s = &story{messages: map[uint64]uint64{}, highest: map[place]uint64{}}
		c.stories[m.Producer] = s
	}
	print := m.fingerprint()
	if before, again := s.messages[m.Seq]; again {
		c.report.Repeated++
		if before != print {
			c.report.Altered.add(1, "%s: message %d of %s came before with other spans or in another partition", m.where(), m.Seq, m.Producer)
		}
		return
	}
	s.messages[m.Seq] = print
	if m.Seq < s.highest[at] {
		c.report.Reordered++
	}
	s.highest[at] = max(s.highest[at], m.Seq)
}

// fingerprint tells messages with other spans or in another partition apart.
func (m *Message) fingerprint() uint64 {
	h := fnv.New64a()
	word := make([]byte, 8)
	put := func(n uint64) {
		binary.LittleEndian.PutUint64(word, n)
		_, _ = h.Write(word) // a hash takes everything
	}
	_, _ = h.Write([]byte(m.Topic))
	put(uint64(m.Partition))
	for _, number := range m.Spans {
		put(number)
	}
	return h.Sum64()
}

// stored notes that a message holds a span.
func (c *Checker) stored(l *log, m *Message, number uint64) {
	c.report.Rows++
	s := c.spans.find(number)
	if s == nil || s.flags&sent == 0 {
		c.report.Phantom.add(1, "%s: span %#x was never sent", m.where(), number)
		return
	}
	c.stretch(l, m, uint32(number>>32))
	if s.copies == 0 {
		s.partition = uint16(m.Partition)
		c.order(l, m, number, c.requests[s.request])
	} else if s.partition != uint16(m.Partition) {
		c.report.Misplaced.add(1, "%s: span %#x is also in partition %d", m.where(), number, s.partition)
	}
	if s.copies < math.MaxUint8 {
		s.copies++
	}
}

// order checks that a span was in the log before it was acknowledged: nothing that was sent after that may lie in front of it.
func (c *Checker) order(l *log, m *Message, number uint64, r request) {
	if r.acknowledged < l.newest.sent {
		c.report.Overtaken.add(1, "%s: span %#x was acknowledged before something was sent that lies in front of it", m.where(), number)
	}
	if r.sent > l.newest.sent {
		l.newest = r
	}
}

func (c *Checker) stretch(l *log, m *Message, group uint32) {
	s := l.groups[group]
	if s == nil {
		s = &stretch{m.Offset, m.Offset}
		l.groups[group] = s
	}
	s.first, s.last = min(s.first, m.Offset), max(s.last, m.Offset)
}
