package rows_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestUnusableSpans(t *testing.T) {
	for _, tt := range []struct {
		reason string
		spoil  func(ptrace.Span)
		end    int64
	}{
		{"zero_trace_id", func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) }, 3_000_000_000},
		{"zero_span_id", func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) }, 3_000_000_000},
		{"no_end_time", func(s ptrace.Span) { s.SetEndTimestamp(0) }, received().UnixNano()},
		{"end_time_out_of_range", func(s ptrace.Span) { s.SetEndTimestamp(math.MaxInt64 + 1) }, received().UnixNano()},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			td := one(attrs{"service.name": "a", "secret": "s3cret"}, attrs{"secret": "s3cret", "http.route": "/s3cret"})
			span(td).SetName("GET /a\x00")
			span(td).Events().AppendEmpty().SetName("s3cret")
			span(td).Status().SetMessage("s3cret")
			tt.spoil(span(td))
			at := rows.Layout{Calls: 7, DeadLetters: 5}
			batch, err := rows.New(rows.Config{}).Spans(td, at, received())
			if err != nil {
				t.Fatal(err)
			}
			if len(batch.Losses) != 1 || batch.Losses[0] != (rows.Loss{Reason: tt.reason, Count: 1, DeadLetter: true}) || batch.Rows != 0 {
				t.Errorf("got %+v", batch.Losses)
			}
			row := decode(t, calls(batch.Records)[0]).Spans[0]
			want := schemas.Measure{End: tt.end, Flags: schemas.FlagLost, Weight: schemas.One, Status: schemas.Status{GRPC: schemas.NoGRPC}}
			if row.Measure != want || row.Trace != (schemas.TraceID{}) || row.Kind != schemas.KindServer {
				t.Errorf("got %+v, want %+v", row, want)
			}
			if p := calls(batch.Records)[0].Partition; p != wire.PartitionOf([]byte("//a"), at.Calls) {
				t.Errorf("lost row is in partition %d", p)
			}
			letter := of(wire.TopicDeadLetter, batch.Records)[0]
			if !json.Valid(letter.Value) || strings.Contains(string(letter.Value), "s3cret") || strings.Contains(string(letter.Value), `GET /a`) {
				t.Errorf("dead letter %s", letter.Value)
			}
			if reason, _ := wire.Find(letter.Headers, wire.HeaderReason); reason != tt.reason {
				t.Errorf("reason %q", reason)
			}
			if first, last, ok := wire.FindEvents(letter.Headers); !ok || first != tt.end || last != tt.end {
				t.Errorf("events %d to %d", first, last)
			}
		})
	}
}

func TestDeadLettersAreBounded(t *testing.T) {
	td := one(nil, nil)
	list := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for range rows.MaxDeadLetters + 500 {
		list.AppendEmpty()
	}
	batch, err := rows.New(rows.Config{}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(of(wire.TopicDeadLetter, batch.Records)); n != rows.MaxDeadLetters {
		t.Errorf("%d dead letters", n)
	}
	var counted, kept int
	for _, l := range batch.Losses {
		counted += l.Count
		if l.DeadLetter {
			kept += l.Count
		}
	}
	if counted != rows.MaxDeadLetters+500 || kept != rows.MaxDeadLetters || batch.Rows != 1 {
		t.Errorf("counted %d, kept %d, rows %d", counted, kept, batch.Rows)
	}
}
