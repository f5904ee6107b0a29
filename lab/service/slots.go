package service

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

var errFull = errors.New("as many requests wait as may wait")

// slots are the workers of an instance, with a bounded queue before them. Safe for concurrent use.
type slots struct {
	total, room int

	mu      sync.Mutex // guards what follows
	used    int
	waiting list.List // of chan struct{}: closed when its request gets a slot
	busy    time.Duration
	since   time.Time // up to when busy is counted
}

func newSlots(total, room int) *slots { return &slots{total: total, room: room, since: time.Now()} }

// take waits for a slot, in the order of arrival. It returns errFull if there is no room to wait, and the context's error if that ends
// first. Who gets nil calls free.
func (s *slots) take(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.used < s.total:
		s.use(1)
		s.mu.Unlock()
		return nil
	case s.waiting.Len() >= s.room:
		s.mu.Unlock()
		return errFull
	}
	turn := make(chan struct{})
	place := s.waiting.PushBack(turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		s.leave(place, turn)
		return ctx.Err()
	}
}

// leave gives up a place in the queue, or the slot that was given to it meanwhile.
func (s *slots) leave(place *list.Element, turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-turn:
		s.pass()
	default:
		s.waiting.Remove(place)
	}
}

// free ends the use of a slot.
func (s *slots) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to the first that waits.
func (s *slots) pass() {
	first := s.waiting.Front()
	if first == nil {
		s.use(-1)
		return
	}
	if turn, ok := s.waiting.Remove(first).(chan struct{}); ok {
		close(turn)
	}
}

func (s *slots) use(change int) {
	s.advance(time.Now())
	s.used += change
}

func (s *slots) advance(now time.Time) {
	s.busy += time.Duration(s.used) * now.Sub(s.since)
	s.since = now
}

// state returns how many slots are in use, how many requests wait, and for how long slots have been in use, added up.
func (s *slots) state() (used, waiting int, busy time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(time.Now())
	return s.used, s.waiting.Len(), s.busy
}

// utilization is the share of the slots' time in use, since the last time somebody asked: each who asks has one of his own.
type utilization struct {
	of *slots

	mu   sync.Mutex // guards what follows
	at   time.Time
	busy time.Duration
	last float64
}

// read returns the share since the last read, or what that one returned if it was just now.
func (u *utilization) read() float64 {
	_, _, busy := u.of.state()
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if passed := now.Sub(u.at); passed >= 100*time.Millisecond {
		u.last = float64(busy-u.busy) / (float64(passed) * float64(u.of.total))
		u.at, u.busy = now, busy
	}
	return u.last
}

func (s *slots) utilization() *utilization { return &utilization{of: s, at: time.Now()} }
