// Package check holds a log to what its senders were told, in the manner of Jepsen's checker for queues: from a history of what was sent,
// what was acknowledged, and what the log holds at the end, it says what was lost, made up, stored more than once or out of order.
//
// Spans are numbers, see traffic.Number: those with the same upper 32 bits form a group, whose spans a join may bring together, and the
// lower ones run from 1. A Checker keeps eight bytes of each span and one fingerprint of each message.
//
// Not all that looks odd is wrong. What a sender repeats because an answer was lost is in the log twice, and what was never acknowledged
// may be there or not. Requests of one producer run side by side, so the order of its messages says nothing. What is promised:
//
//   - an acknowledged span is in the log, in the one partition of its trace, and there is nothing in the log that nobody sent;
//   - it was there when it was acknowledged, so what was sent after that lies behind it;
//   - producer and sequence number name one message: where both come again, it is the same message in the same partition;
//   - offsets of a partition have no holes and do not come twice.
package check

import (
	"fmt"
	"sync"
)

// Config says what to look for besides.
type Config struct {
	// Memory is for how many messages of a partition a join remembers a span at least; 0 = not of interest.
	Memory int64
}

// Checker gathers a history. It is safe for concurrent use; what Logged is given comes in the order of each partition, and after
// everything that was acknowledged, or some of what is wrong stays unseen.
type Checker struct {
	cfg Config

	mu       sync.Mutex // guards the rest
	clock    uint32     // of events: sent and acknowledged
	requests []request
	index    map[int]uint32 // in requests
	spans    spans
	waiting  map[int][]uint64 // spans of requests that are not acknowledged
	logs     map[place]*log
	stories  map[string]*story // by producer
	report   Report
}

// request is when a request was first sent and when it was acknowledged, by the clock of events.
type request struct{ sent, acknowledged uint32 }

const never = ^uint32(0)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int
}

// New returns a Checker of an empty history.
func New(cfg Config) *Checker {
	return &Checker{
		cfg: cfg, index: map[int]uint32{}, spans: spans{pages: map[uint64]*page{}}, waiting: map[int][]uint64{},
		logs: map[place]*log{}, stories: map[string]*story{},
	}
}

// Sent says that a request is about to be sent for the first time. The spans are the Checker's from here on.
func (c *Checker) Sent(index int, spans []uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.index[index]; twice {
		return fmt.Errorf("request %d was sent before: a request is told once, however often it is tried", index)
	}
	c.clock++
	n := uint32(len(c.requests))
	c.requests = append(c.requests, request{sent: c.clock, acknowledged: never})
	c.index[index], c.waiting[index] = n, spans
	for _, number := range spans {
		if s := c.spans.add(number); s.flags&sent == 0 {
			s.flags |= sent
			s.request = n
			c.report.Sent++
		}
	}
	return nil
}

// Acknowledged says that a request was answered: all of its spans are stored.
func (c *Checker) Acknowledged(index int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans, ok := c.waiting[index]
	if !ok {
		return fmt.Errorf("request %d was acknowledged, but was not sent or is acknowledged already", index)
	}
	delete(c.waiting, index)
	c.clock++
	c.requests[c.index[index]].acknowledged = c.clock
	for _, number := range spans {
		if s := c.spans.find(number); s.flags&acknowledged == 0 {
			s.flags |= acknowledged
			c.report.Acknowledged++
		}
	}
	return nil
}
