package decide

import (
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/schemas/wire"
)

// Closed works out from progress records how far the windows are closed: the lowest watermark of all sources that are not idle. It
// never goes back.
type Closed struct {
	topics  []string // whose sources count
	expect  int      // sources to hear of before anything is closed
	sources map[string]wire.SourceProgress
	at      int64
}

// NewClosed counts the sources of the given topics. Nothing is closed before `expect` of them have been heard of: a worker that has not
// spoken yet may be far behind.
func NewClosed(expect int, topics ...string) *Closed {
	return &Closed{topics: topics, expect: expect, sources: map[string]wire.SourceProgress{}}
}

// Take notes what a features worker said.
func (c *Closed) Take(p wire.Progress) {
	for _, s := range p.Sources {
		topic, _, _ := strings.Cut(s.Source, "@")
		if slices.Contains(c.topics, topic) {
			c.sources[s.Source] = s
		}
	}
	if len(c.sources) >= c.expect {
		c.at = max(c.at, c.lowest())
	}
}

// At is the event time that every source has passed; zero while none has.
func (c *Closed) At() time.Time {
	if c.at <= 0 {
		return time.Time{}
	}
	return time.Unix(0, c.at).UTC()
}

func (c *Closed) lowest() int64 {
	low, idle := int64(-1), int64(0)
	for _, s := range c.sources {
		switch {
		case s.Idle:
			idle = max(idle, s.Watermark)
		case low < 0 || s.Watermark < low:
			low = s.Watermark
		}
	}
	if low < 0 {
		return idle
	}
	return low
}
