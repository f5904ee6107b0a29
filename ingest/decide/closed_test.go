package decide_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest/decide"
	"github.com/weirmesh/weir/schemas/wire"
)

func said(name string, watermark int64, idle bool) wire.SourceProgress {
	return wire.SourceProgress{Source: name, Watermark: watermark * int64(time.Second), Idle: idle}
}

func TestClosed(t *testing.T) {
	const a, b, s = "weir.calls@i/0", "weir.calls@i/1", "weir.samples@i/0"
	const a1, b1 = "weir.calls@i.1/0", "weir.calls@i.1/1"
	for _, c := range []struct {
		name string
		said []wire.SourceProgress
		want int64 // seconds; 0 = nothing is closed
	}{
		{"nothing was said", nil, 0},
		{"one of two was heard of", []wire.SourceProgress{said(a, 100, false)}, 0},
		{"the lowest counts", []wire.SourceProgress{said(a, 100, false), said(b, 90, false)}, 90},
		{"a source that has seen nothing holds all back", []wire.SourceProgress{said(a, 100, false), said(b, 0, false)}, 0},
		{"an idle one does not", []wire.SourceProgress{said(a, 100, false), said(b, 90, true)}, 100},
		{"all idle: the furthest", []wire.SourceProgress{said(a, 100, true), said(b, 90, true)}, 100},
		{"the last word counts", []wire.SourceProgress{said(a, 100, false), said(b, 90, false), said(b, 120, false)}, 100},
		{"it never goes back", []wire.SourceProgress{said(a, 100, false), said(b, 90, false), said(b, 80, false)}, 90},
		{"what was said of a topic before it was made anew is over", []wire.SourceProgress{said(a, 100, false), said(b, 10, false), said(a1, 90, false)}, 10},
		{"a topic made anew is heard of", []wire.SourceProgress{said(a, 100, false), said(a1, 120, false), said(b1, 130, false), said(a, 10, false)}, 120},
		{"other topics do not count", []wire.SourceProgress{said(a, 100, false), said(b, 90, false), said(s, 10, false)}, 90},
	} {
		t.Run(c.name, func(t *testing.T) {
			closed := decide.NewClosed(2, wire.TopicCalls)
			for _, s := range c.said {
				closed.Take(wire.Progress{Sources: []wire.SourceProgress{s}})
			}
			want := time.Time{}
			if c.want > 0 {
				want = time.Unix(c.want, 0).UTC()
			}
			if got := closed.At(); !got.Equal(want) {
				t.Errorf("closed at %s, want %s", got, want)
			}
		})
	}
}
