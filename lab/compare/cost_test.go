package compare_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/schemas"
)

// map16 is a histogram of ten calls of 20 ms.
func map16() tally.Histogram { return tally.Histogram{schemas.BucketOf(20e6): 10} }

func TestLatency(t *testing.T) {
	of := func(d time.Duration) tally.Histogram {
		h := tally.Histogram{}
		for range 100 {
			h.Add(d)
		}
		return h
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		client, weir, path time.Duration
		agree              bool
	}{
		{20 * ms, 20 * ms, 0, true},
		{20200 * time.Microsecond, 20 * ms, 0, true},
		{22 * ms, 20 * ms, 0, false},
		{22 * ms, 20 * ms, 2 * ms, true},
		{18 * ms, 20 * ms, 2 * ms, false}, // the client cannot be faster
		{1000 * ms, 20 * ms, 2 * ms, false},
	} {
		all := compare.Latency(of(tt.client), of(tt.weir), tt.path)
		for _, q := range all {
			if q.Agree != tt.agree {
				t.Errorf("client %s, Weir %s, path %s: %+v", tt.client, tt.weir, tt.path, q)
			}
		}
		var out bytes.Buffer
		if err := compare.WriteLatency(&out, all); err != nil || len(all) != 4 || strings.Count(out.String(), "\n") != 5 {
			t.Errorf("%d quantiles: %s, %v", len(all), out.String(), err)
		}
	}
	if q := compare.Latency(tally.Histogram{}, tally.Histogram{}, time.Second)[0]; q.Agree {
		t.Error("nothing agrees with nothing")
	}
	// Whatever the latency, two sides that measured the same agree.
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		d := time.Duration(math.Exp(rng.NormFloat64()*3) * float64(ms))
		if q := compare.Latency(of(d), of(d), 0)[0]; !q.Agree {
			t.Errorf("%s does not agree with itself: %+v", d, q)
		}
	}
}

func TestSpending(t *testing.T) {
	from := compare.Moment{Requests: 100, Calls: 500, CPU: map[control.Role]time.Duration{
		control.Proxy: time.Second, control.Weir: time.Second,
	}}
	to := compare.Moment{Requests: 300, Calls: 1500, CPU: map[control.Role]time.Duration{
		control.Proxy: 4 * time.Second, control.Weir: time.Second, control.Service: time.Second,
	}}
	got, err := compare.Spending(from, to)
	want := []compare.Spent{
		{Role: control.Proxy, CPU: 3 * time.Second, Share: 0.75, PerThousandCalls: 3 * time.Second, PerRequest: 15 * time.Millisecond},
		{Role: control.Service, CPU: time.Second, Share: 0.25, PerThousandCalls: time.Second, PerRequest: 5 * time.Millisecond},
		{Role: control.Weir},
	}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%+v, %v", got, err)
	}
	var out bytes.Buffer
	if err := compare.WriteSpending(&out, got); err != nil || !strings.Contains(out.String(), "75.0 %") {
		t.Errorf("%s, %v", out.String(), err)
	}
	if _, err := compare.Spending(to, from); err == nil {
		t.Error("time goes back")
	}
	to.CPU[control.Proxy] = 0
	if _, err := compare.Spending(from, to); err == nil {
		t.Error("CPU time falls")
	}
	if _, err := compare.Spending(compare.Moment{}, compare.Moment{}); err != nil {
		t.Error(err)
	}
	if s := compare.MeshSlice(compare.Moment{}, from); s.CPU != time.Second || s.Calls != 500 {
		t.Errorf("%+v", s)
	}
}

// TestOverheadCovers repeats an experiment whose truth is 30 % and counts how often the interval holds it: 90 % of the time. The bounds
// are five standard errors. The slow drift, which is larger than the effect, does not matter.
func TestOverheadCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const times, truth = 2000, 0.3
	held := 0.0
	for range times {
		var on, off []compare.Slice
		for i := range 6 {
			drift := 1 + 0.2*float64(i)
			slice := func(perCall float64) compare.Slice {
				const calls = 10_000
				return compare.Slice{Calls: calls, CPU: time.Duration(perCall * drift * (1 + 0.02*rng.NormFloat64()) * calls * 1000)}
			}
			on, off = append(on, slice(100)), append(off, slice(100*(1-truth)))
		}
		e, err := compare.Overhead(on, off)
		if err != nil || e.N != 6 || e.Low > e.Mean || e.High < e.Mean {
			t.Fatalf("%+v, %v", e, err)
		}
		if e.Low <= truth && truth <= e.High {
			held++
		}
	}
	if share := held / times; math.Abs(share-0.9) > 5*math.Sqrt(0.09/times) {
		t.Errorf("the interval holds the truth in %g of the experiments", share)
	}
}

func TestOverheadBounds(t *testing.T) {
	s := func(cpu time.Duration, calls uint64) compare.Slice { return compare.Slice{CPU: cpu, Calls: calls} }
	e, err := compare.Overhead([]compare.Slice{s(100, 10), s(200, 10)}, []compare.Slice{s(80, 10), s(150, 10)})
	if err != nil || math.Abs(e.Mean-0.225) > 1e-12 || math.Abs(e.High-e.Mean-6.314*0.025) > 1e-12 {
		t.Errorf("%+v, %v", e, err)
	}
	many := make([]compare.Slice, 41)
	for i := range many {
		many[i] = s(100+time.Duration(i%2), 10)
	}
	if e, err := compare.Overhead(many, many); err != nil || e.Mean != 0 || e.High != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range [][2][]compare.Slice{
		{}, {many[:1], many[:1]}, {many[:3], many[:2]}, {{s(1, 1), s(1, 0)}, many[:2]}, {many[:2], {s(1, 1), s(0, 1)}},
	} {
		if _, err := compare.Overhead(bad[0], bad[1]); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
