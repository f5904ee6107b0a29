package weirexporter

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/weirmesh/weir/collector/names"
)

// shared is what the exporters of all signals of a collector have together: the names that they let through, so that a name is known for
// spans and gauges alike.
type shared struct {
	mu     sync.Mutex // guards the rest
	limits names.Limits
	table  *names.Table
	said   time.Time
}

// names returns the table with these limits. It outlives the exporters, which are built anew when the configuration is read again.
func (s *shared) names(l names.Limits) *names.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table == nil || s.limits != l {
		s.limits, s.table = l, names.New(l)
	}
	return s.table
}

// sayEvery is how often the log tells of names that are too many.
const sayEvery = time.Minute

// due reports whether the log may be told again.
func (s *shared) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.said) < sayEvery {
		return false
	}
	s.said = now
	return true
}

// overflowed counts the records of a request whose names were not let through.
func (e *exporterBase) overflowed(ctx context.Context, source string, records names.Counts) {
	if records == (names.Counts{}) {
		return
	}
	say := e.shared.due(e.now())
	for l, n := range records {
		if n == 0 {
			continue
		}
		level := names.Level(l).String()
		e.count.overflow(ctx, level, n)
		if say {
			e.logger.Warn("Too many names, records count as ~overflow",
				zap.String("level", level), zap.String("source", source), zap.Int("records", n))
		}
	}
}
