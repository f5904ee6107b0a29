package traffic

import (
	"context"
	"sync"
)

// Gate lets requests pass no further than a number of requests ahead of the oldest one that is not acknowledged. A join remembers the last
// 1,024 messages of a partition at least; a request is one message of each partition for every attempt to send it. With the two ends of a
// call less than BlockRequests apart, Ahead leaves room for several attempts of each request.
type Gate struct {
	ahead int

	mu      sync.Mutex // guards the rest
	under   map[int]struct{}
	changed chan struct{} // closed when a request leaves
}

// Ahead is the distance that suits the join's default generations.
const Ahead = 2 * BlockRequests

// NewGate returns an open gate.
func NewGate(ahead int) *Gate {
	return &Gate{ahead: max(1, ahead), under: map[int]struct{}{}, changed: make(chan struct{})}
}

// Enter waits until a request may be sent, or ctx ends. One caller enters all requests, in their order.
func (g *Gate) Enter(ctx context.Context, index int) error {
	for {
		open, changed := g.try(index)
		if open {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Gate) try(index int) (open bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for older := range g.under {
		if index-older >= g.ahead {
			return false, g.changed
		}
	}
	g.under[index] = struct{}{}
	return true, nil
}

// Leave says that a request is acknowledged.
func (g *Gate) Leave(index int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.under, index)
	close(g.changed)
	g.changed = make(chan struct{})
}
