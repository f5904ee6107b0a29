package schedule_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/spec"
)

func entry() spec.Service {
	return spec.Service{Name: "web", Protocol: spec.HTTP, Endpoints: []spec.Endpoint{
		{Method: "GET", Path: "/", Weight: 5},
		{Method: "GET", Path: "/items/{id}", Weight: 3},
		{Method: "POST", Path: "/account/login", Weight: 2},
		{Method: "GET", Path: "/sale/{id}"},
	}}
}

func plan(t *testing.T, c schedule.Curve, seed uint64) *schedule.Plan {
	t.Helper()
	p, err := schedule.New(c, entry(), seed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until takes the requests before a time.
func until(p *schedule.Plan, end time.Duration) (all []schedule.Request) {
	for at, ok := p.Next(); ok && at < end; at, ok = p.Next() {
		r, _ := p.Pop()
		all = append(all, r)
	}
	return all
}

func of(t *testing.T, l spec.Load, files map[string]string) schedule.Curve {
	t.Helper()
	c, err := schedule.Of(l, opener(files))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func opener(files map[string]string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		text, ok := files[name]
		if !ok {
			return nil, errors.New("no such file")
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte(text))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// mean is the curve's mean until end, by the midpoint rule.
func mean(c schedule.Curve, end time.Duration) float64 {
	const n = 100_000
	sum := 0.0
	for i := range n {
		sum += c.At(time.Duration((float64(i) + 0.5) / n * float64(end)))
	}
	return sum / n
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by {
		t.Errorf("%s is %g, want %g (within %g)", what, got, want, by)
	}
}

func TestDaily(t *testing.T) {
	const day = 10 * time.Minute
	for _, peak := range []float64{1, 1.5, 2, 4, 10} {
		c := of(t, spec.Load{Rate: 30, Shape: spec.Daily, Day: day, Peak: peak}, nil)
		near(t, "mean", mean(c, day), 30, 30e-6)
		near(t, "highest rate", c.At(day/2), 30*peak, 30e-6)
		near(t, "highest rate of the second day", c.At(day+day/2), 30*peak, 30e-6)
		for at := time.Duration(0); at < day; at += time.Second {
			if r := c.At(at); r > c.Max || r < c.At(0)-1e-9 {
				t.Fatalf("peak %g: rate at %s is %g, not between %g and %g", peak, at, r, c.At(0), c.Max)
			}
		}
	}
}

func TestRecorded(t *testing.T) {
	const minutes = "minute,count\n1995-07-01 00:00:00,10\n1995-07-01 00:01:00,30\n1995-07-01 00:03:00,20\n"
	const values = "ts,value\n0,1\n60,3\n180,2\n"
	files := map[string]string{"a.csv": minutes, "a.csv.gz": zipped(t, minutes), "v.csv": values}
	for name := range files {
		c := of(t, spec.Load{Rate: 6, Shape: spec.Recorded, Rates: name, Step: 10 * time.Second}, files)
		near(t, name+": mean", mean(c, 40*time.Second), 6, 1e-3)
		for i, want := range []float64{4, 12, 0, 8, 4} { // the third minute is a gap; then it begins anew
			near(t, name+": rate", c.At(time.Duration(i)*10*time.Second+5*time.Second), want, 1e-9)
		}
		near(t, name+": highest rate", c.Max, 12, 1e-9)
	}
	c := of(t, spec.Load{Rate: 6, Shape: spec.Recorded, Rates: "a.csv"}, files)
	near(t, "rate in the second minute, as recorded", c.At(119*time.Second), 12, 1e-9)
}

func TestCrowds(t *testing.T) {
	c := of(t, spec.Load{Rate: 10, Crowds: []spec.Crowd{
		{At: 10 * time.Second, Length: 20 * time.Second, Factor: 3}, {At: 20 * time.Second, Length: 20 * time.Second, Factor: 2},
	}}, nil)
	for at, want := range map[time.Duration]float64{9: 10, 10: 30, 19: 30, 20: 60, 29: 60, 30: 20, 39: 20, 40: 10} {
		near(t, "rate", c.At(at*time.Second), want, 1e-9)
	}
	near(t, "highest rate", c.Max, 60, 1e-9)
}

func TestLoadErrors(t *testing.T) {
	files := map[string]string{"zero.csv": "ts,value\n0,0\n", "text.csv": "hello,you\n"}
	for want, l := range map[string]spec.Load{
		"rate is 0":       {},
		"rate is -1":      {Rate: -1},
		"rate is NaN":     {Rate: math.NaN()},
		"peak is 0.5":     {Rate: 1, Shape: spec.Daily, Day: time.Hour, Peak: 0.5},
		"peak is 11":      {Rate: 1, Shape: spec.Daily, Day: time.Hour, Peak: 11},
		"day is 0s":       {Rate: 1, Shape: spec.Daily, Peak: 2},
		"no such shape":   {Rate: 1, Shape: "square"},
		"no such file":    {Rate: 1, Shape: spec.Recorded, Rates: "x.csv"},
		"all zero":        {Rate: 1, Shape: spec.Recorded, Rates: "zero.csv"},
		"minute,count or": {Rate: 1, Shape: spec.Recorded, Rates: "text.csv"},
		"step is -1s":     {Rate: 1, Shape: spec.Recorded, Rates: "zero.csv", Step: -time.Second},
	} {
		_, err := schedule.Of(l, opener(files))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error is %v, want %q", l, err, want)
		}
	}
}
