package recording

import (
	"math"
	"math/rand/v2"
	"time"
)

// Span kinds, with OTLP's numbers.
const (
	unspecified = iota
	internal
	server
	client
	producer
	consumer
)

// span is one generated span. Times are true times; the pod's wrong clock is added when it is written.
type span struct {
	trace      [2]uint64
	id, parent uint64 // parent 0 = root
	pod        *pod
	name       string
	kind       int
	start, end int64
	seen       int64 // when it was handed to the collector
	protocol   string
	code       int  // HTTP status or gRPC code
	failed     bool // span status ERROR
	peer       string
	hop        bool // CLIENT or PRODUCER span with a child in another pod
}

type pod struct {
	name, service, version string
	skew                   int64
}

// mesh is the state of one generation.
type mesh struct {
	cfg      Config
	rng      *rand.Rand
	services map[string]*Service
	pods     map[string][]*pod
	loadgen  *pod // an outside client that sends spans of its own
	job      *pod // something that starts by itself
	spans    []*span
	sum      Summary
}

func newMesh(cfg Config) *mesh {
	m := &mesh{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x77656972)),
		services: map[string]*Service{}, pods: map[string][]*pod{},
	}
	for i := range cfg.Services {
		s := &cfg.Services[i]
		m.services[s.Name] = s
		stable, canary := m.letters("456789bcdf", 10), m.letters("456789bcdf", 9)
		for n := range s.Pods {
			p := m.newPod(s.Name, "v1", stable)
			if n > 0 && n == s.Pods-1 {
				p = m.newPod(s.Name, "v2", canary)
			}
			m.pods[s.Name] = append(m.pods[s.Name], p)
		}
	}
	m.loadgen = m.newPod("loadgen", "v1", m.letters("456789bcdf", 10))
	m.job = m.newPod("nightly-job", "v1", m.letters("456789bcdf", 10))
	return m
}

func (m *mesh) newPod(service, version, hash string) *pod {
	p := &pod{service: service, version: version}
	p.name = service + "-" + hash + "-" + m.letters("bcdfghjklmnpqrstvwxz2456789", 5)
	if m.rng.Float64() < m.cfg.Skewed {
		p.skew = int64(float64(time.Second) * math.Pow(3600, m.rng.Float64())) // as many off by seconds as by an hour
		if m.rng.IntN(2) == 0 {
			p.skew = -p.skew
		}
		m.sum.Skewed++
	}
	return p
}

func (m *mesh) letters(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.rng.IntN(len(alphabet))]
	}
	return string(b)
}

// trace makes one request: from outside, from the load generator (a CLIENT root), or from a job (an INTERNAL root).
func (m *mesh) trace(at int64) {
	id := [2]uint64{m.rng.Uint64() | 1, m.rng.Uint64()}
	entry := m.entry()
	first := &span{trace: id, start: at, protocol: "http", code: 200}
	switch x := m.rng.Float64(); {
	case x < 0.9:
		m.sum.Roots++
		m.visit(id, 0, entry, server, at)
		return
	case x < 0.95:
		first.pod, first.name, first.kind, first.hop = m.loadgen, "GET /", client, true
	default:
		first.pod, first.name, first.kind, first.protocol = m.job, "run", internal, ""
	}
	m.sum.InnerRoots++
	m.add(first)
	m.sum.Hops++
	done, _, _ := m.visit(id, first.id, entry, server, at+m.wire())
	first.end = done + m.wire()
}

func (m *mesh) entry() *Service {
	total := 0.0
	for _, s := range m.cfg.Services {
		total += s.Entry
	}
	x := m.rng.Float64() * total
	for i := range m.cfg.Services {
		if x -= m.cfg.Services[i].Entry; x < 0 {
			return &m.cfg.Services[i]
		}
	}
	return &m.cfg.Services[0]
}

func (m *mesh) add(s *span) {
	s.id = m.rng.Uint64() | 1
	m.spans = append(m.spans, s)
}

// wire is the way of a message over the network.
func (m *mesh) wire() int64 { return int64(200_000 + m.rng.IntN(400_000)) }

// work is an exponential time; one in a hundred is slow, so that some calls straddle windows.
func (m *mesh) work(mean time.Duration) int64 {
	d := m.rng.ExpFloat64() * float64(mean)
	if m.rng.IntN(100) == 0 {
		d *= 100
	}
	return int64(d) + 1000
}

// visit lets a service serve one call and returns when it was done and with what status.
func (m *mesh) visit(trace [2]uint64, parent uint64, svc *Service, kind int, at int64) (done int64, code int, failed bool) {
	pods := m.pods[svc.Name]
	s := &span{trace: trace, parent: parent, pod: pods[m.rng.IntN(len(pods))], name: svc.Name + "/Serve", kind: kind, start: at}
	m.add(s)
	at += m.work(svc.Work) / 2
	if m.rng.IntN(4) == 0 {
		inner := &span{trace: trace, parent: s.id, pod: s.pod, name: "render", kind: internal, start: at}
		m.add(inner)
		at += m.work(svc.Work) / 4
		inner.end = at
	}
	for _, call := range svc.Calls {
		if m.rng.Float64() < call.Share {
			at = m.call(s, svc, call, at)
		}
	}
	s.end = at + m.work(svc.Work)/2
	m.outcome(s, svc.GRPC, kind == consumer)
	return s.end, s.code, s.failed
}

// outcome decides how a call ended. Three kinds of answer are told apart: failed, fine, and the callers' own mistake
// (404, NOT_FOUND), which is marked ERROR on the span now and then and still is none.
func (m *mesh) outcome(s *span, grpc, message bool) {
	fails := m.rng.Float64() < m.cfg.Failing
	mistake := !fails && m.rng.IntN(50) == 0
	if fails {
		m.sum.Errors++
	}
	switch {
	case message:
		s.failed = fails // no protocol: the span's status speaks
	case grpc:
		s.protocol, s.code, s.failed = "grpc", 0, fails && m.rng.IntN(2) == 0
		if fails {
			s.code = []int{2, 4, 12, 13, 14, 15}[m.rng.IntN(6)]
		} else if mistake {
			s.code, s.failed = 5, true
		}
	default:
		s.protocol, s.code, s.failed = "http", 200, fails
		if fails {
			s.code = 500 + m.rng.IntN(5)
		} else if mistake {
			s.code, s.failed = 404, m.rng.IntN(2) == 0
		}
	}
}

// call makes one call from a span and returns when the caller goes on.
func (m *mesh) call(from *span, svc *Service, call Call, at int64) int64 {
	out := &span{trace: from.trace, parent: from.id, pod: from.pod, name: call.To + "/Ask", kind: client, start: at}
	to := m.services[call.To]
	switch call.Kind {
	case Bare:
		m.sum.Hops++
		done, _, _ := m.visit(from.trace, from.id, to, server, at+m.wire())
		return done + m.wire()
	case Peer:
		m.sum.PeerCalls++
		m.add(out)
		out.peer = call.To
		out.end = at + m.work(svc.Work)
		m.outcome(out, false, true)
		return out.end
	case Message:
		m.sum.Hops++
		m.add(out)
		out.kind, out.hop, out.peer, out.end = producer, true, "queue", at+m.wire()
		m.visit(from.trace, out.id, to, consumer, out.end+m.work(500*time.Millisecond))
		return out.end
	case Named:
		out.peer = call.To
	case Plain:
	}
	m.sum.Hops++
	m.add(out)
	out.hop, out.protocol = true, "http"
	if to.GRPC {
		out.protocol = "grpc"
	}
	done, code, failed := m.visit(from.trace, out.id, to, server, at+m.wire())
	out.end, out.code, out.failed = done+m.wire(), code, failed
	return out.end
}
