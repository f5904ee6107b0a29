package rows

import (
	"time"

	"github.com/weirmesh/weir/collector/names"
)

// timeLimits are how far from its receipt an event may be, in ns; 0 = any time.
type timeLimits struct{ future, past int64 }

// clock judges the times of one request's events.
type clock struct {
	*Converter
	now      time.Time
	received int64
	day      int64 // judged last, in days since 1970; -1 = none
	refused  bool  // that day
}

func (c *Converter) clock(received time.Time) clock {
	return clock{Converter: c, now: received, received: received.UnixNano(), day: -1}
}

// absurd says why nothing may be stored under a time, or "". Each day makes a partition of every table, so who may choose any time could
// fill the store with them.
func (c *clock) absurd(t int64) string {
	if c.times.future > 0 && t-c.received > c.times.future || c.times.past > 0 && c.received-t > c.times.past {
		return "clock_absurd"
	}
	if day := names.DayOf(t); day != c.day {
		c.day, c.refused = day, !c.names.Day(c.source, c.now, day)
	}
	if c.refused {
		return "too_many_days"
	}
	return ""
}
