package traffic

import (
	"math/rand/v2"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// span is one generated span. Times are true; the host's clock is added when it is written.
type span struct {
	trace      uint32 // number within the block
	parent     int32  // the parent's place in the block's spans, or none
	place      uint16
	peer       uint16 // place that a CLIENT span declares, or noPeer
	step       uint8  // when its turn is
	kind       schemas.Kind
	protocol   protocol
	failed     bool // its own status is ERROR
	retried    bool
	lost       bool // never sent
	code       int16
	start, end int64
}

type protocol uint8

const (
	noProtocol protocol = iota
	http
	grpc
)

const (
	none   = int32(-1)
	noPeer = maxPlaces - 1
)

// builder makes the traces of one block.
type builder struct {
	cfg   *Config
	mesh  *mesh
	rng   *rand.Rand
	spans []span
	truth *Truth
	trace uint32
	step  uint8
	left  int // calls to be made
}

// root makes one trace, of at most the calls that are left.
func (b *builder) root(at int64) {
	if b.rng.Float64() < b.cfg.Late {
		at -= b.rng.Int64N(int64(MaxLate))
	}
	b.visit(b.mesh.entries[b.rng.IntN(len(b.mesh.entries))], none, outside, at, false)
	b.trace++
}

func (b *builder) add(s span) int32 {
	s.trace, s.step = b.trace, b.step
	b.spans = append(b.spans, s)
	return int32(len(b.spans) - 1)
}

// work is the time something takes: 0.1 to 20 ms, one in a hundred ten times that.
func (b *builder) work() int64 {
	d := int64(100*time.Microsecond) + b.rng.Int64N(int64(20*time.Millisecond))
	if b.rng.IntN(100) == 0 {
		d *= 10
	}
	return d
}

// visit lets a service serve one call and returns when it was done. The caller is a workload, or nobody; its own span may say that this is
// another attempt.
func (b *builder) visit(to int, parent int32, caller uint16, at int64, again bool) int64 {
	b.left--
	svc := &b.mesh.services[to]
	here := svc.places[b.rng.IntN(len(svc.places))]
	i := b.add(span{parent: parent, place: here, peer: noPeer, kind: schemas.KindServer, start: at})
	at += b.work()
	if b.rng.IntN(8) == 0 {
		b.inner(i, here, at)
	}
	for _, c := range svc.calls {
		if b.left > 0 && b.rng.Float64() < c.share {
			at = b.call(i, here, c, at)
		}
	}
	s := &b.spans[i]
	s.end = at + b.work()
	failed := b.outcome(s, b.mesh.places[here].grpc)
	b.count(caller, s, here, failed, again || s.retried)
	if caller == unknown {
		b.truth.orphan(here, s.end+b.mesh.places[here].shift)
	}
	return s.end
}

// inner is work within an instance: no call.
func (b *builder) inner(parent int32, here uint16, at int64) {
	b.add(span{parent: parent, place: here, peer: noPeer, kind: schemas.KindInternal, start: at, end: at + int64(time.Millisecond)})
}

// call lets the span that serves at here call somebody, and returns when it goes on.
func (b *builder) call(from int32, here uint16, c call, at int64) int64 {
	caller := b.mesh.places[here].workload
	const wire = int64(300 * time.Microsecond)
	switch c.kind {
	case Peer, Proxied:
		return b.toPeer(from, here, c, at)
	case Bare:
		return b.visit(c.to, from, caller, at+wire, false) + wire
	}
	client := span{parent: from, place: here, peer: noPeer, kind: schemas.KindClient, start: at}
	if c.kind == Named {
		client.peer = b.mesh.services[c.to].places[0]
	}
	client.retried = b.rng.Float64() < b.cfg.Retries
	if b.rng.Float64() < b.cfg.Orphans {
		client.lost, client.retried, caller = true, false, unknown
	}
	i := b.add(client)
	b.spans[i].end = b.visit(c.to, i, caller, at+wire, client.retried) + wire
	return b.spans[i].end
}

// toPeer makes a call that only its caller records. It is told by the innermost record of it, but that it is another attempt by the
// outermost: the proxy beside an application does not know.
func (b *builder) toPeer(from int32, here uint16, c call, at int64) int64 {
	b.left--
	s := span{parent: from, place: here, peer: c.peer, kind: schemas.KindClient, start: at, end: at + b.work()}
	s.retried = b.rng.Float64() < b.cfg.Retries
	again := s.retried
	if c.kind == Proxied {
		s.parent = b.add(s)
		s.start, s.end, s.retried = s.start+1000, s.end-1000, false
	}
	s.failed = b.rng.Float64() < b.cfg.Failing
	b.add(s)
	b.count(b.mesh.places[here].workload, &s, c.peer, s.failed, again)
	return s.end + 1000
}

// outcome decides how a call ended and reports whether that is the callee's error. Some callers ask for what is not there: their mistake,
// and no error whatever the span's own status says.
func (b *builder) outcome(s *span, isGRPC bool) (failed bool) {
	failed = b.rng.Float64() < b.cfg.Failing
	mistake := !failed && b.rng.IntN(50) == 0
	s.protocol, s.code = http, 200
	codes := [2]int16{503, 404}
	if isGRPC {
		s.protocol, s.code, codes = grpc, 0, [2]int16{14, 5} // UNAVAILABLE, NOT_FOUND
	}
	switch {
	case failed:
		s.code, s.failed = codes[0], b.rng.IntN(2) == 0
	case mistake:
		s.code, s.failed = codes[1], b.rng.IntN(2) == 0
	}
	s.retried = b.rng.Float64() < b.cfg.Retries
	return failed
}

// count writes down the call that s measures, by the clock of the host that s comes from.
func (b *builder) count(caller uint16, s *span, to uint16, failed, again bool) {
	c := Counts{Calls: 1, DurationNS: uint64(s.end - s.start)}
	if failed {
		c.Errors = 1
	}
	if again {
		c.Retries = 1
	}
	b.truth.call(caller, to, s.end+b.mesh.places[s.place].shift, c)
}
