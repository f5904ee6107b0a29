package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// What is held of each direction of a connection, at most queued chunks.
const (
	chunkBytes = 16 << 10
	queued     = 16
)

// link is one connection of a client, and the one to the target that belongs to it.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	target *net.TCPConn // nil if it was never reached; set under proxy.mu
	lost   bool         // half open; guarded by proxy.mu
	asked  atomic.Int64 // bytes passed to the target since its last answer
	done   chan struct{}
	ended  sync.Once
}

type chunk struct {
	data []byte
	at   time.Time // when it was read
}

// reset ends both connections as a crash does.
func (l *link) reset() {
	l.ended.Do(func() { close(l.done) })
	abort(l.client)
	abort(l.target)
}

// lose resets the target's side alone. The caller holds proxy.mu.
func (l *link) lose() {
	l.lost = true
	abort(l.target)
}

func abort(c *net.TCPConn) {
	if c == nil {
		return
	}
	_ = c.SetLinger(0) // a reset and no farewell; both fail only when it is closed already
	_ = c.Close()
}

// run carries until both directions have ended.
func (l *link) run() {
	defer l.reset()
	if l.target == nil {
		_, _ = io.Copy(io.Discard, l.client) // until the client goes or the link is reset
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.carry(l.client, l.target, false) })
	both.Go(func() { l.carry(l.target, l.client, true) })
	both.Wait()
}

// carry moves one direction to its end. An end in order is passed on; anything else resets the link, unless it is half open.
func (l *link) carry(from, to *net.TCPConn, answers bool) {
	queue := make(chan chunk, queued)
	var reader sync.WaitGroup
	var failed error
	reader.Go(func() {
		defer close(queue)
		failed = l.read(from, queue)
	})
	err := l.write(to, queue, answers)
	if err != nil && !answers && l.proxy.isLost(l) {
		for range queue { // what a client sends into the void
		}
		reader.Wait()
		return
	}
	if err != nil {
		l.fail()
	}
	reader.Wait()
	switch {
	case failed != nil:
		l.fail()
	case err == nil && to.CloseWrite() != nil:
		l.fail()
	}
}

// fail resets the link because one of its ends broke; a half open one stays.
func (l *link) fail() {
	if !l.proxy.isLost(l) {
		l.reset()
	}
}

func (l *link) read(from *net.TCPConn, queue chan<- chunk) error {
	for {
		buffer := make([]byte, chunkBytes)
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case queue <- chunk{buffer[:n], time.Now()}:
			case <-l.done:
				return net.ErrClosed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) write(to *net.TCPConn, queue <-chan chunk, answers bool) error {
	for c := range queue {
		if answers {
			if hold, lose := l.proxy.drop(l.asked.Swap(0)); lose {
				return l.swallow(queue, hold)
			}
		}
		for len(c.data) > 0 {
			b, err := l.admit(c.at)
			if err != nil {
				return err
			}
			n, err := to.Write(c.data[:piece(b, len(c.data))])
			if err != nil {
				return err
			}
			if !answers {
				l.asked.Add(int64(n))
			}
			c.data = c.data[n:]
			if b.Rate > 0 {
				l.wait(time.Duration(n)*time.Second/time.Duration(b.Rate), nil)
			}
		}
	}
	return nil
}

// piece is how much goes into one write.
func piece(b Behaviour, n int) int {
	if b.Slice > 0 {
		n = min(n, b.Slice)
	}
	if b.Rate > 0 {
		n = min(n, max(1, b.Rate/20)) // a twentieth of a second's worth, so that a change is felt
	}
	return n
}

// admit waits until something that was read at a time may go on.
func (l *link) admit(at time.Time) (Behaviour, error) {
	for {
		b, changed := l.proxy.behaviour()
		select {
		case <-l.done:
			return b, net.ErrClosed
		default:
		}
		rest := time.Until(at.Add(b.Delay))
		switch {
		case b.Pause:
			select {
			case <-changed:
			case <-l.done:
			}
		case b.Delay > 0 && rest > 0:
			l.wait(rest, changed)
		default:
			return b, nil
		}
	}
}

// wait waits for a time, for the end of the link, or until the behaviour changes.
func (l *link) wait(d time.Duration, changed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-l.done:
	}
}

// errDropped ends a link whose answers were lost.
var errDropped = errors.New("an answer was dropped")

// swallow loses what comes for a time. The error makes the caller reset the link.
func (l *link) swallow(queue <-chan chunk, hold time.Duration) error {
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return errDropped
		case <-l.done:
			return net.ErrClosed
		case _, more := <-queue:
			if !more {
				queue = nil // the target has hung up; the client is not told yet
			}
		}
	}
}
