package complete

import "github.com/weirmesh/weir/schemas"

// tallies is an input by what it is about.
type tallies struct {
	counted  map[schemas.Origin]map[int64]float64         // rows by sender and window
	written  map[schemas.Origin]map[int64]float64         // the same, by the word of all collectors
	through  map[string]map[schemas.Origin]bool           // who was heard by a collector, around the time it was heard last
	scopes   map[string]map[int64]float64                 // counted rows by workload's scope and window
	everyone map[string]map[int64]float64                 // the same by tenant
	senders  map[schemas.Workload]map[schemas.Origin]bool // by workload
	called   map[schemas.Workload]map[int64]schemas.CalledWindow
}

func tally(in Input) *tallies {
	t := &tallies{
		counted: map[schemas.Origin]map[int64]float64{}, written: map[schemas.Origin]map[int64]float64{},
		through: map[string]map[schemas.Origin]bool{}, scopes: map[string]map[int64]float64{},
		everyone: map[string]map[int64]float64{}, senders: map[schemas.Workload]map[schemas.Origin]bool{},
		called: map[schemas.Workload]map[int64]schemas.CalledWindow{},
	}
	for _, c := range in.Counted {
		if _, twice := t.counted[c.From][c.Window]; twice {
			continue
		}
		add(t.counted, c.From, c.Window, float64(c.Rows))
		add(t.scopes, c.From.Scope(), c.Window, float64(c.Rows))
		add(t.everyone, c.From.Tenant, c.Window, float64(c.Rows))
		mark(t.senders, c.From.Workload, c.From)
	}
	for _, w := range in.Written {
		add(t.written, w.From, w.Window, float64(w.Rows))
		mark(t.senders, w.From.Workload, w.From)
	}
	last := map[string]int64{}
	for _, h := range in.Heartbeats {
		last[h.Collector] = h.Last
	}
	for _, w := range in.Written { // the windows that a dead collector told of last
		if l, ok := last[w.Collector]; ok && w.Window+(BaselineWindows+1)*window > l {
			mark(t.through, w.Collector, w.From)
		}
	}
	for _, c := range in.Called {
		if t.called[c.To] == nil {
			t.called[c.To] = map[int64]schemas.CalledWindow{}
		}
		t.called[c.To][c.Window] = c
	}
	return t
}

func add[K comparable](to map[K]map[int64]float64, k K, window int64, n float64) {
	if to[k] == nil {
		to[k] = map[int64]float64{}
	}
	to[k][window] += n
}

func mark[K comparable](to map[K]map[schemas.Origin]bool, k K, o schemas.Origin) {
	if to[k] == nil {
		to[k] = map[schemas.Origin]bool{}
	}
	to[k][o] = true
}
