package weirexporter

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

const (
	// maxSenders bounds the senders whose rows are told of. More are counted in the totals alone.
	maxSenders = 4096
	// rememberFor is how long a window's rows are remembered: longer than rows of it are taken for recent.
	rememberFor = 3 * time.Minute
)

// ledger is what an exporter has written: totals, and rows by sender and window. It makes the samples a collector tells about itself, which
// features compare with what they count. It is safe for concurrent use.
type ledger struct {
	tenant, id string

	mu       sync.Mutex // guards what follows
	received uint64
	sent     uint64
	dropped  map[string]uint64 // by reason; reasons are few, they are in the code
	senders  map[schemas.Origin]map[int64]*entry
}

// entry is the rows of one sender and window.
type entry struct {
	rows uint64
	told bool // since they rose last
}

func newLedger(tenant, id string) *ledger {
	return &ledger{tenant: tenant, id: id, dropped: map[string]uint64{}, senders: map[schemas.Origin]map[int64]*entry{}}
}

func (l *ledger) receive(spans int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received += uint64(spans)
}

func (l *ledger) drop(reason string, spans int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped[reason] += uint64(spans)
}

// write notes rows that Kafka holds.
func (l *ledger) write(written []rows.Written, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent += uint64(n)
	for _, w := range written {
		windows := l.senders[w.From]
		if windows == nil {
			if len(l.senders) >= maxSenders {
				continue
			}
			windows = map[int64]*entry{}
			l.senders[w.From] = windows
		}
		e := windows[w.Window]
		if e == nil {
			e = &entry{}
			windows[w.Window] = e
		}
		e.rows, e.told = e.rows+w.Rows, false
	}
}

// samples says what is new at now, and forgets what is long ago. If they get lost, the totals come again with the next ones; the rows only
// if they rise, and rows that nobody tells of are missed by nobody.
func (l *ledger) samples(now time.Time, stopped bool) []columns.Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	self := schemas.Origin{Workload: schemas.Workload{Tenant: l.tenant, Name: schemas.CollectorWorkload}, Instance: l.id}
	var out []columns.Sample
	tell := func(metric string, value float64) {
		out = append(out, columns.Sample{Time: now.UnixNano(), Origin: self, Metric: metric, Unit: "{span}", Value: value})
	}
	tell(schemas.MetricReceived, float64(l.received))
	tell(schemas.MetricSent, float64(l.sent))
	for _, reason := range slices.Sorted(maps.Keys(l.dropped)) {
		tell(schemas.MetricDropped+"{reason="+reason+"}", float64(l.dropped[reason]))
	}
	if stopped {
		tell(schemas.MetricStopped, 1)
	}
	return l.rows(out, now.Add(-rememberFor).UnixNano())
}

// rows appends the rows by sender and window that have risen, and forgets windows before oldest. The caller holds mu.
func (l *ledger) rows(out []columns.Sample, oldest int64) []columns.Sample {
	metric := schemas.RowsMetric(l.id)
	for from, windows := range l.senders {
		for start, e := range windows {
			if !e.told {
				out = append(out, columns.Sample{Time: start, Origin: from, Metric: metric, Unit: "{row}", Value: float64(e.rows)})
				e.told = true
			}
			if start < oldest {
				delete(windows, start)
			}
		}
		if len(windows) == 0 {
			delete(l.senders, from)
		}
	}
	return out
}
