package run

import (
	"context"
	"iter"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/torture/traffic"
	"github.com/weirmesh/weir/torture/verify"
)

// request is what a sender sends.
type request struct {
	index  int
	traces ptrace.Traces
	spans  []uint64 // its spans' numbers
}

// load is what a run sends, and the truth about it.
type load interface {
	// total is the number of requests, or a little more.
	total() int
	requests(ctx context.Context) iter.Seq2[request, error]
	// number is that of a span that was sent.
	number(trace schemas.TraceID, span schemas.SpanID) (uint64, bool)
	// end is behind every event time, once all requests are made.
	end() time.Time
	// compare holds the store to the truth.
	compare(ctx context.Context, cfg clickhouse.Config, ends map[string]int64) (Compared, error)
}

// made is traffic of a generator.
type made struct {
	seed      uint64
	generator *traffic.Generator
	truth     *traffic.Truth
}

func newMade(cfg Config) (*made, error) {
	of := traffic.DefaultConfig()
	of.Seed, of.Calls, of.Senders = cfg.Seed, cfg.Calls, cfg.Senders
	if cfg.Short { // fewer windows, and midnight in the middle
		of.Start, of.Span = of.Start.Add(90*time.Minute), 30*time.Minute
	}
	g, err := traffic.New(of)
	if err != nil {
		return nil, err
	}
	return &made{seed: cfg.Seed, generator: g, truth: g.Nothing()}, nil
}

func (m *made) total() int { return m.generator.Len() * traffic.BlockRequests }

func (m *made) requests(context.Context) iter.Seq2[request, error] {
	return func(yield func(request, error) bool) {
		for n := range m.generator.Len() {
			block := m.generator.Block(n)
			m.truth.Add(block.Truth)
			for r := range block.Requests() {
				if !yield(request{r.Index, r.Traces, traffic.Numbers(r.Traces)}, nil) {
					return
				}
			}
		}
	}
}

func (m *made) number(trace schemas.TraceID, span schemas.SpanID) (uint64, bool) {
	return traffic.Number(m.seed, trace, span)
}

func (m *made) end() time.Time { return m.generator.End() }

func (m *made) compare(ctx context.Context, cfg clickhouse.Config, ends map[string]int64) (Compared, error) {
	r, err := verify.Run(ctx, verify.Config{ClickHouse: cfg, Truth: m.truth, Ends: ends})
	if err != nil {
		return Compared{}, err
	}
	out := Compared{Text: r.String(), Calls: m.truth.Total().Calls}
	if err := r.Err(); err != nil {
		out.Wrong = err.Error()
	}
	for _, t := range r.Tables {
		out.add(t.Name, t.Equal, total(t.Wrong))
	}
	out.add("marks", r.Marks.Read-r.Marks.Count, r.Marks.Count)
	return out, nil
}

func total(wrong map[verify.Kind]int) (n int) {
	for _, of := range wrong {
		n += of
	}
	return n
}
