package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
)

// TestGapsConcernTheirScope: in the views, and in the statement that decisions read.
func TestGapsConcernTheirScope(t *testing.T) {
	c, cfg := open(t)
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for _, r := range schemas.Resolutions() {
		for _, name := range []string{"cart", "stock"} {
			p := row(day, 1, of(name, "v1", "north")...)
			for i := range 257 {
				p.Callers = append(p.Callers, fmt.Sprint("caller", i))
			}
			f.Partials[tableOf(schemas.ServiceWindows, r)] = append(f.Partials[tableOf(schemas.ServiceWindows, r)], p)
			f.Partials[tableOf(schemas.InstanceWindows, r)] = append(f.Partials[tableOf(schemas.InstanceWindows, r)],
				row(day, 1, of(name, "v1", "north", "a")...))
			edge := append(of("stock", "v1", "north"), of(name, "v1", "north")[1:]...) // stock calls both
			f.Partials[tableOf(schemas.EdgeWindows, r)] = append(f.Partials[tableOf(schemas.EdgeWindows, r)], row(day, 1, edge...))
		}
	}
	gap := func(seconds int64, scope, hop, source string, share float64) {
		f.Gaps = append(f.Gaps, schemas.Gap{
			From: day + seconds*second, To: day + (seconds+10)*second, Scope: scope, Hop: hop, Kind: schemas.GapLost, Source: source, Share: share,
		})
	}
	cart := schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart"}
	gap(0, cart.Scope(), "collector", "a", 0.25)
	gap(0, cart.Scope(), "collector", "b", 0.125) // another source: more is missing
	gap(-5, cart.Scope(), "collector", "b", 0.1)  // the same source: it counts once
	gap(0, "c/shop/cart", "collector", "a", 1)    // of nobody's tenant
	gap(0, schemas.Everyone, "ingest", "p", 0.25) // of all
	gap(30, cart.Scope(), "source", "", 0.5)      // in the same minute
	write(t, c, f)
	for view, want := range map[string]string{
		"service_windows": "cart\t0.375\nstock\t0.75", "instance_windows": "cart\t0.375\nstock\t0.75", "edge_windows": "cart\t0.375\nstock\t0.75",
		"service_windows_1m": "cart\t0.812\nstock\t0.958", "service_windows_1h": "cart\t0.997\nstock\t0.999",
	} {
		name := "workload"
		if strings.HasPrefix(view, "edge") {
			name = "destination_workload"
		}
		got := ask(t, cfg, fmt.Sprintf("SELECT %s, round(completeness, 3) FROM weir.%s ORDER BY 1 SETTINGS join_use_nulls = 1", name, view))
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%s says\n%s\nwant\n%s", view, got, want)
		}
	}
	if got := strings.TrimSpace(ask(t, cfg, "SELECT DISTINCT distinct_callers FROM weir.service_windows")); got != "256" {
		t.Errorf("%s callers, want 256 for more", got)
	}
	windows, err := c.ServiceWindows(t.Context(), schemas.Shortest(), at(day), at(day+10*second))
	if err != nil || len(windows) != 2 || windows[0].Completeness != 0.375 || windows[1].Completeness != 0.75 {
		t.Errorf("decisions read %+v, %v", windows, err)
	}
	missed, err := c.Incomplete(t.Context(), schemas.Resolution(time.Minute), at(day), at(day+60*second))
	if err != nil || len(missed) != 2 || missed[0].Completeness >= missed[1].Completeness && missed[0].Name == "cart" {
		t.Errorf("incomplete are %+v, %v", missed, err)
	}
}

// TestAccounts reads back what each stage told.
func TestAccounts(t *testing.T) {
	c, _ := open(t)
	who := schemas.Origin{Workload: schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart"}, Instance: "a"}
	self := schemas.Origin{Workload: schemas.Workload{Name: schemas.CollectorWorkload}, Instance: "node-1"}
	tell := func(o schemas.Origin, seconds int64, metric string, value float64) columns.Sample {
		return columns.Sample{Time: day + seconds*second, Origin: o, Metric: metric, Value: value}
	}
	counted := row(day, 0, of("cart", "v1", "north", "a")...)
	counted.Measures[schemas.Spans] = 7
	other := row(day, 0, of("cart", "v2", "south", "a")...)
	other.Measures[schemas.Spans] = 2
	edge := row(day, 5, append(of("front", "", ""), of("cart", "v1", "")[1:]...)...)
	edge.Evidence = schemas.ClientSpan
	lost := schemas.Gap{From: day, To: day + 10*second, Scope: who.Scope(), Hop: "kafka", Kind: schemas.GapLost, Share: 0.5, Records: 9, Detail: "x"}
	write(t, c, store.Flush{
		Partials: map[schemas.Table][]schemas.Partial{
			tableOf(schemas.InstanceWindows, schemas.Shortest()): {counted, other}, tableOf(schemas.EdgeWindows, schemas.Shortest()): {edge},
		},
		Samples: []columns.Sample{
			tell(self, 1, schemas.MetricReceived, 1), tell(self, 6, schemas.MetricReceived, 9), tell(self, 7, schemas.MetricStopped, 1),
			tell(who, 0, schemas.RowsMetric("node-1"), 4), tell(who, 0, schemas.RowsMetric("node-1"), 8),
			tell(who, 3, "otel.sdk.processor.span.processed{error.type=queue_full}", 3), tell(who, 3, "queue.depth", 3),
		},
		Gaps: []schemas.Gap{lost},
	})
	beats, err := c.Heartbeats(t.Context(), at(day))
	if want := (schemas.Heartbeat{Collector: "node-1", Last: day + 7*second, Stopped: true}); err != nil || len(beats) != 1 || beats[0] != want {
		t.Errorf("heartbeats are %+v, %v", beats, err)
	}
	all, err := c.Accounts(t.Context(), store.AccountsQuery{
		From: at(day), To: at(day + 20*second), Called: at(day), Judged: at(day), Kinds: []schemas.GapKind{schemas.GapLost},
		Metrics: []string{"otel_sdk_processor_span_processed"}, Before: []time.Time{at(day + 3*second)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]any{
		"written": {all.Written, []schemas.WrittenRows{{From: who, Collector: "node-1", Window: day, Rows: 8}}},
		"counted": {all.Counted, []schemas.CountedRows{{From: who, Window: day, Rows: 9}}},
		"totals": {all.Totals, []schemas.RunningTotal{
			{From: who, Metric: "otel.sdk.processor.span.processed{error.type=queue_full}", Time: day + 3*second, Value: 3},
		}},
		"called": {all.Called, []schemas.CalledWindow{{To: who.Workload, Window: day, Calls: 5, CallersOnly: 5}}},
		"gaps":   {all.Gaps, []schemas.Gap{lost}},
	} {
		if got, want := fmt.Sprintf("%+v", pair[0]), fmt.Sprintf("%+v", pair[1]); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
}
