package complete_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/weirmesh/weir/features/complete"
	"github.com/weirmesh/weir/schemas"
)

const (
	second = int64(time.Second)
	window = 10 * second
	base   = 1_700_000_000 * second // the start of a window
)

func workload(name string) schemas.Workload {
	return schemas.Workload{Cluster: "c", Namespace: "shop", Name: name}
}

func sender(name string, i int) schemas.Origin {
	return schemas.Origin{Workload: workload(name), Instance: fmt.Sprintf("%s-%d", name, i)}
}

// world is what would be known of a mesh whose collectors a, b and c each hear one of three instances of cart, and c alone stock.
type world struct{ in complete.Input }

// speaks adds rows of a sender in the windows [from, to), counted and written through a collector.
func (w *world) speaks(s schemas.Origin, collector string, from, to int, rows uint64) {
	for i := from; i < to; i++ {
		start := base + int64(i)*window
		w.in.Counted = append(w.in.Counted, schemas.CountedRows{From: s, Window: start, Rows: rows})
		w.in.Written = append(w.in.Written, schemas.WrittenRows{From: s, Collector: collector, Window: start, Rows: rows})
	}
}

// at judges the windows [from, to) at some seconds after base.
func (w *world) at(now int64, from, to int) complete.Input {
	w.in.Now, w.in.From, w.in.To = base+now*second, base+int64(from)*window, base+int64(to)*window
	return w.in
}

func (w *world) beats(collector string, last int64, stopped bool) {
	w.in.Heartbeats = append(w.in.Heartbeats, schemas.Heartbeat{Collector: collector, Last: base + last*second, Stopped: stopped})
}

// said is a gap as the tests name it.
func said(g schemas.Gap) string {
	return fmt.Sprintf("%d %s %s %s %.3f", (g.From-base)/window, g.Scope, g.Hop, g.Kind, g.Share)
}

func check(t *testing.T, got []schemas.Gap, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			t.Errorf("found %s", said(got[i]))
		case i >= len(got):
			t.Errorf("did not find %s", want[i])
		case said(got[i]) != want[i]:
			t.Errorf("found %s, want %s", said(got[i]), want[i])
		}
		if i < len(got) && got[i].To != got[i].From+window {
			t.Errorf("%s ends %d ns later", said(got[i]), got[i].To-got[i].From)
		}
	}
}

// three is three collectors with a third of cart each until window 12, when c has died in the middle of window 10 and its senders with it.
func three() *world {
	w := &world{}
	for i, collector := range []string{"a", "b", "c"} {
		end := 12
		if collector == "c" {
			end = 10
			w.speaks(sender("stock", 0), "c", 0, 10, 30)
		}
		w.speaks(sender("cart", i), collector, 0, end, 50)
	}
	w.beats("a", 119, false)
	w.beats("b", 118, false)
	return w
}

func TestADeadCollectorTakesItsSendersShare(t *testing.T) {
	w := three()
	w.beats("c", 103, false)
	check(t, complete.Find(w.at(128, 4, 12)),
		"10 c/shop/cart collector collector_silent 0.333", "10 c/shop/stock collector collector_silent 1.000",
		"11 c/shop/cart collector collector_silent 0.333", "11 c/shop/stock collector collector_silent 1.000")
}

func TestACollectorThatIsNotDeadTakesNothing(t *testing.T) {
	for name, change := range map[string]func(*world){
		"it said goodbye":      func(w *world) { w.beats("c", 103, true) },
		"one beat is late":     func(w *world) { w.beats("c", 116, false) },
		"nobody ever heard it": func(*world) {},
		"it died long ago":     func(w *world) { w.beats("c", 103-2*3600, false) },
		"its senders are heard by another": func(w *world) {
			w.beats("c", 103, false)
			w.speaks(sender("cart", 2), "a", 10, 12, 50)
			w.speaks(sender("stock", 0), "a", 10, 12, 30)
		},
		"its senders were replaced": func(w *world) {
			w.beats("c", 103, false)
			w.speaks(sender("cart", 7), "a", 11, 12, 50)
			w.speaks(sender("stock", 7), "a", 11, 12, 30)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := three()
			change(w)
			check(t, complete.Find(w.at(128, 4, 12)))
		})
	}
}

// TestAGapEndsWhenItsSendersAreHeardAgain: the window they come back in misses what is less than usual, those after it nothing.
func TestAGapEndsWhenItsSendersAreHeardAgain(t *testing.T) {
	w := three()
	w.beats("c", 93, false) // window 9 was told of, and is whole
	w.speaks(sender("cart", 2), "a", 12, 13, 10)
	w.speaks(sender("cart", 2), "a", 13, 15, 50)
	for i := range 2 {
		w.speaks(sender("cart", i), "a", 12, 15, 50)
	}
	w.in.Heartbeats[0].Last, w.in.Heartbeats[1].Last = base+149*second, base+149*second
	found := complete.Find(w.at(158, 4, 15))
	var cart []schemas.Gap
	for _, g := range found {
		if g.Scope == "c/shop/cart" {
			cart = append(cart, g)
		}
	}
	check(t, cart, "10 c/shop/cart collector collector_silent 0.333", "11 c/shop/cart collector collector_silent 0.333",
		"12 c/shop/cart collector collector_silent 0.267")
}

// TestSendersThatCameAndWentAreNotWaitedFor: who was not steady, a batch job for example, may be done.
func TestSendersThatCameAndWentAreNotWaitedFor(t *testing.T) {
	w := &world{}
	w.speaks(sender("cart", 0), "a", 0, 12, 50)
	w.speaks(sender("job", 0), "c", 7, 10, 500)
	w.beats("a", 119, false)
	w.beats("c", 103, false)
	check(t, complete.Find(w.at(128, 4, 12)))
}

// TestWhatTurnsUpIsTakenBack: senders that kept their telemetry send it later; the collector may be the same one, back from the dead.
func TestWhatTurnsUpIsTakenBack(t *testing.T) {
	w := three()
	w.beats("c", 103, false)
	known := complete.Find(w.at(128, 4, 12))
	w.in.Known = known
	check(t, complete.Find(w.at(129, 4, 12))) // said already

	w.in.Heartbeats[2].Last = base + 130*second
	check(t, complete.Find(w.at(131, 4, 12))) // it speaks again, and its senders' rows are as lost as before

	w.speaks(sender("cart", 2), "c", 10, 12, 50)
	check(t, complete.Find(w.at(132, 4, 12)), "10 c/shop/cart collector collector_silent 0.000", "11 c/shop/cart collector collector_silent 0.000")
}

func total(s schemas.Origin, metric string, at int64, value float64) schemas.RunningTotal {
	return schemas.RunningTotal{From: s, Metric: metric, Time: base + at*second, Value: value}
}

func TestDropsCountByTheirShare(t *testing.T) {
	cart, agent, blue := sender("cart", 0), schemas.Origin{Workload: schemas.Workload{Name: "otelcol"}, Instance: "node"}, sender("cart", 0)
	blue.Tenant = "blue"
	for name, c := range map[string]struct {
		totals []schemas.RunningTotal
		want   []string
	}{
		"an SDK's queue is full": {
			[]schemas.RunningTotal{
				total(cart, "otel.sdk.processor.span.processed{error.type=queue_full}", 80, 7),
				total(cart, "otel.sdk.processor.span.processed{error.type=queue_full}", 90, 57),
				total(cart, "otel.sdk.processor.span.processed{error.type=queue_full}", 100, 57),
			}, []string{"8 c/shop/cart source dropped_at_source 0.500"},
		},
		"spread over the windows between two reports": {
			[]schemas.RunningTotal{
				total(cart, "envoy_tracing_opentelemetry_spans_dropped", 75, 0), total(cart, "envoy_tracing_opentelemetry_spans_dropped", 95, 40),
			}, []string{
				"7 c/shop/cart source dropped_at_source 0.167", "8 c/shop/cart source dropped_at_source 0.286",
				"9 c/shop/cart source dropped_at_source 0.167",
			},
		},
		"the counter began anew": {
			[]schemas.RunningTotal{
				total(cart, "tracing.opentelemetry.spans_dropped", 80, 1000), total(cart, "tracing.opentelemetry.spans_dropped", 90, 50),
			}, []string{"8 c/shop/cart source dropped_at_source 0.500"},
		},
		"an agent drops what all send": {
			[]schemas.RunningTotal{
				total(agent, "otelcol_exporter_send_failed_spans_total", 80, 0), total(agent, "otelcol_exporter_send_failed_spans_total", 90, 100),
			}, []string{"8 * source dropped_at_source 0.500"},
		},
		"a collector of Weir's gives requests up": {
			[]schemas.RunningTotal{
				total(agent, schemas.MetricDropped+"{reason=refused_by_kafka}", 80, 0),
				total(agent, schemas.MetricDropped+"{reason=refused_by_kafka}", 90, 100),
			}, []string{"8 * collector dropped_at_source 0.500"},
		},
		"only its tenant is concerned": {
			[]schemas.RunningTotal{
				total(blue, "otelcol_processor_dropped_spans", 80, 0), total(blue, "otelcol_processor_dropped_spans", 90, 50),
			}, []string{"8 blue:c/shop/cart source dropped_at_source 0.500"},
		},
		"what was exported is no drop": {
			[]schemas.RunningTotal{
				total(cart, "otel.sdk.exporter.span.exported", 80, 0), total(cart, "otel.sdk.exporter.span.exported", 90, 50),
				total(cart, "queue.depth", 80, 0), total(cart, "queue.depth", 90, 50),
			}, nil,
		},
		"one sample says nothing": {[]schemas.RunningTotal{total(cart, "tracing.opentelemetry.spans_dropped", 80, 50)}, nil},
		"the window is not over": {
			[]schemas.RunningTotal{
				total(cart, "tracing.opentelemetry.spans_dropped", 110, 0), total(cart, "tracing.opentelemetry.spans_dropped", 119, 50),
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{}
			w.speaks(cart, "a", 0, 12, 50)
			w.speaks(sender("stock", 0), "a", 0, 12, 50)
			w.speaks(blue, "b", 0, 12, 50)
			w.beats("a", 119, false)
			w.in.Totals = c.totals
			check(t, complete.Find(w.at(120, 4, 12)), c.want...)
		})
	}
}

func TestRowsThatWereWrittenMustBeCounted(t *testing.T) {
	w := &world{}
	w.speaks(sender("cart", 0), "a", 0, 12, 50)
	w.speaks(sender("cart", 1), "b", 0, 12, 50)
	for i := range w.in.Counted {
		switch w.in.Counted[i].Window {
		case base + 5*window:
			w.in.Counted[i].Rows = 40
		case base + 6*window:
			w.in.Counted[i].Rows = 70 // written twice, counted twice
		case base + 10*window:
			w.in.Counted[i].Rows = 1 // they may be on their way
		}
	}
	w.beats("a", 119, false)
	w.beats("b", 119, false)
	found := complete.Find(w.at(128, 4, 12))
	check(t, found, "5 c/shop/cart kafka lost_on_the_way 0.200")
	if found[0].Records != 20 {
		t.Errorf("%d records, want 20", found[0].Records)
	}
	for i := range w.in.Counted {
		w.in.Counted[i].Rows = 50
	}
	w.in.Known = found
	check(t, complete.Find(w.at(130, 4, 11)), "5 c/shop/cart kafka lost_on_the_way 0.000")
}

func TestAWorkloadThatIsCalledMustSpeak(t *testing.T) {
	called := func(name string, i int, all, callersOnly uint64) schemas.CalledWindow {
		return schemas.CalledWindow{To: workload(name), Window: base + int64(i)*window, Calls: all, CallersOnly: callersOnly}
	}
	w := &world{}
	w.speaks(sender("cart", 0), "a", 0, 6, 50)
	w.speaks(sender("front", 0), "a", 0, 12, 50)
	w.beats("a", 119, false)
	w.in.Called = []schemas.CalledWindow{
		called("cart", 5, 50, 10),    // it spoke
		called("cart", 6, 50, 50),    // it does not
		called("cart", 7, 50, 40),    // the rest is known otherwise
		called("redis", 7, 200, 200), // it never spoke
	}
	found := complete.Find(w.at(128, 4, 12))
	check(t, found, "6 c/shop/cart source source_silent 1.000", "7 c/shop/cart source source_silent 0.800")
	w.in.Known, w.in.Called = found, nil
	check(t, complete.Find(w.at(128, 4, 12))) // that nobody asks is no proof
	w.speaks(sender("cart", 0), "a", 6, 7, 50)
	check(t, complete.Find(w.at(128, 4, 12)), "6 c/shop/cart source source_silent 0.000")
}

// TestIdleSendersAreNotMissed: no callers and no telemetry is no traffic.
func TestIdleSendersAreNotMissed(t *testing.T) {
	w := &world{}
	w.speaks(sender("cart", 0), "a", 0, 6, 50)
	w.beats("a", 119, false)
	check(t, complete.Find(w.at(128, 4, 12)))
}

// TestSharesAreShares: whatever is told, a share is between 0 and 1 and a window is said once for each reason.
func TestSharesAreShares(t *testing.T) {
	w := three()
	w.beats("c", 103, false)
	for i := range w.in.Written {
		w.in.Written[i].Rows *= uint64(1 + i%3)
	}
	w.in.Totals = []schemas.RunningTotal{
		total(sender("nobody", 0), "tracing.opentelemetry.spans_dropped", 20, 0), total(sender("nobody", 0), "tracing.opentelemetry.spans_dropped", 119, 1e12),
	}
	seen := map[string]bool{}
	for _, g := range complete.Find(w.at(200, -4, 13)) {
		name := fmt.Sprint(g.From, g.Scope, g.Hop, g.Kind, g.Source)
		if g.Share <= 0 || g.Share > 1 || math.IsNaN(g.Share) || seen[name] {
			t.Errorf("%s (said before: %v)", said(g), seen[name])
		}
		seen[name] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d gaps", len(seen))
	}
}
