// Package proxy is a TCP proxy that misbehaves on demand: one for each link between two parts. What it does can be changed while
// connections are open, and it holds a bounded number of bytes of each.
//
// It knows nothing of what it carries. When the target is away, a connection is taken and reset, where the target itself would refuse it.
package proxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Behaviour is what a link does to its connections, old and new. The zero value passes everything on at once.
type Behaviour struct {
	Pause bool // nothing moves; connections stay, and go on where they were
	Cut   bool // connections are reset, new ones too
	// HalfOpen is a target that vanished without a word: it loses its connections, while those of clients stay open, new ones too, and
	// what they send goes nowhere. They are reset with the next behaviour, as a target that is back would do.
	HalfOpen bool
	Delay    time.Duration // everything arrives so much later, in both directions
	Rate     int           // bytes per second, connection and direction; 0 = no limit
	Slice    int           // bytes in a write at most; 0 = no limit
	Drop     Drop
}

// Drop loses answers: requests reach the target, what it answers does not reach the client, whose connection is reset then.
type Drop struct {
	Count int           // how many connections it happens to, counted from Set; 0 = none
	Above int           // only after a client has sent more than so many bytes since the last answer: not to handshakes
	Hold  time.Duration // how long after the first lost answer the connection is reset
}

// Proxy is one link. It is safe for concurrent use and must be closed.
type Proxy struct {
	target   string
	listener *net.TCPListener
	work     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	now     Behaviour
	changed chan struct{} // closed when now changes
	links   map[*link]struct{}
	dropped int
	closed  bool
}

// New listens on an address (host:port, port 0 picks one) and passes on to target, which need not be there yet.
func New(listen, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the link to %s: %w", target, err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen on %s: not TCP", listen), l.Close())
	}
	p := &Proxy{target: target, listener: tcp, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.work.Go(p.accept)
	return p, nil
}

// Addr is where clients connect: host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the behaviour.
func (p *Proxy) Set(b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = b
	close(p.changed)
	p.changed = make(chan struct{})
	for l := range p.links {
		switch {
		case b.Cut || l.lost && !b.HalfOpen:
			l.reset()
		case b.HalfOpen:
			l.lose()
		}
	}
}

// Heal is Set with the zero Behaviour.
func (p *Proxy) Heal() { p.Set(Behaviour{}) }

// Open returns how many connections there are.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Dropped returns how many connections have lost an answer so far.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Close resets all connections and waits until nothing of the proxy runs any more. It may be called again.
func (p *Proxy) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	for l := range p.links {
		l.reset()
	}
	p.mu.Unlock()
	var err error
	if first {
		err = p.listener.Close()
	}
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // that client gave up before it was taken
		}
		p.work.Go(func() { p.carry(conn) })
	}
}

// carry lives as long as a connection.
func (p *Proxy) carry(client *net.TCPConn) {
	l := &link{proxy: p, client: client, done: make(chan struct{})}
	if !p.add(l) {
		l.reset()
		return
	}
	defer p.remove(l)
	if !p.reach(l) {
		l.reset()
		return
	}
	l.run()
}

// add makes the link known, unless new ones are not wanted.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.now.Cut {
		return false
	}
	l.lost = p.now.HalfOpen
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// reach connects to the target.
func (p *Proxy) reach(l *link) bool {
	if p.isLost(l) {
		return true
	}
	conn, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		return false
	}
	target, ok := conn.(*net.TCPConn)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok || p.closed || p.now.Cut || l.lost {
		abort(target)
		return l.lost
	}
	l.target = target
	return true
}

func (p *Proxy) isLost(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.lost
}

// behaviour returns the behaviour and a channel that is closed with the next change.
func (p *Proxy) behaviour() (Behaviour, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.changed
}

// drop says whether an answer after so many bytes of requests is to be lost, and for how long more are.
func (p *Proxy) drop(asked int64) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Drop.Count == 0 || asked <= int64(p.now.Drop.Above) {
		return 0, false
	}
	p.now.Drop.Count--
	p.dropped++
	return p.now.Drop.Hold, true
}
