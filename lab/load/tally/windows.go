package tally

import (
	"maps"
	"slices"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
)

// cell is what is counted of requests that belong together.
type cell struct {
	outcomes  Outcomes
	endpoints map[string]Histogram // latency
	lag       Histogram
}

func newCell() *cell {
	return &cell{outcomes: Outcomes{}, endpoints: map[string]Histogram{}, lag: Histogram{}}
}

func (c *cell) add(e End) {
	c.outcomes[e.Outcome]++
	if c.endpoints[e.Endpoint] == nil {
		c.endpoints[e.Endpoint] = Histogram{}
	}
	c.endpoints[e.Endpoint].Add(e.Ended.Sub(e.Scheduled))
	c.lag.Add(e.Sent.Sub(e.Scheduled))
}

// latency is that of all endpoints. The caller owns it.
func (c *cell) latency() Histogram {
	sum := Histogram{}
	for _, h := range c.endpoints {
		sum.Merge(h)
	}
	return sum
}

// windows are cells by the start of their window, in Unix seconds.
type windows map[int64]*cell

// at returns the window of a time, and forgets what is too old.
func (w windows) at(t time.Time) *cell {
	start := startOf(t).Unix()
	c := w[start]
	if c == nil {
		c = newCell()
		w[start] = c
		if len(w) > Kept {
			delete(w, slices.Min(slices.Collect(maps.Keys(w))))
		}
	}
	return c
}

// startOf is when the window of a time began. Truncate would count from year 1, which is the same for windows of 10 s.
func startOf(t time.Time) time.Time { return t.Truncate(Window) }

// By is the time that puts a request into a window.
type By string

// The times. What Weir counts in a window are the calls that ended in it.
const (
	Completed By = "completed"
	Scheduled By = "scheduled"
)

// Row is one window.
type Row struct {
	Start        time.Time `json:"start"`
	Sent         uint64    `json:"sent"` // and ended
	OK           uint64    `json:"ok"`
	ClientErrors uint64    `json:"client_errors"`
	Errors       uint64    `json:"errors"` // all others
	NotSent      uint64    `json:"not_sent"`
	P50          float64   `json:"p50_ms"`
	P99          float64   `json:"p99_ms"`
	LagP99       float64   `json:"lag_p99_ms"`
}

// Rows returns the windows that are remembered, in order. The last may not be over.
func (t *Tally) Rows(by By) []Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.completed
	if by == Scheduled {
		w = t.scheduled
	}
	out := []Row{}
	for _, start := range slices.Sorted(maps.Keys(w)) {
		c := w[start]
		latency := c.latency()
		out = append(out, Row{
			Start: time.Unix(start, 0).UTC(), Sent: c.outcomes.Sent(), OK: c.outcomes[ledger.OK],
			ClientErrors: c.outcomes[ledger.ClientError], Errors: c.outcomes.Errors(), NotSent: c.outcomes[NotSent],
			P50: Millis(latency.Quantile(0.5)), P99: Millis(latency.Quantile(0.99)), LagP99: Millis(c.lag.Quantile(0.99)),
		})
	}
	return out
}

// Latency is how long requests took that ended in some windows.
type Latency struct {
	All       Quantiles            `json:"all"`
	Endpoints map[string]Quantiles `json:"endpoints"`
	Lag       Quantiles            `json:"lag"` // how late they were sent: if it is not small, the generator was the bottleneck
}

// Latency returns that of the windows that begin in [from, to); a zero time is no bound. It is measured from when a request was to be
// sent, and includes requests that failed or were given up.
func (t *Tally) Latency(from, to time.Time) Latency {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := newCell()
	for start, c := range t.completed {
		at := time.Unix(start, 0)
		if !from.IsZero() && at.Before(from) || !to.IsZero() && !at.Before(to) {
			continue
		}
		for name, h := range c.endpoints {
			if sum.endpoints[name] == nil {
				sum.endpoints[name] = Histogram{}
			}
			sum.endpoints[name].Merge(h)
		}
		sum.lag.Merge(c.lag)
	}
	out := Latency{All: sum.latency().Quantiles(), Endpoints: map[string]Quantiles{}, Lag: sum.lag.Quantiles()}
	for name, h := range sum.endpoints {
		out.Endpoints[name] = h.Quantiles()
	}
	return out
}
