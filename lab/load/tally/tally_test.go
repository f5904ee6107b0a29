package tally_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// TestQuantiles compares with the nearest rank of the durations themselves.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 99, 100, 101, 5000} {
		h, all := tally.Histogram{}, []float64{}
		for range n {
			d := time.Duration(math.Exp(rng.NormFloat64()) * float64(20*time.Millisecond))
			h.Add(d)
			all = append(all, float64(d))
		}
		slices.Sort(all)
		for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 1} {
			want := all[max(0, int(math.Ceil(q*float64(n)-1e-9))-1)]
			if got := float64(h.Quantile(q)); math.Abs(got/want-1) > 0.0221 {
				t.Errorf("quantile %g of %d is %g, want %g", q, n, got, want)
			}
		}
		if h.N() != uint64(n) {
			t.Errorf("%d counted of %d", h.N(), n)
		}
	}
	empty := tally.Histogram{}
	if empty.Quantile(0.5) != 0 {
		t.Error("nothing has a quantile")
	}
	empty.Add(-time.Second)
	if empty.Quantile(0.5) != 0 || empty.N() != 1 {
		t.Error("a negative duration is not zero")
	}
}

func TestHistogramJSON(t *testing.T) {
	h := tally.Histogram{-32768: 1, -80: 7}
	text, err := json.Marshal(h)
	if err != nil || string(text) != `{"-32768":1,"-80":7}` {
		t.Fatalf("%s, %v", text, err)
	}
	var back tally.Histogram
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(h, back) {
		t.Errorf("%v, %v", back, err)
	}
}

var epoch = time.Unix(1_800_000_000, 0).UTC() // a multiple of 10 s

func end(scheduled, took time.Duration, endpoint, outcome string, kind spec.FaultKind) tally.End {
	at := epoch.Add(scheduled)
	return tally.End{
		Scheduled: at, Sent: at.Add(time.Millisecond), Ended: at.Add(took), Endpoint: endpoint, Outcome: outcome, Kind: kind,
	}
}

func TestTally(t *testing.T) {
	c := tally.New()
	c.Add(end(time.Second, 100*time.Millisecond, "GET /", ledger.OK, ""))
	c.Add(end(9*time.Second, 3*time.Second, "GET /", ledger.Timeout, "")) // ends in the next window
	c.Add(end(11*time.Second, 50*time.Millisecond, "POST /login", ledger.ClientError, spec.CredentialGuessing))
	c.Add(end(12*time.Second, 50*time.Millisecond, "GET /", ledger.ServerError, ""))
	c.NotSent(epoch.Add(13*time.Second), "GET /", spec.Flood)

	want := tally.Totals{
		Sum: tally.Outcomes{ledger.OK: 1, ledger.Timeout: 1, ledger.ClientError: 1, ledger.ServerError: 1, tally.NotSent: 1},
		Endpoints: map[string]tally.Outcomes{
			"GET /":       {ledger.OK: 1, ledger.Timeout: 1, ledger.ServerError: 1, tally.NotSent: 1},
			"POST /login": {ledger.ClientError: 1},
		},
		Faults: map[spec.FaultKind]tally.Outcomes{
			spec.CredentialGuessing: {ledger.ClientError: 1}, spec.Flood: {tally.NotSent: 1},
		},
	}
	if got := c.Totals(); !reflect.DeepEqual(got, want) {
		t.Errorf("totals are %+v, want %+v", got, want)
	}
	if want.Sum.Sent() != 4 || want.Sum.Errors() != 2 {
		t.Errorf("%d sent, %d errors", want.Sum.Sent(), want.Sum.Errors())
	}
	checkRows(t, c.Rows(tally.Completed), []tally.Row{
		{Start: epoch, Sent: 1, OK: 1}, {Start: epoch.Add(10 * time.Second), Sent: 3, ClientErrors: 1, Errors: 2, NotSent: 1},
	})
	checkRows(t, c.Rows(tally.Scheduled), []tally.Row{
		{Start: epoch, Sent: 2, OK: 1, Errors: 1}, {Start: epoch.Add(10 * time.Second), Sent: 2, ClientErrors: 1, Errors: 1, NotSent: 1},
	})
	first := c.Latency(time.Time{}, epoch.Add(10*time.Second))
	if first.All.N != 1 || math.Abs(first.All.P50/100-1) > 0.022 || math.Abs(first.Lag.P99-1) > 0.022 || len(first.Endpoints) != 1 {
		t.Errorf("latency of the first window: %+v", first)
	}
	rest := c.Latency(epoch.Add(10*time.Second), time.Time{})
	if rest.All.N != 3 || rest.Endpoints["GET /"].N != 2 || math.Abs(rest.All.P99/3000-1) > 0.022 {
		t.Errorf("latency of the rest: %+v", rest)
	}
	if r := c.Recent(); r.Outcomes.Sent() != 4 || r.Latency.N() != 4 || r.Lag.N() != 4 {
		t.Errorf("recent: %+v", r)
	}
	if r := c.Recent(); r.Outcomes.Sent() != 0 || r.Latency.N() != 0 {
		t.Errorf("recent again: %+v", r)
	}
}

// checkRows compares the counts of windows.
func checkRows(t *testing.T, got, want []tally.Row) {
	t.Helper()
	for i := range got {
		got[i].P50, got[i].P99, got[i].LagP99 = 0, 0, 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("windows are\n%+v, want\n%+v", got, want)
	}
}

func TestOldWindowsAreForgotten(t *testing.T) {
	c := tally.New()
	for i := range tally.Kept + 5 {
		c.Add(end(time.Duration(i)*tally.Window, time.Millisecond, "GET /", ledger.OK, ""))
	}
	rows := c.Rows(tally.Completed)
	if len(rows) != tally.Kept || !rows[0].Start.Equal(epoch.Add(5*tally.Window)) {
		t.Errorf("%d windows from %s on", len(rows), rows[0].Start)
	}
	if n := c.Totals().Sum[ledger.OK]; n != tally.Kept+5 {
		t.Errorf("%d of all time", n)
	}
}
