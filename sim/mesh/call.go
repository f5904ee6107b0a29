package mesh

import (
	"math"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// What a caller makes of calls it could not do without; a timeout of its own is no status of HTTP.
const (
	statusOK       = 200
	statusError    = 500
	statusUpstream = 502
	statusRefused  = 503
	statusTimeout  = 504
	statusLimited  = 429
	timedOut       = -1
)

// call is one call under way. Its memory serves another one after its end; ids tell them apart.
type call struct {
	trace  schemas.TraceID
	id     uint64 // 0 = ended
	parent uint64 // id of the caller's
	caller *call  // who waits, if its child is still this one
	resend int

	service  *service
	version  *version
	instance *instance
	slot     int // in instance.inside
	start    int64
	worker   bool // holds a worker
	works    bool // and works
	worked   time.Duration

	failed   int    // status it will answer with for what went wrong behind it; 0 = nothing did
	next     int    // which call it makes next
	child    uint64 // id of the attempt it waits for; 0 = none
	attempts int    // made of the current call
	storms   int    // of them, needless ones
}

// newCall takes memory for a call from what ended calls left.
func (m *Mesh) newCall(s *service) *call {
	var c *call
	if n := len(m.spare); n > 0 {
		c, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		c = &call{}
	}
	*c = call{id: m.id(), service: s, start: m.now}
	return c
}

// arriveFromOutside lets a request arrive at an entry service.
func (m *Mesh) arriveFromOutside() {
	c := m.newCall(m.services[draw(m.entries, m.chance.Float64())])
	c.trace = m.trace()
	m.truth.Arrivals++
	m.arrive(c)
}

// arrive brings a call to its service.
func (m *Mesh) arrive(c *call) {
	c.version = c.service.versions[draw(c.service.weights, m.chance.Float64())]
	i := m.balance(c.version)
	switch {
	case i == nil:
		m.refuse(c, c.version.nobody, statusRefused, flagNobody)
	case i.effects.limit > 0 && m.chance.Float64() < i.effects.limit:
		c.instance = i
		m.refuse(c, i.origin, statusLimited, flagLimited)
	case i.full():
		c.instance = i
		m.refuse(c, i.origin, statusRefused, flagOverflow)
	default:
		i.enter(c)
		c.version.flight(m.now, 1)
		if i.free() {
			m.begin(c)
		} else {
			i.waiting.push(c)
		}
	}
}

// begin gives a call a worker.
func (m *Mesh) begin(c *call) {
	i := c.instance
	c.worker, c.works = true, true
	i.taken++
	i.work(m.now, 1)
	own := m.workOf(c.version)
	c.worked = own
	m.calendar.plan(event{at: m.now + int64(float64(own)*i.effects.slowdown), what: onWorked, call: c, token: c.id})
}

// workOf draws the time of a call's own work.
func (m *Mesh) workOf(v *version) time.Duration {
	switch v.cfg.Variability {
	case Exponential:
		return time.Duration(m.chance.ExpFloat64() * float64(v.cfg.Work))
	case Lognormal:
		return seconds(math.Exp(v.mu + v.sigma*m.chance.NormFloat64()))
	case Constant:
	}
	return v.cfg.Work
}

// worked ends a call's own work; it goes on with its calls.
func (m *Mesh) worked(c *call) {
	c.works = false
	c.instance.work(m.now, -1)
	if !c.service.cfg.HoldWorker {
		m.release(c)
	}
	m.proceed(c)
}

// release gives a call's worker to the one that waits longest.
func (m *Mesh) release(c *call) {
	i := c.instance
	c.worker = false
	i.taken--
	if i.waiting.len() > 0 && i.state != gone {
		m.begin(i.waiting.pop())
	}
}

// proceed makes the next of a call's calls, or lets it end.
func (m *Mesh) proceed(c *call) {
	for c.failed == 0 && c.next < len(c.service.calls) {
		c.next++
		if m.chance.Float64() < c.service.cfg.Calls[c.next-1].Probability {
			c.attempts, c.storms = 0, 0
			m.attempt(c)
			return
		}
	}
	if wait := time.Duration((c.instance.effects.latency - 1) * float64(c.worked)); wait > 0 {
		m.calendar.plan(event{at: m.now + int64(wait), what: onAnswer, call: c, token: c.id})
		return
	}
	m.answer(c)
}

// answer ends a call whose work and calls are done.
func (m *Mesh) answer(c *call) {
	status := statusOK
	wrong := 1 - (1-c.version.cfg.ErrorRate)*(1-c.instance.effects.errors)
	switch {
	case c.failed != 0:
		status = c.failed
	case wrong > 0 && m.chance.Float64() < wrong:
		status = statusError
	}
	m.end(c, status, "")
}

// end ends a call that was inside an instance.
func (m *Mesh) end(c *call, status int, flags string) {
	i := c.instance
	if c.works {
		i.work(m.now, -1)
	}
	if c.worker {
		m.release(c)
	}
	i.leave(c)
	c.version.flight(m.now, -1)
	m.record(c, i.origin, status, flags)
	if i.state == draining && len(i.inside) == 0 {
		m.remove(i)
	}
	m.deliver(c, status)
}

// refuse ends a call that never reached a worker.
func (m *Mesh) refuse(c *call, by *Origin, status int, flags string) {
	m.record(c, by, status, flags)
	m.deliver(c, status)
}

// deliver tells the caller, if it still waits, and frees the call's memory.
func (m *Mesh) deliver(c *call, status int) {
	caller, id := c.caller, c.id
	storm := 0
	if c.instance != nil {
		storm = c.instance.effects.storm
	}
	*c = call{}
	m.spare = append(m.spare, c)
	if caller == nil {
		m.truth.Ended++
		return
	}
	if caller.child == id {
		m.settle(caller, status, storm)
	}
}
