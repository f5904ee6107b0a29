package clickhouse_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// of names the dimensions of a service row, and of an instance row if there is an instance.
func of(workload, version, region string, instance ...string) []string {
	return append([]string{"t", "c", region, "shop", workload, version}, instance...)
}

// row is a partial with calls of 40 ms each, in whole calls.
func row(start int64, calls uint64, dimensions ...string) schemas.Partial {
	p := schemas.Partial{Start: start, Source: source.String(), LastOffset: 9, Dimensions: dimensions}
	p.Measures[schemas.Calls], p.Measures[schemas.Observed], p.Measures[schemas.DurationNS] = calls<<16, calls, calls*40e6
	if calls > 0 {
		p.Histogram = []schemas.BucketCount{{Bucket: schemas.BucketOf(40e6), Count: calls << 16}}
	}
	return p
}

func write(t *testing.T, c *clickhouse.Client, f store.Flush) {
	t.Helper()
	if err := c.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func tableOf(s schemas.Subject, r schemas.Resolution) schemas.Table {
	return schemas.Table{Subject: s, Resolution: r}
}

// anything returns partials of sampled calls of many workloads over some days, several rows for each window.
func anything(r schemas.Resolution, seed uint64, rows int) []schemas.Partial {
	rng := rand.New(rand.NewPCG(seed, 0))
	var out []schemas.Partial
	for range rows {
		start := r.Start(day + rng.Int64N(40)*int64(r) + rng.Int64N(2)*86400*second)
		p := schemas.Partial{
			Start: start, Source: source.String(), LastOffset: 9,
			Dimensions: of(fmt.Sprintf("w%d", rng.IntN(4)), fmt.Sprintf("v%d", rng.IntN(2)), ""),
		}
		for _, m := range schemas.ServiceWindows.Measures() {
			p.Measures[m] = rng.Uint64N(3 << 16)
		}
		p.Measures[schemas.Calls], p.Measures[schemas.RejectedWeir] = 0, max(p.Measures[schemas.RejectedWeir], 2<<16)-2<<16
		for bucket, n := schemas.Bucket(-60), rng.IntN(20); n > 0; n-- {
			bucket += schemas.Bucket(1 + rng.IntN(9))
			weight := 1 + rng.Uint64N(4<<16)
			p.Histogram = append(p.Histogram, schemas.BucketCount{Bucket: bucket, Count: weight})
			p.Measures[schemas.Calls] += weight
		}
		out = append(out, p)
	}
	return out
}

// TestServiceWindowsAreThoseOfTheView compares the statement that decisions read with the public view, on anything.
func TestServiceWindowsAreThoseOfTheView(t *testing.T) {
	c, cfg := open(t)
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for i, r := range schemas.Resolutions() {
		f.Partials[tableOf(schemas.ServiceWindows, r)] = anything(r, uint64(i), 1000)
	}
	for i := range int64(9) {
		f.Gaps = append(f.Gaps, schemas.Gap{
			From: day + i*200*second, To: day + i*240*second, Scope: "*", Kind: schemas.GapQuiet, Source: "s", Share: 1 / float64(3+i),
		})
	}
	write(t, c, f)
	for i, view := range []string{"service_windows", "service_windows_1m", "service_windows_1h"} {
		r := schemas.Resolutions()[i]
		want := ask(t, cfg, "SELECT toUnixTimestamp(window_start), workload, version, "+
			"offered, calls, errors, status_known, retries, rejected_mesh, rejected_weir, revision, acted_on, "+
			"ifNull(mean_ms, nan), ifNull(p95_ms, nan), ifNull(p99_ms, nan), in_flight, completeness "+
			"FROM "+view+" ORDER BY window_start, tenant, cluster, namespace, workload, version")
		all, err := c.ServiceWindows(t.Context(), r, at(day), at(day+10*86400*second))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, view, all, strings.Split(want, "\n"))
	}
}

func compare(t *testing.T, view string, got []schemas.ServiceWindow, want []string) {
	t.Helper()
	if len(got) != len(want) || len(got) < 100 {
		t.Errorf("%s: %d windows, the view has %d", view, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		w, fields := got[i], strings.Split(want[i], "\t")
		exact := []any{
			w.Start.Unix(), w.Name, w.Version, w.Offered, w.Calls, w.Errors, w.StatusKnown, w.Retries, w.RejectedMesh, w.RejectedWeir,
			w.Revision, map[bool]int{true: 1}[w.ActedOn],
		}
		for k, v := range exact {
			if fmt.Sprint(v) != fields[k] {
				t.Fatalf("%s, field %d of %+v\nis not that of %s", view, k, w, want[i])
			}
		}
		for k, v := range []float64{w.MeanMs, w.P95Ms, w.P99Ms, w.InFlight, w.Completeness} {
			number, err := strconv.ParseFloat(fields[len(exact)+k], 64)
			if err != nil || far(v/number, 1) && !(math.IsNaN(v) && math.IsNaN(number)) && v != number {
				t.Fatalf("%s, number %d of %+v\nis not that of %s (%v)", view, k, w, want[i], err)
			}
		}
	}
}

func sample(seconds int64, instance, metric string, value float64) columns.Sample {
	w := schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart"}
	return columns.Sample{Time: day + seconds*second, Origin: schemas.Origin{Workload: w, Instance: instance}, Metric: metric, Value: value}
}

const podCPU, containerCPU, processCPU = "k8s.pod.cpu_limit_utilization", "k8s.container.cpu_limit_utilization", "process.cpu.utilization"

func TestServiceWindowsAddRegionsAndCountInstances(t *testing.T) {
	c, _ := open(t)
	minute := schemas.Resolution(time.Minute)
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	for _, r := range []schemas.Resolution{schemas.Shortest(), minute} {
		services, instances := tableOf(schemas.ServiceWindows, r), tableOf(schemas.InstanceWindows, r)
		for _, start := range []int64{day, day + 60*second, day + 120*second} {
			f.Partials[services] = append(f.Partials[services], row(start, 3, of("cart", "v1", "north")...),
				row(start, 5, of("cart", "v1", "south")...), row(start, 1, of("cart", "v2", "north")...))
			f.Partials[instances] = append(f.Partials[instances], row(start, 3, of("cart", "v1", "north", "a")...),
				row(start, 4, of("cart", "v1", "south", "b")...), row(start, 1, of("cart", "v1", "south", "d")...),
				row(start, 0, of("cart", "v1", "south", "idle")...), row(start, 1, of("cart", "v2", "north", "c")...))
		}
		refused := row(day+120*second, 0, of("cart", "v3", "north")...) // nothing answered, no instance
		refused.Measures[schemas.Observed], refused.Measures[schemas.RejectedWeir] = 2, 2<<16
		f.Partials[services] = append(f.Partials[services], refused)
	}
	f.Samples = []columns.Sample{
		// a: a pod's metric goes before a process's. b: containers are averaged. c: modes of a process add up.
		sample(5, "a", podCPU, 0.2), sample(35, "a", podCPU, 0.4), sample(36, "a", processCPU+"{cpu.mode=user}", 0.9),
		sample(20, "b", containerCPU+"{k8s.container.name=app}", 0.8), sample(20, "b", containerCPU+"{k8s.container.name=proxy}", 0.2),
		sample(9, "c", processCPU+"{cpu.mode=user}", 0.5), sample(9, "c", processCPU+"{cpu.mode=system}", 0.1), sample(9, "c", "memory", 7),
		sample(5, "stranger", podCPU, 9),
	}
	write(t, c, f)
	write(t, c, store.Flush{Samples: f.Samples[:3]}) // counted again, as after a crash

	all, err := c.ServiceWindows(t.Context(), minute, at(day), at(day+180*second))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 7 {
		t.Fatalf("%d windows, want 7", len(all))
	}
	v1, v2, v3 := all[0], all[1], all[6]
	cartV1 := schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart", Version: "v1"}
	if v1.Workload != cartV1 || v1.Start != at(day) || v1.Length != time.Minute {
		t.Errorf("the first window is %+v", v1)
	}
	if v1.Calls != 8 || v1.Instances != 3 || v1.MeanMs != 40 || v1.InFlight != 8*0.04/60 || v2.Calls != 1 || v2.Instances != 1 {
		t.Errorf("regions are not added up: %+v, %+v", v1, v2)
	}
	if far(v1.CPU, (0.3+0.5)/2) || far(v2.CPU, 0.6) {
		t.Errorf("CPU is %v and %v, want 0.4 and 0.6", v1.CPU, v2.CPU)
	}
	if !math.IsNaN(all[2].CPU) {
		t.Errorf("CPU of a minute without a sample is %v", all[2].CPU)
	}
	if v3.Version != "v3" || v3.Offered != 2 || !v3.ActedOn || v3.Instances != 0 {
		t.Errorf("a window of refused calls is %+v", v3)
	}
	for _, v := range []float64{v3.CPU, v3.MeanMs, v3.P95Ms, v3.P99Ms} {
		if !math.IsNaN(v) {
			t.Errorf("a window without an answer has a number: %+v", v3)
		}
	}
	if v1.ActedOn {
		t.Error("a window that nothing touched is marked")
	}

	short, err := c.ServiceWindows(t.Context(), schemas.Shortest(), at(day), at(day+70*second))
	if err != nil {
		t.Fatal(err)
	}
	// At 0:00 a has 0.2 and b has said nothing yet; at 1:00 the last of a (0:35) and of b (0:20) still stand, c's of 0:09 is too old.
	if len(short) != 4 || far(short[0].CPU, 0.2) || far(short[2].CPU, (0.4+0.5)/2) || !math.IsNaN(short[3].CPU) {
		t.Errorf("10 s windows carry samples wrongly: %+v", short)
	}
}

// far reports whether a number is not the one it should be.
func far(got, want float64) bool { return !(math.Abs(got-want) < 1e-12) }

func TestServiceWindowsEndWhereTheyAreAsked(t *testing.T) {
	c, _ := open(t)
	r := schemas.Shortest()
	table := tableOf(schemas.ServiceWindows, r)
	var f store.Flush
	var starts []int64
	for i := range int64(4000) { // several statements
		starts = append(starts, day+i*10*second)
	}
	f.Partials = map[schemas.Table][]schemas.Partial{table: nil}
	for _, start := range starts {
		f.Partials[table] = append(f.Partials[table], row(start, 1, of("cart", "v1", "")...))
	}
	write(t, c, f)
	for _, ask := range []struct {
		what        string
		from, to    time.Time
		first, last int64
		n           int
	}{
		{"everything", time.Time{}, at(day + 400*86400*second), starts[0], starts[3999], 4000},
		{"whole windows", at(starts[1]), at(starts[4]), starts[1], starts[3], 3},
		{"parts of windows", at(starts[1] + 1), at(starts[4] + 9*second), starts[2], starts[3], 2},
		{"nothing", at(starts[1]), at(starts[1]), 0, 0, 0},
		{"backwards", at(starts[9]), at(starts[1]), 0, 0, 0},
	} {
		all, err := c.ServiceWindows(t.Context(), r, ask.from, ask.to)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != ask.n {
			t.Errorf("%s: %d windows, want %d", ask.what, len(all), ask.n)
			continue
		}
		if ask.n > 0 && (all[0].Start != at(ask.first) || all[ask.n-1].Start != at(ask.last)) {
			t.Errorf("%s: from %s to %s", ask.what, all[0].Start, all[ask.n-1].Start)
		}
		if !slices.IsSortedFunc(all, func(a, b schemas.ServiceWindow) int { return a.Start.Compare(b.Start) }) {
			t.Errorf("%s: not in order", ask.what)
		}
	}
	if _, err := c.ServiceWindows(t.Context(), schemas.Resolution(5*time.Minute), at(day), at(day+second)); err == nil {
		t.Error("windows of 5 min were read")
	}
	if _, err := c.Edges(t.Context(), schemas.Resolution(5*time.Minute), at(day), at(day+second)); err == nil {
		t.Error("edges of 5 min were read")
	}
}

func TestEdgesAddUp(t *testing.T) {
	c, _ := open(t)
	table := tableOf(schemas.EdgeWindows, schemas.Resolution(time.Minute))
	edge := func(start int64, calls uint64, from, version, region string) schemas.Partial {
		return row(start, calls, "t", "c", region, "shop", from, version, "c", region, "shop", "cart", version)
	}
	refused := edge(day, 0, "probe", "v1", "")
	refused.Measures[schemas.Observed], refused.Measures[schemas.RejectedMesh] = 1, 1<<16
	lost := edge(day, 0, "ghost", "v1", "")
	lost.Measures[schemas.Observed] = 1
	write(t, c, store.Flush{Partials: map[schemas.Table][]schemas.Partial{table: {
		edge(day, 2, "front", "v1", "north"), edge(day, 3, "front", "v2", "south"), edge(day+60*second, 4, "front", "v1", "north"),
		edge(day+120*second, 8, "front", "v1", "north"), edge(day, 1, schemas.Outside, "", ""), refused, lost,
	}}})
	all, err := c.Edges(t.Context(), table.Resolution, at(day), at(day+120*second))
	if err != nil {
		t.Fatal(err)
	}
	cart := schemas.Workload{Tenant: "t", Cluster: "c", Namespace: "shop", Name: "cart"}
	from := func(name string) schemas.Workload { w := cart; w.Name = name; return w }
	want := []schemas.Edge{
		{From: from(schemas.Outside), To: cart, Calls: 1}, {From: from("front"), To: cart, Calls: 9}, {From: from("probe"), To: cart},
	}
	if !slices.Equal(all, want) {
		t.Errorf("edges are\n%+v, want\n%+v", all, want)
	}
}
