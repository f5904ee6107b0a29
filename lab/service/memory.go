package service

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

const (
	mib = 1 << 20

	collectEvery = 2 * time.Second
	mostBallast  = 256 // MiB
	pausePerMiB  = 3 * time.Millisecond
)

// memory is what the fault memory_growth makes grow. Every two seconds a collection of the old kind stops all requests, for 3 ms for each
// MiB that is held: Go's own collector pauses for microseconds, so the pause is made.
type memory struct {
	faults *faults
	world  sync.RWMutex // held by a collection; requests pass it between their steps
	held   [][]byte
}

// pass returns when no collection is under way.
func (m *memory) pass() {
	m.world.RLock()
	m.world.RUnlock() //nolint:staticcheck // waiting for the writer is all there is to do
}

// run grows and frees memory as the faults say, until ctx ends.
func (m *memory) run(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.faults.changed:
			m.freeIfOver()
		case <-tick.C:
			m.freeIfOver()
			m.grow(m.faults.now.Load().growth * collectEvery.Seconds())
			m.collect(ctx)
		}
	}
}

func (m *memory) grow(size float64) {
	for range int(min(size+0.5, float64(mostBallast-len(m.held)))) {
		chunk := make([]byte, mib)
		for at := 0; at < len(chunk); at += 4096 {
			chunk[at] = 1 // memory that nobody has written is not there
		}
		m.held = append(m.held, chunk)
	}
}

func (m *memory) collect(ctx context.Context) {
	if len(m.held) == 0 {
		return
	}
	m.world.Lock()
	defer m.world.Unlock()
	pause(ctx, time.Duration(len(m.held))*pausePerMiB)
}

func (m *memory) freeIfOver() {
	if len(m.held) > 0 && m.faults.now.Load().growth == 0 {
		m.held = nil
		debug.FreeOSMemory()
	}
}

// pause waits, and reports false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	return wait(ctx.Done(), d)
}

// wait waits, and reports false if done was closed first.
func wait(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
