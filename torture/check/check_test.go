package check_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/torture/check"
	"github.com/weirmesh/weir/torture/traffic"
)

// event is one of a history.
type event func(*testing.T, *check.Checker)

func sent(index int, spans ...uint64) event {
	return func(t *testing.T, c *check.Checker) {
		if err := c.Sent(index, spans); err != nil {
			t.Fatal(err)
		}
	}
}

func acknowledged(index int) event {
	return func(t *testing.T, c *check.Checker) {
		if err := c.Acknowledged(index); err != nil {
			t.Fatal(err)
		}
	}
}

// at is a message in a partition that holds spans.
func at(partition int, offset int64, producer string, seq uint64, spans ...uint64) event {
	return func(_ *testing.T, c *check.Checker) {
		c.Logged(check.Message{Topic: "weir.calls", Partition: partition, Offset: offset, Producer: producer, Seq: seq, Spans: spans})
	}
}

func foreign(offset int64, n int) event {
	return func(_ *testing.T, c *check.Checker) {
		c.Logged(check.Message{Topic: "weir.calls", Offset: offset, Foreign: n})
	}
}

// in is the number of a span of a group.
func in(group, n uint64) uint64 { return group<<32 | n }

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		name    string
		history []event
		err     string // "" = nothing is wrong
		want    func(*check.Report)
	}{
		{"all is well", []event{
			sent(0, 1, 2), sent(1, 3), acknowledged(1), acknowledged(0),
			at(0, 5, "a", 1, 1, 2), at(0, 6, "b", 1, 3),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Farthest = 3, 3, 2, 3, 1
		}},
		{"an acknowledged span is nowhere", []event{
			sent(0, 1, 2), acknowledged(0), at(0, 0, "a", 1, 1),
		}, "1 lost: span 0x2 was acknowledged and is nowhere", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Lost.Count = 2, 2, 1, 1, 1
		}},
		{"never acknowledged: one is there, one is not", []event{
			sent(0, 1), sent(1, 2), at(0, 0, "a", 1, 1),
		}, "", func(r *check.Report) {
			r.Sent, r.Messages, r.Rows, r.Recovered, r.Unwritten = 2, 1, 1, 1, 1
		}},
		{"a span nobody sent", []event{
			sent(0, 1), acknowledged(0), at(0, 0, "a", 1, 1), at(0, 1, "a", 2, 7),
		}, "1 phantom: weir.calls/0 offset 1: span 0x7 was never sent", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Phantom.Count = 1, 1, 2, 2, 1
		}},
		{"ids nobody makes", []event{
			foreign(0, 3),
		}, "3 phantom", func(r *check.Report) {
			r.Messages, r.Phantom.Count = 1, 3
		}},
		{"the same message twice", []event{
			sent(0, 1, 2), acknowledged(0), at(0, 0, "a", 1, 1, 2), at(0, 1, "a", 1, 1, 2),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Repeated, r.Farthest = 2, 2, 2, 4, 2, 2, 1, 1
		}},
		{"the same spans in another message, thrice", []event{
			sent(0, 1), acknowledged(0), at(0, 0, "a", 1, 1), at(0, 1, "b", 1, 1), at(0, 2, "b", 2, 1),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Farthest = 1, 1, 3, 3, 1, 2, 2
		}},
		{"a message comes again with other spans", []event{
			sent(0, 1, 2), acknowledged(0), at(0, 0, "a", 1, 1, 2), at(0, 1, "a", 1, 1),
		}, "1 altered: weir.calls/0 offset 1: message 1 of a came before", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Repeated, r.Altered.Count, r.Farthest = 2, 2, 2, 3, 1, 1, 1, 1, 1
		}},
		{"a span in two partitions", []event{
			sent(0, 1), acknowledged(0), at(0, 0, "a", 1, 1), at(1, 0, "b", 1, 1),
		}, "1 misplaced: weir.calls/1 offset 0: span 0x1 is also in partition 0", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Misplaced.Count = 1, 1, 2, 2, 1, 1, 1
		}},
		{"requests side by side", []event{
			sent(0, 1), sent(1, 2), acknowledged(0), acknowledged(1), at(0, 0, "a", 2, 2), at(0, 1, "a", 1, 1),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Reordered, r.Farthest = 2, 2, 2, 2, 1, 1
		}},
		{"acknowledged before it was there", []event{
			sent(0, 1), acknowledged(0), sent(1, 2), acknowledged(1), at(0, 0, "a", 2, 2), at(0, 1, "a", 3, 1),
		}, "1 overtaken: weir.calls/0 offset 1: span 0x1", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Overtaken.Count, r.Farthest = 2, 2, 2, 2, 1, 1
		}},
		{"a late copy overtakes nobody", []event{
			sent(0, 1), acknowledged(0), sent(1, 2), acknowledged(1), at(0, 0, "a", 1, 1), at(0, 1, "a", 2, 2), at(0, 2, "a", 1, 1),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Repeated, r.Farthest = 2, 2, 3, 3, 1, 1, 1, 2
		}},
		{"offsets with a hole, and again", []event{
			sent(0, 1, 2, 3), at(0, 3, "a", 1, 1), at(0, 6, "a", 2, 2), at(0, 6, "a", 3, 3),
		}, "2 holes: weir.calls/0 offset 6: nothing since offset 3\n1 rewound: weir.calls/0 offset 6: comes after", func(r *check.Report) {
			r.Sent, r.Messages, r.Rows, r.Recovered, r.Holes.Count, r.Rewound.Count, r.Farthest = 3, 3, 3, 3, 2, 1, 3
		}},
		{"a group too wide for the join, and one that is not", []event{
			sent(0, in(1, 1), in(1, 2), in(2, 1)), acknowledged(0),
			at(0, 0, "a", 1, in(1, 1)), at(0, 1, "a", 2, in(2, 1)), at(0, 2, "x", 1), at(0, 3, "x", 2), at(0, 4, "x", 3),
			at(0, 5, "a", 3, in(2, 1)), at(0, 6, "a", 4, in(1, 2)),
		}, "", func(r *check.Report) {
			r.Sent, r.Acknowledged, r.Messages, r.Rows, r.Doubled, r.Copies, r.Stretched.Count, r.Farthest = 3, 3, 7, 4, 1, 1, 1, 6
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := check.New(check.Config{Memory: 4})
			for _, e := range tt.history {
				e(t, c)
			}
			got := c.Report()
			var want check.Report
			tt.want(&want)
			if g, w := counts(got), counts(want); g != w {
				t.Errorf("got\n%swant\n%s", g, w)
			}
			switch err := got.Err(); {
			case tt.err == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)):
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

// counts is a report without its examples.
func counts(r check.Report) string {
	return strings.Join(slices.DeleteFunc(strings.Split(r.String(), "\n"), func(s string) bool { return strings.HasPrefix(s, " ") }), "\n")
}

func TestAHistoryThatCannotBe(t *testing.T) {
	c := check.New(check.Config{})
	if err := c.Acknowledged(0); err == nil {
		t.Error("a request that was never sent is acknowledged")
	}
	sent(0, 1)(t, c)
	acknowledged(0)(t, c)
	if c.Acknowledged(0) == nil || c.Sent(0, nil) == nil {
		t.Error("a request is sent or acknowledged twice")
	}
}

// TestFromTrafficToTheLog takes the collector's messages of generated traffic apart again: all is there, except what is left out.
func TestFromTrafficToTheLog(t *testing.T) {
	cfg := traffic.DefaultConfig()
	cfg.Calls, cfg.CallsPerRequest = 500, 10
	g, err := traffic.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	number := func(trace schemas.TraceID, id schemas.SpanID) (uint64, bool) {
		return traffic.Number(cfg.Seed, trace, id)
	}
	c, convert, seq := check.New(check.Config{Memory: 1024}), rows.New(rows.Config{}), int64(0)
	offsets, left := [2]int64{}, uint64(0)
	for r := range g.Requests() {
		sent(r.Index, traffic.Numbers(r.Traces)...)(t, c)
		acknowledged(r.Index)(t, c)
		batch, err := convert.Spans(r.Traces, rows.Layout{Calls: 2}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range batch.Records {
			seq++
			m, err := check.Read(message(record, offsets[record.Partition], seq), number)
			if err != nil {
				t.Fatal(err)
			}
			if m.Foreign > 0 {
				t.Fatalf("%d spans of request %d have ids of no number", m.Foreign, r.Index)
			}
			if seq == 20 { // lost on the way
				left = uint64(len(m.Spans))
				continue
			}
			offsets[record.Partition]++
			c.Logged(m)
		}
	}
	end := traffic.EndOfStream(g.End(), map[string]int{wire.TopicCalls: 2})
	m, err := check.Read(message(end[0], offsets[0], 0), number)
	if err != nil {
		t.Fatal(err)
	}
	c.Logged(m)
	got, truth := c.Report(), g.Truth().Total()
	if got.Sent != truth.Spans || got.Acknowledged != truth.Spans || got.Doubled == 0 {
		t.Errorf("%d spans sent, %d acknowledged, %d doubled; want %d, all, some", got.Sent, got.Acknowledged, got.Doubled, truth.Spans)
	}
	if got.Lost.Count == 0 || got.Lost.Count > left || len(got.Lost.First) > check.Examples {
		t.Errorf("%d lost with %d examples, of a message with %d spans", got.Lost.Count, len(got.Lost.First), left)
	}
	got.Lost = check.Finding{}
	if err := got.Err(); err != nil {
		t.Error(err)
	}
}

func message(r ingest.Record, offset, seq int64) ingest.Message {
	m := ingest.Message{Source: schemas.Source{Topic: r.Topic, Partition: r.Partition}, Offset: offset, Value: r.Value, Headers: r.Headers}
	if seq > 0 {
		m.Headers = append(m.Headers,
			wire.Header{Key: wire.HeaderProducer, Value: "p"}, wire.Header{Key: wire.HeaderSeq, Value: strconv.FormatInt(seq, 10)})
	}
	return m
}

func TestUnreadableMessages(t *testing.T) {
	number := func(schemas.TraceID, schemas.SpanID) (uint64, bool) { return 0, false }
	m := ingest.Message{Source: schemas.Source{Topic: wire.TopicCalls}}
	if _, err := check.Read(m, number); err == nil {
		t.Error("a message without producer is read")
	}
	m.Headers = []wire.Header{{Key: wire.HeaderProducer, Value: "p"}, {Key: wire.HeaderSeq, Value: "1"}}
	if _, err := check.Read(m, number); err == nil {
		t.Error("a message without rows is read")
	}
}

func BenchmarkSpans(b *testing.B) {
	const perRequest = 700
	for b.Loop() {
		c := check.New(check.Config{Memory: 1024})
		for r := range 1000 {
			spans := make([]uint64, perRequest)
			for i := range spans {
				spans[i] = in(uint64(r/64+1), uint64(r%64*perRequest+i+1))
			}
			m := check.Message{Topic: "t", Offset: int64(r), Producer: "p", Seq: uint64(r), Spans: spans}
			if c.Sent(r, spans) != nil || c.Acknowledged(r) != nil {
				b.Fatal("history is refused")
			}
			c.Logged(m)
		}
		if r := c.Report(); r.Err() != nil || r.Rows != 1000*perRequest {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.N)*1000*perRequest/b.Elapsed().Seconds(), "spans/s")
}
