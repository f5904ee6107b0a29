package scenario_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
)

func TestExampleIsTheDefault(t *testing.T) {
	want := scenario.Default(1)
	for name, text := range map[string][]byte{"example": scenario.Example(), "nothing": nil, "comment": []byte("# nothing\n")} {
		got, err := scenario.Decode(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s says\n%+v\nthe default is\n%+v", name, got, want)
		}
	}
}

// TestExampleNamesEveryKey reads the keys off the types, so that a new key cannot be left out of the example.
func TestExampleNamesEveryKey(t *testing.T) {
	for _, v := range []any{mesh.Load{}, mesh.Service{}, mesh.Version{}, mesh.Call{}, mesh.Bursts{}, mesh.Event{}, mesh.Fault{}} {
		for i := range reflect.TypeOf(v).NumField() {
			key := reflect.TypeOf(v).Field(i).Tag.Get("yaml")
			if key != "-" && !bytes.Contains(scenario.Example(), []byte(key+":")) {
				t.Errorf("%T: the example does not have %q", v, key)
			}
		}
	}
}

func TestDefaultVariesWithTheSeed(t *testing.T) {
	kinds := map[string]bool{}
	for seed := range uint64(20) {
		a, b := scenario.Default(seed), scenario.Default(seed)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d gives two scenarios", seed)
		}
		if seed > 0 && reflect.DeepEqual(a.Mesh, scenario.Default(seed-1).Mesh) {
			t.Errorf("seeds %d and %d give the same mesh", seed-1, seed)
		}
		if _, err := a.Config(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		what := ""
		for _, f := range a.Mesh.Faults {
			what += string(f.Kind) + " "
		}
		kinds[what] = true
		a.Healthy = true
		if cfg, err := a.Config(); err != nil || len(cfg.Faults) > 0 || len(cfg.Events) != 2 {
			t.Errorf("seed %d: healthy has faults %v, events %v, error %v", seed, cfg.Faults, cfg.Events, err)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("20 seeds show the faults %v", kinds)
	}
}

func TestDecode(t *testing.T) {
	s, err := scenario.Decode([]byte(`
seed: 7
length: 2h
load: {shape: bursty, rate: 5, bursts: {factor: 4}}
services:
  - name: web
    entry: 1
    versions: [{workers: 4}, {name: v2, weight: 10, replicas: 0}]
    calls: [{to: db, probability: 0.5}]
  - name: db
faults: [{kind: crash, service: db, from: 1h, to: -30m}]
`))
	if err != nil {
		t.Fatal(err)
	}
	m := s.Mesh
	if s.Seed != 7 || m.Length != 2*time.Hour || len(m.Events) != 0 || m.Start != scenario.Default(7).Mesh.Start {
		t.Errorf("got %+v", s)
	}
	bursts := mesh.Bursts{Factor: 4, Length: 2 * time.Minute, Every: 10 * time.Minute}
	if m.Load.Bursts != bursts || m.Load.Daily != 0 || m.Load.Rate != 5 {
		t.Errorf("got load %+v", m.Load)
	}
	if v := m.Services[0].Versions; v[0].Workers != 4 || v[0].Replicas != 1 || v[0].Variability != mesh.Lognormal || v[1].Replicas != 0 {
		t.Errorf("got versions %+v", v)
	}
	if c := m.Services[0].Calls[0]; c.Timeout != time.Second || c.Attempts != 1 || c.Probability != 0.5 {
		t.Errorf("got call %+v", c)
	}
	if v := m.Services[1].Versions; len(v) != 1 || v[0].Name != "v1" {
		t.Errorf("a service without versions has %+v", v)
	}
	if f := m.Faults[0]; f.Share != 1 || f.To != -30*time.Minute {
		t.Errorf("got fault %+v", f)
	}
}

// TestDecodeShorter: the preset's events that would come after the end of a shorter run are left out; the others stay at its end.
func TestDecodeShorter(t *testing.T) {
	s, err := scenario.Decode([]byte("length: 6h"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Mesh.Events) != 1 || s.Mesh.Events[0].Kind != mesh.Ramp || len(s.Mesh.Faults) == 0 {
		t.Errorf("got events %+v and faults %+v", s.Mesh.Events, s.Mesh.Faults)
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"lenght: 3h", "line 1: unknown key lenght: did you mean length?"},
		{"load:\n  peek_hour: 3", "line 2: unknown key load.peek_hour: did you mean peak_hour?"},
		{
			"services:\n  - name: a\n    versions:\n      - replica: 2",
			"line 4: unknown key services[0].versions[0].replica: did you mean replicas?",
		},
		{"zebra: 1", "line 1: unknown key zebra\n"},
		{"length: 3", "line 1: length wants a duration with a unit such as 20ms, 30s or 5m, got \"3\""},
		{"length: 90s", "length: 1m30s is no whole number of minutes"},
		{"load: {rate: many}", "line 1: load.rate wants a number, got \"many\""},
		{"load: {rate: .nan}", "load.rate: NaN a second cannot be"},
		{"load: {shape: round}", "line 1: load.shape: \"round\" is none of daily, weekly, flat, bursty"},
		{"load: {weekly: [1, 2]}", "line 1: load.weekly wants 7 values, got 2"},
		{"load: 3", "line 1: load wants keys with values"},
		{"services: {}", "line 1: services wants a list"},
		{"services: [{name: a}]", "services: none has an entry share"},
		{"services: [{name: a, entry: 1, calls: [{to: b}]}]", "services[0].calls[0].to: \"b\" is no service further down the list"},
		{"services: [{name: a, entry: 1, calls: [{to: a}]}]", "services[0].calls[0].to: \"a\" is no service further down the list"},
		{"services: [{name: a, entry: 1, balancer: magic}]", "services[0].balancer: \"magic\" is neither least_loaded nor two_choices"},
		{"faults: [{kind: gremlins, service: cart}]", "faults[0].kind: \"gremlins\" is not known"},
		{"faults: [{kind: errors, service: car, size: 0.5}]", "faults[0]: there is no version \"\" of service \"car\""},
		{"faults: [{kind: errors, service: cart, size: 5}]", "faults[0].size: a share of 5 is not in 0..1"},
		{"faults: [{kind: crash, service: cart, from: 60h}]", "faults[0].from: 60h0m0s is after the end"},
		{"faults: [{kind: crash, service: cart, from: 2h, to: 1h}]", "faults[0].to: 1h0m0s is not after from"},
		{"faults: [{kind: errors, service: cart, size: 0.1, collector: 1}]", "faults[0].collector"},
		{"events: [{kind: scale, service: cart, replicas: 3}]", "events[0]: there is no version \"\" of service \"cart\""},
		{"preset: shed", "preset: \"shed\" is neither shop nor single"},
		{"seed: -1", "line 1: seed wants a whole number of at least 0, got \"-1\""},
		{"a: &x 1\nseed: *x", "line 2: seed: anchors and aliases are not read"},
		{"seed: 1\nseed: 2", "line 2: seed is there twice"},
		{"seed: 1\n---\nseed: 2", "it has more than one document"},
		{"[1]", "line 1: the file wants keys with values"},
		{"{", "yaml:"},
		{strings.Repeat("#", scenario.MaxBytes+1), "at most 1048576 are read"},
	} {
		_, err := scenario.Decode([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error()+"\n", tt.want) {
			t.Errorf("%.60q: got error %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestRates(t *testing.T) {
	files := map[string]string{
		"a.csv": "minute,count\n1995-07-01 00:00:00,42\n1995-07-01 00:01:00,61\n1995-07-01 00:03:00,0\n",
		"b.csv": "ts,value\n1628640000,10\n1628640015,20\n1628640060,4\n",
	}
	open := func(name string) (io.ReadCloser, error) {
		text, gz := files[strings.TrimSuffix(name, ".gz")], strings.HasSuffix(name, ".gz")
		if text == "" {
			return nil, os.ErrNotExist
		}
		var b bytes.Buffer
		b.WriteString(text)
		if gz {
			b.Reset()
			z := gzip.NewWriter(&b)
			io.WriteString(z, text)
			z.Close()
		}
		return io.NopCloser(&b), nil
	}
	nan := math.NaN()
	for _, tt := range []struct {
		text   string
		start  string
		series []float64
	}{
		{"load: {rates: a.csv, scale: 0.5}", "1995-07-01T00:00:00Z", []float64{21, 30.5, nan, 0}},
		{"load: {rates: a.csv.gz}\nlength: 3m\nstart: 2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", []float64{42, 61, nan, 0}},
		{"load: {rates: b.csv}", "2021-08-11T00:00:00Z", []float64{15, 4}},
	} {
		s, err := scenario.Decode([]byte("preset: single\n" + tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Config(); err == nil {
			t.Errorf("%s: can be run without its series", tt.text)
		}
		if err := s.Open(open); err != nil {
			t.Fatalf("%s: %v", tt.text, err)
		}
		if got := s.Mesh.Start.Format(time.RFC3339); got != tt.start || fmt.Sprint(s.Mesh.Load.Series) != fmt.Sprint(tt.series) {
			t.Errorf("%s: got %v from %s, want %v from %s", tt.text, s.Mesh.Load.Series, got, tt.series, tt.start)
		}
		want := time.Duration(len(tt.series)) * time.Minute
		if strings.Contains(tt.text, "length") {
			want = 3 * time.Minute
		}
		if s.Mesh.Length != want {
			t.Errorf("%s: length %s, want %s", tt.text, s.Mesh.Length, want)
		}
	}
	s, err := scenario.Decode([]byte("preset: single\nload: {rates: c.csv}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(open); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "c.csv") {
		t.Errorf("missing file: %v", err)
	}
}

func TestRatesErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "read the names of the columns"},
		{"a,b\n1,2\n", `columns are "a,b"`},
		{"minute,count\n", "no rows"},
		{"minute,count\nyesterday,3\n", "line 2: \"yesterday\" is no time"},
		{"ts,value\n60,3\n0,3\n", "line 3: 0 is before the row above"},
		{"ts,value\n60,-3\n", "line 2: \"-3\" is no number of arrivals"},
		{"ts,value\n60,NaN\n", "line 2: \"NaN\" is no number of arrivals"},
		{"ts,value\n0,1\n8000000000,1\n", "more than ten years"},
		{"ts,value\n0\n", "wrong number of fields"},
	} {
		if _, err := scenario.ReadRates(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestRealRates reads recorded series.
func TestRealRates(t *testing.T) {
	for name, minutes := range map[string]int{
		"http-nasa-wc98/nasa.csv.gz": 81396, "http-nasa-wc98/fifa_first70pct.csv.gz": 87710, "crane-metrics/input0.csv.gz": 11520,
	} {
		path := filepath.Join("../../../shared/data", name)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("the recording is not here: %v", err)
		}
		s, err := scenario.Decode([]byte("preset: single\nload: {rates: " + path + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(func(name string) (io.ReadCloser, error) { return os.Open(name) }); err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, v := range s.Mesh.Load.Series {
			if !math.IsNaN(v) {
				got++
			}
		}
		if got != minutes {
			t.Errorf("%s: %d minutes of %d were recorded, want %d", name, got, len(s.Mesh.Load.Series), minutes)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("seed: 3\nlength: 90m\nhealthy: true\nstart: 2026-03-02T00:00:00Z"))
	f.Add([]byte("services: [{name: a, entry: 1, versions: [{}], calls: [{to: b}]}, {name: b}]"))
	f.Add([]byte("faults: [{kind: limiter, service: cart, size: .5, from: -1h}]\nload: {shape: flat}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Decode(text)
		if err != nil || s.Rates.File != "" {
			return
		}
		cfg, err := s.Config()
		if err != nil {
			t.Fatalf("it was accepted, and is unusable: %v", err)
		}
		if cfg.Length > 100*time.Hour {
			return // looking for the first request of ten years without any takes long
		}
		if _, err := mesh.New(cfg, s.Seed); err != nil {
			t.Fatalf("it was accepted, and is refused by the mesh: %v", err)
		}
	})
}

func FuzzReadRates(f *testing.F) {
	f.Add([]byte("minute,count\n1995-07-01 00:00:00,42\n1995-07-01 00:02:00,61\n"))
	f.Add([]byte("ts,value\n1628640000,39.7\n1628640060,39.8\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.ReadRates(bytes.NewReader(text))
		if err == nil && (len(s.Minutes) == 0 || math.IsNaN(s.Minutes[0]) || math.IsNaN(s.Minutes[len(s.Minutes)-1])) {
			t.Fatalf("a series begins and ends with a recorded minute: %v", s.Minutes)
		}
	})
}
