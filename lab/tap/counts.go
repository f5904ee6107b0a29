package tap

import (
	"maps"
	"sync"
)

// Source is one kind of telemetry of one sender.
type Source struct {
	Sender
	Signal Signal
}

// Count is what came from a source.
type Count struct {
	Requests uint64
	Bytes    uint64 // of the requests, uncompressed
	Failed   uint64 // of the requests: refused here or not taken by the collector
}

// counts are bounded by the addresses of the network: who is no pod counts as one sender.
type counts struct {
	mu sync.Mutex // guards by
	by map[Source]Count
}

func (c *counts) add(from Source, bytes int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[Source]Count{}
	}
	n := c.by[from]
	n.Requests++
	n.Bytes += uint64(bytes)
	if err != nil {
		n.Failed++
	}
	c.by[from] = n
}

// Counts returns what came from each source since the tap was made. The map is the caller's.
func (t *Tap) Counts() map[Source]Count {
	t.counts.mu.Lock()
	defer t.counts.mu.Unlock()
	return maps.Clone(t.counts.by)
}
