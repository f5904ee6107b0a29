package recording

import (
	"cmp"
	"slices"
	"time"
)

// Truth is what a recording holds, counted the slow and plain way: everything in memory, nothing forgotten.
//
// The rules: (trace id, span id) counts once. A span whose parent is in another pod is a call from the parent's
// workload to its own, unless it is itself a CLIENT or PRODUCER. A root is a call from "" unless it is a CLIENT,
// PRODUCER or INTERNAL span. A SERVER or CONSUMER span whose parent never comes is a call from "?"; other orphans are
// inner work. A CLIENT or PRODUCER span with a declared peer and no child in another pod is a call to that peer. A call
// belongs to the window of its end; one that ends before it starts took no time.
type Truth struct {
	Rows       int `json:"rows"`       // spans read
	Spans      int `json:"spans"`      // different ones
	Duplicates int `json:"duplicates"` // Rows - Spans
	Bad        int `json:"bad"`        // rows that cannot be read
	Orphans    int `json:"orphans"`    // spans whose parent never comes, of any kind
	Calls      int `json:"calls"`
	Errors     int `json:"errors"`
	Backwards  int `json:"backwards"` // spans that end before they start

	Edges       []EdgeCount   `json:"edges"`        // of the whole recording
	Windows     []WindowCount `json:"windows"`      // of 10 s, 60 s and 3600 s
	EdgeWindows []EdgeCount   `json:"edge_windows"` // of 10 s, 60 s and 3600 s
}

// Window is a stretch of event time, aligned to the epoch.
type Window struct {
	Seconds int64 `json:"window_seconds"` // 0: the whole recording
	Start   int64 `json:"window_start"`   // seconds since the epoch
}

// WindowCount is what arrived at one workload in one window. The percentiles are exact, by nearest rank.
type WindowCount struct {
	Window
	Workload   string        `json:"workload"`
	Calls      int           `json:"calls"`
	Errors     int           `json:"errors"`
	DurationNS int64         `json:"duration_ns"` // sum
	P50        time.Duration `json:"p50_ns"`
	P95        time.Duration `json:"p95_ns"`
	P99        time.Duration `json:"p99_ns"`
}

// EdgeCount is what one workload asked of another in one window.
type EdgeCount struct {
	Window
	Source      string `json:"source"` // "" from outside, "?" unknown
	Destination string `json:"destination"`
	Calls       int    `json:"calls"`
	Errors      int    `json:"errors"`
}

// windowSizes are the sizes that are stored, in seconds.
func windowSizes() []int64 { return []int64{10, 60, 3600} }

// observed is a span as a reader of either format saw it.
type observed struct {
	trace, id, parent  string // parent "" = root
	instance, workload string
	kind               int
	start, end         int64
	failed             bool
	peer               string
}

type spanKey struct{ trace, id string }

type counter struct {
	truth Truth
	spans []observed
	index map[spanKey]int
}

func newCounter() *counter { return &counter{index: map[spanKey]int{}} }

func (c *counter) add(o observed) {
	c.truth.Rows++
	key := spanKey{o.trace, o.id}
	if _, known := c.index[key]; known {
		c.truth.Duplicates++
		return
	}
	c.index[key] = len(c.spans)
	c.spans = append(c.spans, o)
}

// result turns the spans into calls, now that all are known.
func (c *counter) result() Truth {
	c.truth.Spans = len(c.spans)
	t := newTally(&c.truth)
	answered := make([]bool, len(c.spans)) // has a child in another instance
	for i := range c.spans {
		s := &c.spans[i]
		asks := s.kind == client || s.kind == producer
		if s.end < s.start {
			c.truth.Backwards++
		}
		parent, known := c.index[spanKey{s.trace, s.parent}]
		switch {
		case s.parent == "":
			if !asks && s.kind != internal {
				t.call(s, "", s.workload)
			}
		case !known:
			c.truth.Orphans++
			if s.kind == server || s.kind == consumer {
				t.call(s, "?", s.workload)
			}
		case c.spans[parent].instance != s.instance:
			answered[parent] = true
			if !asks {
				t.call(s, c.spans[parent].workload, s.workload)
			}
		}
	}
	for i := range c.spans {
		s := &c.spans[i]
		if (s.kind == client || s.kind == producer) && s.peer != "" && !answered[i] {
			t.call(s, s.workload, s.peer)
		}
	}
	t.finish()
	return c.truth
}

type windowKey struct {
	Window
	workload string
}

type edgeKey struct {
	Window
	source, destination string
}

// tally adds up calls.
type tally struct {
	truth     *Truth
	windows   map[windowKey]*WindowCount
	durations map[windowKey][]int64
	edges     map[edgeKey]*EdgeCount
}

func newTally(truth *Truth) *tally {
	return &tally{truth: truth, windows: map[windowKey]*WindowCount{}, durations: map[windowKey][]int64{}, edges: map[edgeKey]*EdgeCount{}}
}

func (t *tally) call(s *observed, from, to string) {
	failed := 0
	if s.failed {
		failed = 1
	}
	t.truth.Calls++
	t.truth.Errors += failed
	t.edge(Window{}, from, to, failed)
	duration := max(0, s.end-s.start)
	for _, size := range windowSizes() {
		w := Window{Seconds: size, Start: s.end / 1e9 / size * size}
		t.edge(w, from, to, failed)
		key := windowKey{w, to}
		if t.windows[key] == nil {
			t.windows[key] = &WindowCount{Window: w, Workload: to}
		}
		t.windows[key].Calls++
		t.windows[key].Errors += failed
		t.windows[key].DurationNS += duration
		t.durations[key] = append(t.durations[key], duration)
	}
}

func (t *tally) edge(w Window, from, to string, failed int) {
	key := edgeKey{w, from, to}
	if t.edges[key] == nil {
		t.edges[key] = &EdgeCount{Window: w, Source: from, Destination: to}
	}
	t.edges[key].Calls++
	t.edges[key].Errors += failed
}

// finish moves the sums into the truth, sorted.
func (t *tally) finish() {
	for key, w := range t.windows {
		d := t.durations[key]
		slices.Sort(d)
		w.P50, w.P95, w.P99 = rank(d, 50), rank(d, 95), rank(d, 99)
		t.truth.Windows = append(t.truth.Windows, *w)
	}
	for _, e := range t.edges {
		if e.Seconds == 0 {
			t.truth.Edges = append(t.truth.Edges, *e)
		} else {
			t.truth.EdgeWindows = append(t.truth.EdgeWindows, *e)
		}
	}
	slices.SortFunc(t.truth.Windows, func(a, b WindowCount) int {
		return cmp.Or(compareWindows(a.Window, b.Window), cmp.Compare(a.Workload, b.Workload))
	})
	for _, edges := range [][]EdgeCount{t.truth.Edges, t.truth.EdgeWindows} {
		slices.SortFunc(edges, func(a, b EdgeCount) int {
			return cmp.Or(compareWindows(a.Window, b.Window), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination))
		})
	}
}

func compareWindows(a, b Window) int {
	return cmp.Or(cmp.Compare(a.Seconds, b.Seconds), cmp.Compare(a.Start, b.Start))
}

// rank is the nearest-rank percentile of sorted values: the smallest one that percent of all are not above.
func rank(sorted []int64, percent int) time.Duration {
	return time.Duration(sorted[(len(sorted)*percent+99)/100-1])
}
