package tally

import (
	"maps"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Window is how long a window lasts. Windows are aligned to the Unix epoch, as Weir's are.
const Window = 10 * time.Second

// Kept is how many windows are remembered: six hours. Totals are of all time.
const Kept = 2160

// End is the end of one request.
type End struct {
	Scheduled time.Time // when it was to be sent: latency is measured from there
	Sent      time.Time
	Ended     time.Time // when its last byte had come, or it was given up
	Endpoint  string
	Outcome   string
	Kind      spec.FaultKind // "" = ordinary
}

// Totals are counts of all time.
type Totals struct {
	Sum       Outcomes                    `json:"sum"`
	Endpoints map[string]Outcomes         `json:"endpoints"`
	Faults    map[spec.FaultKind]Outcomes `json:"faults"` // requests of faults, which are in Sum and Endpoints too
}

// Tally is the count. It is safe for concurrent use.
type Tally struct {
	mu        sync.Mutex // guards all
	totals    Totals
	completed windows // by the time of the end, as Weir's windows
	scheduled windows
	recent    *cell // since the last Recent
}

// New returns an empty tally.
func New() *Tally {
	return &Tally{
		totals:    Totals{Sum: Outcomes{}, Endpoints: map[string]Outcomes{}, Faults: map[spec.FaultKind]Outcomes{}},
		completed: windows{}, scheduled: windows{}, recent: newCell(),
	}
}

// Add counts the end of a request that was sent.
func (t *Tally) Add(e End) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(e.Endpoint, e.Kind, e.Outcome)
	t.completed.at(e.Ended).add(e)
	t.scheduled.at(e.Scheduled).add(e)
	t.recent.add(e)
}

// NotSent counts a request that was not sent.
func (t *Tally) NotSent(scheduled time.Time, endpoint string, kind spec.FaultKind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(endpoint, kind, NotSent)
	t.completed.at(scheduled).outcomes[NotSent]++
	t.scheduled.at(scheduled).outcomes[NotSent]++
	t.recent.outcomes[NotSent]++
}

func (t *Tally) count(endpoint string, kind spec.FaultKind, outcome string) {
	t.totals.Sum[outcome]++
	add(t.totals.Endpoints, endpoint, outcome)
	if kind != "" {
		add(t.totals.Faults, kind, outcome)
	}
}

// Totals returns the counts so far. The caller owns them.
func (t *Tally) Totals() Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := Totals{Sum: maps.Clone(t.totals.Sum), Endpoints: map[string]Outcomes{}, Faults: map[spec.FaultKind]Outcomes{}}
	for name, o := range t.totals.Endpoints {
		out.Endpoints[name] = maps.Clone(o)
	}
	for kind, o := range t.totals.Faults {
		out.Faults[kind] = maps.Clone(o)
	}
	return out
}

// Recent is what ended since the last call, or since the beginning.
func (t *Tally) Recent() Recent {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.recent
	t.recent = newCell()
	return Recent{Outcomes: c.outcomes, Latency: c.latency(), Lag: c.lag}
}

// Recent is a short time.
type Recent struct {
	Outcomes     Outcomes
	Latency, Lag Histogram
}
