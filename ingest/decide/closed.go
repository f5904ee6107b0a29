package decide

import (
	"maps"
	"slices"
	"strconv"
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
	epochs  map[string]int // by topic
	at      int64
}

// NewClosed counts the sources of the given topics. Nothing is closed before `expect` of them have been heard of: a worker that has not
// spoken yet may be far behind.
func NewClosed(expect int, topics ...string) *Closed {
	return &Closed{topics: topics, expect: expect, sources: map[string]wire.SourceProgress{}, epochs: map[string]int{}}
}

// Take notes what a features worker said.
func (c *Closed) Take(p wire.Progress) {
	for _, s := range p.Sources {
		topic, epoch := epochOf(s.Source)
		if !slices.Contains(c.topics, topic) || epoch < c.epochs[topic] {
			continue
		}
		if epoch > c.epochs[topic] { // the topic was made anew, and what was said of the one before is over
			maps.DeleteFunc(c.sources, func(name string, _ wire.SourceProgress) bool { of, _ := epochOf(name); return of == topic })
			c.epochs[topic] = epoch
		}
		c.sources[s.Source] = s
	}
	if len(c.sources) >= c.expect {
		c.at = max(c.at, c.lowest())
	}
}

// epochOf returns a source's topic and how often that was made anew: 2 of weir.calls@cluster.2/7.
func epochOf(source string) (topic string, epoch int) {
	topic, log, _ := strings.Cut(source, "@")
	log, _, _ = strings.Cut(log, "/")
	if i := strings.LastIndexByte(log, '.'); i >= 0 {
		if n, err := strconv.Atoi(log[i+1:]); err == nil {
			return topic, n
		}
	}
	return topic, 0
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
