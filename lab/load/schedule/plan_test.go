package schedule_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/spec"
)

func TestSameSeedSameRequests(t *testing.T) {
	c := of(t, spec.Load{Rate: 50, Shape: spec.Daily, Day: time.Minute, Peak: 3}, nil)
	all := func(seed uint64) []schedule.Request { return until(plan(t, c, seed), 2*time.Minute) }
	one, two, other := all(7), all(7), all(8)
	if len(one) < 1000 || !reflect.DeepEqual(one, two) {
		t.Errorf("the same seed gives %d and %d requests that are not the same", len(one), len(two))
	}
	if reflect.DeepEqual(one, other) {
		t.Error("another seed gives the same requests")
	}
}

// TestPoisson checks the counts of many seconds against Poisson's distribution: mean and variance are the rate, and the gaps are
// exponential. Bounds are five standard errors.
func TestPoisson(t *testing.T) {
	const rate, seconds = 40.0, 4000
	all := until(plan(t, schedule.Flat(rate), 3), seconds*time.Second)
	counts := make([]float64, seconds)
	longer := 0.0
	last := time.Duration(0)
	for _, r := range all {
		counts[int(r.At/time.Second)]++
		if (r.At - last).Seconds() > 1/rate {
			longer++
		}
		last = r.At
	}
	sum, squares := 0.0, 0.0
	for _, n := range counts {
		sum, squares = sum+n, squares+(n-rate)*(n-rate)
	}
	near(t, "mean", sum/seconds, rate, 5*math.Sqrt(rate/seconds))
	near(t, "variance", squares/seconds, rate, 5*rate*math.Sqrt(2.0/seconds))
	n := float64(len(all))
	near(t, "share of gaps longer than their mean", longer/n, 1/math.E, 5*math.Sqrt(0.24/n))
}

// TestShape compares arrivals in 20 parts of a day with the curve by the chi-square test. 50.8 is exceeded by chance once in 10,000
// times with 20 degrees of freedom.
func TestShape(t *testing.T) {
	const day, parts, days = 10 * time.Minute, 20, 20
	files := map[string]string{"a.csv": "ts,value\n0,5\n60,1\n120,9\n180,0\n240,3\n300,3\n360,7\n420,2\n480,2\n540,1\n"}
	for name, l := range map[string]spec.Load{
		"daily":    {Rate: 25, Shape: spec.Daily, Day: day, Peak: 3},
		"recorded": {Rate: 25, Shape: spec.Recorded, Rates: "a.csv"},
		"crowd":    {Rate: 25, Crowds: []spec.Crowd{{At: day, Length: 4 * day, Factor: 4}}},
	} {
		c := of(t, l, files)
		got, want := make([]float64, parts), make([]float64, parts)
		const steps = 20_000
		for i := range steps * days {
			at := time.Duration((float64(i) + 0.5) / steps * float64(day))
			want[i%steps*parts/steps] += c.At(at) * day.Seconds() / steps
		}
		for _, r := range until(plan(t, c, 5), days*day) {
			got[int(r.At%day*parts/day)]++
		}
		chi2 := 0.0
		for i := range got {
			if want[i] > 0 {
				chi2 += (got[i] - want[i]) * (got[i] - want[i]) / want[i]
			} else if got[i] > 0 {
				t.Errorf("%s: %g requests where the rate is 0", name, got[i])
			}
		}
		if chi2 > 50.8 {
			t.Errorf("%s: chi-square is %g: %v, want %v", name, chi2, got, want)
		}
	}
}

func TestOrdinary(t *testing.T) {
	all := until(plan(t, schedule.Flat(1000), 1), time.Minute)
	n := float64(len(all))
	pages, clients, paths := map[string]float64{}, map[schedule.Client]bool{}, map[string]bool{}
	for _, r := range all {
		pages[r.Endpoint]++
		clients[r.Client], paths[r.Path] = true, true
		login := r.Method == "POST"
		if r.Kind != "" || login != (r.Body != "") || login != (r.Password == "right") || strings.Contains(r.Path, "{") {
			t.Fatalf("%+v is no ordinary request", r)
		}
	}
	for page, share := range map[string]float64{"GET /": 0.5, "GET /items/{id}": 0.3, "POST /account/login": 0.2} {
		near(t, page, pages[page]/n, share, 5*math.Sqrt(share/n))
	}
	if len(pages) != 3 || len(paths) != 1002 || len(clients) < 9900 || len(clients) > schedule.Clients {
		t.Errorf("%d pages, %d paths, %d clients", len(pages), len(paths), len(clients))
	}
}

func TestClients(t *testing.T) {
	seen := map[string]bool{}
	for c := range schedule.Client(schedule.Clients + 3000) {
		seen[c.Address().String()], seen[c.Name()] = true, true
	}
	if len(seen) != 2*(schedule.Clients+3000) || !seen["198.18.39.15"] || !seen["client-00042"] {
		t.Errorf("%d addresses and names are different", len(seen))
	}
}

// split separates ordinary requests from those of faults.
func split(all []schedule.Request) (ordinary, faults []schedule.Request) {
	for _, r := range all {
		if r.Kind == "" {
			ordinary = append(ordinary, r)
		} else {
			faults = append(faults, r)
		}
	}
	return ordinary, faults
}

func TestFaults(t *testing.T) {
	const rate, length = 100.0, 100 * time.Second
	quiet := until(plan(t, schedule.Flat(rate), 1), length)
	for _, tt := range []struct {
		fault                 spec.Fault
		rate                  float64 // besides the ordinary requests
		clients, pages, paths int
		is                    func(r schedule.Request, i int) bool
	}{
		{spec.Fault{Kind: spec.CredentialGuessing}, 20, 3, 1, 1, func(r schedule.Request, _ int) bool {
			return r.Method == "POST" && r.Endpoint == "POST /account/login" && strings.HasPrefix(r.Password, "wrong-")
		}},
		{spec.Fault{Kind: spec.Scan, Size: 50}, 50, 1, 1, 0, func(r schedule.Request, _ int) bool {
			return r.Endpoint == "" && r.Method == "GET"
		}},
		{spec.Fault{Kind: spec.BotCrawl}, 20, 1, 3, 0, func(r schedule.Request, i int) bool {
			return r.Endpoint == entry().Endpoints[i%3].String()
		}},
		{spec.Fault{Kind: spec.Flood, Size: 4}, 300, 3, 1, 1, func(r schedule.Request, _ int) bool { return r.Path == "/" }},
		{spec.Fault{Kind: spec.FlashCrowd}, 200, 0, 3, 0, func(r schedule.Request, _ int) bool { return r.Client < schedule.Clients }},
	} {
		name := string(tt.fault.Kind)
		p := plan(t, schedule.Flat(rate), 1)
		if err := p.Hold(0, []spec.Fault{tt.fault}); err != nil {
			t.Fatal(err)
		}
		near(t, name+": wanted", p.Rate(0), rate+tt.rate, 1e-9)
		ordinary, more := split(until(p, length))
		if !reflect.DeepEqual(ordinary, quiet) {
			t.Errorf("%s: the ordinary requests are different with the fault", name)
		}
		near(t, name+": sent", float64(len(more)), tt.rate*length.Seconds(), 5*math.Sqrt(tt.rate*length.Seconds()))
		clients, pages, paths := map[schedule.Client]bool{}, map[string]bool{}, map[string]bool{}
		for i, r := range more {
			clients[r.Client], pages[r.Endpoint], paths[r.Path] = true, true, true
			if r.Kind != tt.fault.Kind || !tt.is(r, i) {
				t.Fatalf("%s: %+v is not its request", name, r)
			}
		}
		if len(pages) != tt.pages || tt.clients > 0 && len(clients) != tt.clients || tt.paths > 0 && len(paths) != tt.paths {
			t.Errorf("%s: %d clients, %d pages, %d paths", name, len(clients), len(pages), len(paths))
		}
	}
}

func TestNewEndpoint(t *testing.T) {
	quiet := until(plan(t, schedule.Flat(100), 1), 100*time.Second)
	p := plan(t, schedule.Flat(100), 1)
	if err := p.Hold(0, []spec.Fault{{Kind: spec.NewEndpoint, Size: 0.3}}); err != nil {
		t.Fatal(err)
	}
	all := until(p, 100*time.Second)
	moved := 0.0
	for i, r := range all {
		if r.Endpoint == "GET /sale/{id}" {
			moved++
		} else if !reflect.DeepEqual(r, quiet[i]) {
			t.Fatalf("%+v was %+v", r, quiet[i])
		}
	}
	near(t, "share of the new page", moved/float64(len(all)), 0.3, 5*math.Sqrt(0.21/float64(len(all))))
}

// TestHoldIsALevel shows that a fault that goes on is not begun anew, that equal faults add up, and that one that is left out ends.
func TestHoldIsALevel(t *testing.T) {
	scan, crowd := spec.Fault{Kind: spec.Scan, Size: 100}, spec.Fault{Kind: spec.FlashCrowd, Size: 2}
	once, again := plan(t, schedule.Flat(10), 1), plan(t, schedule.Flat(10), 1)
	hold := func(p *schedule.Plan, now time.Duration, faults ...spec.Fault) {
		if err := p.Hold(now, faults); err != nil {
			t.Fatal(err)
		}
	}
	scans := func(p *schedule.Plan, end time.Duration) []schedule.Request {
		return slices.DeleteFunc(until(p, end), func(r schedule.Request) bool { return r.Kind != spec.Scan })
	}
	hold(once, 0, scan)
	want := scans(once, 20*time.Second)
	hold(again, 0, scan)
	got := scans(again, 10*time.Second)
	hold(again, 10*time.Second, crowd, scan)
	got = append(got, scans(again, 20*time.Second)...)
	if !reflect.DeepEqual(got, want) {
		t.Error("a fault that goes on has other requests when a second one begins")
	}
	hold(again, 20*time.Second, scan, scan, crowd)
	near(t, "two scans and a crowd", again.Rate(0), 10+100+100+10, 1e-9)
	hold(again, 30*time.Second)
	until(again, 30*time.Second)
	if _, faults := split(until(again, time.Minute)); len(faults) > 0 {
		t.Errorf("%d requests of faults that have ended", len(faults))
	}
}

func TestScale(t *testing.T) {
	p := plan(t, schedule.Flat(100), 1)
	if err := p.Hold(0, []spec.Fault{{Kind: spec.FlashCrowd, Size: 3}, {Kind: spec.Scan, Size: 7}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Scale(0, 5); err != nil {
		t.Fatal(err)
	}
	near(t, "wanted", p.Rate(0), 1507, 1e-9)
	near(t, "sent", float64(len(until(p, 20*time.Second))), 30140, 5*math.Sqrt(30140))
	if err := p.Scale(20*time.Second, 0); err != nil {
		t.Fatal(err)
	}
	if ordinary, _ := split(until(p, 40*time.Second)); len(ordinary) > 0 {
		t.Errorf("%d ordinary requests at factor 0", len(ordinary))
	}
	if err := p.Hold(40*time.Second, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Next(); ok {
		t.Error("there is a next request though there is nothing to send")
	}
	if _, ok := p.Pop(); ok {
		t.Error("there is a request though there is nothing to send")
	}
	for _, factor := range []float64{-1, math.NaN(), math.Inf(1), 1001} {
		if err := p.Scale(0, factor); err == nil {
			t.Errorf("factor %g is taken", factor)
		}
	}
}

func TestSkip(t *testing.T) {
	all := until(plan(t, schedule.Flat(100), 1), time.Minute)
	p := plan(t, schedule.Flat(100), 1)
	p.Skip(20 * time.Second)
	got := until(p, time.Minute)
	if len(got) == 0 || !reflect.DeepEqual(got, all[len(all)-len(got):]) || got[0].At < 20*time.Second {
		t.Error("what follows is not the same after skipping")
	}
}

func TestRefused(t *testing.T) {
	p := plan(t, schedule.Flat(100), 1)
	for want, f := range map[string]spec.Fault{
		"no such thing":  {Kind: spec.Delay, Size: 1},
		"no such thing ": {Kind: "nonsense"},
		"size is -1":     {Kind: spec.Scan, Size: -1},
		"a factor":       {Kind: spec.Flood, Size: 0.5},
		"a share":        {Kind: spec.NewEndpoint, Size: 2},
	} {
		err := p.Hold(0, []spec.Fault{{Kind: spec.Scan}, f})
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: error is %v, want %q", f, err, want)
		}
	}
	near(t, "wanted after refusals", p.Rate(0), 100, 1e-9)
	old := entry()
	old.Endpoints = old.Endpoints[:3]
	q, err := schedule.New(schedule.Flat(1), old, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Hold(0, []spec.Fault{{Kind: spec.NewEndpoint}}); err == nil {
		t.Error("a new page is taken though there is none")
	}
	for _, s := range []spec.Service{{Name: "empty"}, {Name: "g", Protocol: spec.GRPC, Endpoints: entry().Endpoints}} {
		if _, err := schedule.New(schedule.Flat(1), s, 1); err == nil {
			t.Errorf("service %s is taken as entry", s.Name)
		}
	}
}
