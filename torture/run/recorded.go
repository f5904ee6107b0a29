package run

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/schemas"
	truths "github.com/weirmesh/weir/sim/recording"
	"github.com/weirmesh/weir/store/clickhouse"
)

// recorded is a recording, with the count of a program that shares nothing with Weir's. The ids of its spans are kept in memory.
type recorded struct {
	rec     *recording.Recording
	truth   truths.Truth
	count   int
	last    int64 // event time, Unix ns
	numbers map[identity]uint64
}

type identity struct {
	trace schemas.TraceID
	span  schemas.SpanID
}

func openRecorded(ctx context.Context, cfg Config) (*recorded, error) {
	rec, err := recording.Open(cfg.Recording, cfg.Format)
	if err != nil {
		return nil, err
	}
	r := &recorded{rec: rec, numbers: map[identity]uint64{}}
	if cfg.Format == recording.OTLPJSON {
		r.truth, err = truths.CountOTLP(cfg.Recording)
	} else {
		r.truth, err = truths.Count(cfg.Recording)
	}
	if err != nil {
		return nil, fmt.Errorf("count the recording: %w", err)
	}
	for _, err := range rec.Requests(ctx, recording.ReadConfig{}) {
		if err != nil {
			return nil, err
		}
		r.count++
	}
	return r, nil
}

func (r *recorded) total() int { return r.count }

func (r *recorded) requests(ctx context.Context) iter.Seq2[request, error] {
	return func(yield func(request, error) bool) {
		for q, err := range r.rec.Requests(ctx, recording.ReadConfig{}) {
			if err == nil && q.Signal != recording.Traces {
				continue
			}
			of := request{index: q.Index, traces: q.Traces}
			if err == nil {
				of.spans = r.name(q.Index, q.Traces)
			}
			if !yield(of, err) {
				return
			}
		}
	}
}

// name gives each span that is new a number, see check.
func (r *recorded) name(index int, traces ptrace.Traces) (out []uint64) {
	next := uint64(index+1) << 32
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				id := identity{schemas.TraceID(s.TraceID()), schemas.SpanID(s.SpanID())}
				if _, known := r.numbers[id]; !known {
					next++
					r.numbers[id] = next
				}
				out = append(out, r.numbers[id])
				r.last = max(r.last, int64(s.EndTimestamp()))
			}
		}
	}
	return out
}

func (r *recorded) number(trace schemas.TraceID, span schemas.SpanID) (uint64, bool) {
	n, ok := r.numbers[identity{trace, span}]
	return n, ok
}

func (r *recorded) end() time.Time { return time.Unix(0, r.last).Add(time.Hour) }

// tolerance is how far a percentile of a histogram may be from the exact one: half a bucket, and a little.
const tolerance = 0.025

func (r *recorded) compare(ctx context.Context, cfg clickhouse.Config, _ map[string]int64) (Compared, error) {
	windows, edges := map[string][]float64{}, map[string][]float64{}
	for _, w := range r.truth.Windows {
		windows[fmt.Sprintf("%d\t%d\t%s", w.Seconds, w.Start, w.Workload)] = []float64{
			float64(w.Calls), float64(w.Errors), float64(w.P50) / 1e6, float64(w.P95) / 1e6, float64(w.P99) / 1e6,
		}
	}
	for _, e := range r.truth.EdgeWindows {
		edges[fmt.Sprintf("%d\t%d\t%s\t%s", e.Seconds, e.Start, e.Source, e.Destination)] = []float64{float64(e.Calls), float64(e.Errors)}
	}
	out := Compared{Calls: uint64(r.truth.Calls)}
	for seconds, suffix := range map[int]string{10: "", 60: "_1m", 3600: "_1h"} {
		quantiles := "weirQuantile(0.5, sumMap(histogram)), weirQuantile(0.95, sumMap(histogram)), weirQuantile(0.99, sumMap(histogram))"
		start := fmt.Sprintf("%d, toUnixTimestamp(window_start)", seconds)
		for _, v := range []struct {
			name, sql string
			want      map[string][]float64
		}{
			{"service_windows" + suffix, "workload, sum(calls), sum(errors), " + quantiles, windows},
			{"edge_windows" + suffix, "source_workload, destination_workload, sum(calls), sum(errors)", edges},
		} {
			by := "1, 2, 3"
			if strings.HasPrefix(v.name, "edge") {
				by += ", 4"
			}
			sql := fmt.Sprintf("SELECT %s, %s FROM weir.%s GROUP BY %s", start, v.sql, v.name, by)
			if err := out.view(ctx, cfg, v.name, sql, prefixed(v.want, seconds)); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func prefixed(all map[string][]float64, seconds int) map[string][]float64 {
	out := map[string][]float64{}
	for key, values := range all {
		if strings.HasPrefix(key, strconv.Itoa(seconds)+"\t") {
			out[key] = values
		}
	}
	return out
}

// view compares one view. The values stand behind as many fields as the keys have: counts, and percentiles behind the first two.
func (c *Compared) view(ctx context.Context, cfg clickhouse.Config, name, sql string, want map[string][]float64) error {
	var answer bytes.Buffer
	if err := clickhouse.Query(ctx, cfg, sql, "TSV", &answer); err != nil {
		return fmt.Errorf("compare %s: %w", name, err)
	}
	equal, wrong := 0, 0
	say := func(format string, args ...any) {
		if wrong++; wrong <= 5 {
			c.Wrong += fmt.Sprintf(name+": "+format+"\n", args...)
		}
	}
	for line := range strings.Lines(answer.String()) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		n := 3
		if strings.HasPrefix(name, "edge") {
			n = 4
		}
		key := strings.Join(fields[:n], "\t")
		values, known := want[key]
		switch {
		case !known:
			say("%q has %v and should not be there", key, fields[n:])
		case !same(fields[n:], values):
			say("%q has %v, want %v", key, fields[n:], values)
		default:
			equal++
		}
		delete(want, key)
	}
	for key, values := range want {
		say("%q is missing: %v", key, values)
	}
	c.add(name, equal, wrong)
	c.Text += fmt.Sprintf("%-20s %9d equal, %d wrong\n", name, equal, wrong)
	return nil
}

// same compares counts exactly and percentiles within the tolerance.
func same(got []string, want []float64) bool {
	for i, text := range got {
		v, err := strconv.ParseFloat(text, 64)
		allowed := 0.0
		if i >= 2 {
			allowed = tolerance * want[i]
		}
		if err != nil || math.Abs(v-want[i]) > allowed {
			return false
		}
	}
	return len(got) == len(want)
}
