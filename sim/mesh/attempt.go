package mesh

import "time"

// attempt lets c make the call it is at, once.
func (m *Mesh) attempt(c *call) {
	to := &c.service.cfg.Calls[c.next-1]
	child := m.newCall(c.service.calls[c.next-1])
	child.trace, child.parent, child.caller, child.resend = c.trace, c.id, c, c.attempts
	c.child = child.id
	c.attempts++
	if to.Timeout > 0 {
		m.calendar.plan(event{at: m.now + int64(to.Timeout), what: onTimeout, call: c, token: child.id})
	}
	m.arrive(child)
}

// settle decides what c makes of the end of an attempt: repeat it, go on, or fail.
func (m *Mesh) settle(c *call, status, storm int) {
	c.child = 0
	to := &c.service.cfg.Calls[c.next-1]
	switch {
	case status == statusOK && c.storms < storm:
		c.storms++
		m.attempt(c)
	case status == statusOK || c.storms > 0: // what comes of a needless repetition does not matter
		m.proceed(c)
	case (status == statusRefused || status == timedOut) && c.attempts < to.Attempts:
		m.calendar.plan(event{at: m.now + m.pause(to.Backoff), what: onResend, call: c, token: c.id})
	default:
		if !to.Optional {
			c.failed = failure(status)
		}
		m.proceed(c)
	}
}

// failure is the status of a call that could not do without another one.
func failure(status int) int {
	if status == timedOut || status == statusTimeout {
		return statusTimeout
	}
	return statusUpstream
}

// pause draws a backoff evenly from half to one and a half times its mean.
func (m *Mesh) pause(mean time.Duration) int64 {
	return int64(float64(mean) * (0.5 + m.chance.Float64()))
}
