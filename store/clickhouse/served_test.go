package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
)

// TestServed reads back what proxies told, and the calls of the same workloads alone.
func TestServed(t *testing.T) {
	c, _ := open(t)
	const inbound, outbound = "http.downstream_rq_total{x.http_conn_manager_prefix=inbound_1}", "http.downstream_rq_total{x=outbound_1}"
	who := schemas.Origin{Workload: schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart"}, Instance: "a"}
	var f store.Flush
	for i, metric := range []string{inbound, outbound, "http.downstream_rq{x.http_conn_manager_prefix=inbound_1}"} {
		for at := range int64(9) { // it begins anew after the fifth
			f.Samples = append(f.Samples, columns.Sample{
				Time: day + 10*at*second, Origin: who, Metric: metric, Value: float64(i) + float64((at+3)%8),
			})
		}
	}
	counted, other, silent := row(day, 3, of("cart", "v1", "north", "a")...), row(day, 3, of("stock", "v1", "north", "a")...),
		row(day, 0, of("cart", "v1", "north", "b")...)
	counted.Measures[schemas.RejectedMesh] = 2 << 16
	version := row(day, 1, of("cart", "v2", "south", "a")...)
	f.Partials = map[schemas.Table][]schemas.Partial{
		tableOf(schemas.InstanceWindows, schemas.Shortest()): {counted, other, silent, version},
	}
	gap := schemas.Gap{From: day, To: day + 10*second, Scope: who.Scope(), Hop: "kafka", Kind: schemas.GapLost, Share: 0.5}
	f.Gaps = []schemas.Gap{gap, {From: day - 10*second, To: day, Scope: who.Scope(), Hop: "kafka", Kind: schemas.GapLost, Share: 0.5}}
	write(t, c, f)

	q := store.ServedQuery{
		From: at(day), To: at(day + 120*second), Metrics: []string{"http_downstream_rq_total"},
		Attributes: []string{"conn_manager_prefix=inbound", "reporter=destination"},
	}
	got, err := c.Served(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got.Totals, func(a, b schemas.RunningTotal) int { return int(a.Time - b.Time) })
	var totals []string
	for _, s := range got.Totals {
		if s.From != who || s.Metric != inbound {
			t.Errorf("total of %+v %s", s.From, s.Metric)
		}
		totals = append(totals, fmt.Sprint((s.Time-day)/second, "s ", s.Value))
	}
	if want := "0s 3, 40s 7, 50s 0, 60s 1, 80s 3"; strings.Join(totals, ", ") != want {
		t.Errorf("totals are %v, want %v", totals, want)
	}
	if len(got.Calls) != 1 || got.Calls[0].From != who || got.Calls[0].Window != day || got.Calls[0].Calls != 6 || got.Calls[0].Observed == 0 {
		t.Errorf("calls are %+v", got.Calls)
	}
	if len(got.Gaps) != 1 || got.Gaps[0] != gap {
		t.Errorf("gaps are %+v", got.Gaps)
	}
	q.Metrics = []string{"istio_requests_total"}
	if got, err = c.Served(t.Context(), q); err != nil || len(got.Totals)+len(got.Calls)+len(got.Gaps) > 0 {
		t.Errorf("without proxies: %+v, %v", got, err)
	}
}
