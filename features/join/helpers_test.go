package join_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// span is a row as the tables of this package write it. Places are "workload" or "workload/instance"; ids are numbers within a trace.
type span struct {
	trace, id, parent int
	at                string
	kind              schemas.Kind
	peer              string
	end               int64
	lost              bool
	retry             bool
}

const (
	none     = schemas.KindUnspecified
	inner    = schemas.KindInternal
	server   = schemas.KindServer
	client   = schemas.KindClient
	producer = schemas.KindProducer
	consumer = schemas.KindConsumer
)

func place(at string) schemas.Origin {
	o := schemas.Origin{Workload: schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "n", Name: at}}
	for i := range at {
		if at[i] == '/' {
			o.Name, o.Instance = at[:i], at[i+1:]
		}
	}
	return o
}

func (s span) row() columns.Span {
	row := columns.Span{Kind: s.kind, HasParent: s.parent != 0, Measure: schemas.Measure{End: s.end, Weight: schemas.One}}
	row.Trace[0], row.Trace[1] = byte(s.trace), byte(s.trace>>8)
	row.ID[0], row.ID[1] = byte(s.id), byte(s.id>>8)
	row.Parent[0], row.Parent[1] = byte(s.parent), byte(s.parent>>8)
	if s.lost {
		row.Flags |= schemas.FlagLost
	}
	if s.retry {
		row.Flags |= schemas.FlagRetry
	}
	return row
}

// batch builds the message that holds the spans.
func batch(spans ...span) columns.SpanBatch {
	b := columns.SpanBatch{Peers: []columns.Peer{{}}}
	for _, s := range spans {
		row := s.row()
		row.Origin = indexOf(&b.Origins, place(s.at))
		row.Peer = indexOf(&b.Peers, columns.Peer{Name: s.peer})
		b.Spans = append(b.Spans, row)
	}
	return b
}

func indexOf[T comparable](all *[]T, value T) int {
	if i := slices.Index(*all, value); i >= 0 {
		return i
	}
	*all = append(*all, value)
	return len(*all) - 1
}

// recorder writes down what a Joiner puts out, by offset.
type recorder struct {
	offset int64
	by     map[int64][]string
}

var _ join.Output = (*recorder)(nil)

func newRecorder() *recorder { return &recorder{by: map[int64][]string{}} }

func (r *recorder) note(format string, args ...any) {
	r.by[r.offset] = append(r.by[r.offset], fmt.Sprintf(format, args...))
}

func (r *recorder) Call(c schemas.Call) {
	r.note("call %s -> %s by %s at %d", shown(c.From), shown(c.To), c.Evidence, c.End)
	if c.Flags&schemas.FlagRetry != 0 {
		r.Retried(c)
	}
}

func (r *recorder) Retried(c schemas.Call) {
	r.note("retried %s -> %s at %d", shown(c.From), shown(c.To), c.End)
}

func (r *recorder) Seen(from schemas.Origin, end int64, what join.Fate) {
	r.note("%s %s at %d", [...]string{join.Fresh: "fresh", join.Duplicate: "duplicate", join.Lost: "lost"}[what], shown(from), end)
}

func (r *recorder) Orphan(from schemas.Origin, end int64, counted bool) {
	r.note("orphan %s at %d counted %t", shown(from), end, counted)
}

func shown(o schemas.Origin) string {
	if o.Instance == "" {
		return o.Name
	}
	return o.Name + "/" + o.Instance
}

// from returns what was put out at or after an offset, sorted within each offset.
func (r *recorder) from(offset int64) []string {
	var offsets []int64
	for at := range r.by {
		if at >= offset {
			offsets = append(offsets, at)
		}
	}
	slices.Sort(offsets)
	var out []string
	for _, at := range offsets {
		lines := slices.Sorted(slices.Values(r.by[at]))
		for _, line := range lines {
			out = append(out, fmt.Sprintf("%d: %s", at, line))
		}
	}
	return out
}

// only returns the lines that begin with one of the words, sorted, offsets left out.
func (r *recorder) only(words ...string) []string {
	var out []string
	for _, lines := range r.by {
		for _, line := range lines {
			for _, word := range words {
				if len(line) > len(word) && line[:len(word)+1] == word+" " {
					out = append(out, line)
				}
			}
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// step is one message of a log: spans, or a control message that ends what is older than a time, or nothing readable.
type step struct {
	spans     []span
	endBefore int64
	empty     bool
}

func (s step) feed(j *join.Joiner, offset int64, r *recorder) {
	r.offset = offset
	switch {
	case s.empty:
		j.Advance(offset, r)
	case s.endBefore != 0:
		j.EndBefore(offset, s.endBefore, r)
	default:
		j.Message(offset, batch(s.spans...), r)
	}
}

// run feeds the log from an offset on.
func run(log []step, from, length int64) *recorder {
	r, j := newRecorder(), join.New(length)
	for offset := from; offset < int64(len(log)); offset++ {
		log[offset].feed(j, offset, r)
	}
	return r
}

// diff tells the first place where two sorted lists part.
func diff(got, want []string) string {
	for i := range max(len(got), len(want)) {
		at := func(s []string) string {
			if i < len(s) {
				return s[i]
			}
			return "(end)"
		}
		if at(got) != at(want) {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i, at(got), at(want))
		}
	}
	return ""
}
