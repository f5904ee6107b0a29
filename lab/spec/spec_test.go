package spec_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

func TestDefaultDecodes(t *testing.T) {
	lab, err := spec.Decode(spec.Example())
	if err != nil {
		t.Fatal(err)
	}
	pods, kinds := 0, map[spec.Kind]bool{}
	for _, s := range lab.Mesh.Services {
		kinds[s.Kind] = true
		for _, v := range s.Versions {
			pods += v.Replicas
		}
	}
	if pods < 16 || pods > 20 {
		t.Errorf("%d instances do not fit a small machine, or show too little", pods)
	}
	if len(kinds) != 3 {
		t.Errorf("the shop shows kinds %v, not all three", kinds)
	}
	if spec.Default().Mesh.Entry != "web" {
		t.Error("Default is not what Example says")
	}
}

// Each version of the default lab is used enough for trouble to show, and little enough for a healthy day to stay calm.
func TestDefaultUtilization(t *testing.T) {
	lab := spec.Default()
	arrivals := map[string]float64{}
	entry, _ := lab.Mesh.Service(lab.Mesh.Entry)
	total := 0.0
	for _, e := range entry.Endpoints {
		total += e.Weight
	}
	var arrive func(s spec.Service, e spec.Endpoint, rate float64)
	arrive = func(s spec.Service, e spec.Endpoint, rate float64) {
		arrivals[s.Name] += rate
		for _, c := range e.Calls {
			to, _ := lab.Mesh.Service(c.To)
			called, _ := to.Endpoint(c.Path)
			arrive(to, called, rate*c.Share)
		}
		if to, ok := lab.Mesh.Service(s.Deliver); ok {
			arrive(to, to.Endpoints[0], rate)
		}
	}
	for _, e := range entry.Endpoints {
		arrive(entry, e, lab.Load.Rate*e.Weight/total)
	}
	for _, s := range lab.Mesh.Services {
		for _, v := range s.Versions {
			part := 1.0
			if s.Weighted() {
				part = float64(v.Weight) / 100
			}
			used := arrivals[s.Name] * part * v.Work.Seconds() / float64(v.Replicas*v.Slots)
			t.Logf("%s %s: %.1f requests/s, utilization %.2f", s.Name, v.Name, arrivals[s.Name]*part, used)
			if s.Kind != spec.Queue && (used < 0.25 || used > 0.55) {
				t.Errorf("%s %s is used %.2f of the time", s.Name, v.Name, used)
			}
		}
	}
}

func TestDefaultsOfASmallFile(t *testing.T) {
	lab, err := spec.Decode([]byte("mesh: {services: [{name: one, endpoints: [{path: /}]}, {name: two, protocol: grpc, endpoints: [{path: /a.B/C}]}]}"))
	if err != nil {
		t.Fatal(err)
	}
	one, two := lab.Mesh.Services[0], lab.Mesh.Services[1]
	v := one.Versions[0]
	switch {
	case lab.Name != "lab" || lab.Seed != 1 || lab.Mesh.Namespace != "lab" || lab.Mesh.Entry != "one" || lab.Mesh.StartLag != 2*time.Second:
		t.Errorf("lab: %+v", lab)
	case one.Port != 8080 || one.Kind != spec.Plain || one.Endpoints[0].Method != "GET" || two.Port != 9090 || two.Endpoints[0].Method != "POST":
		t.Errorf("services: %+v, %+v", one, two)
	case v.Name != "v1" || v.Region != "local" || v.Replicas != 1 || v.Slots != 4 || v.Waiting != 64:
		t.Errorf("version: %+v", v)
	case lab.Load.Rate != 20 || lab.Load.Timeout != 5*time.Second || lab.Load.Shape != spec.Flat:
		t.Errorf("load: %+v", lab.Load)
	}
}

func TestSizeOfAFault(t *testing.T) {
	base := string(spec.Example())
	for text, want := range map[string]float64{
		"{kind: cpu_burn, service: pricing, length: 1m}":                           3,
		"{kind: cpu_burn, service: pricing, length: 1m, size: 5}":                  5,
		"{kind: bad_release, service: pricing, version: v1, length: 1m}":           0.3,
		"{size: 0, kind: bad_release, service: pricing, version: v1, length: 1m}":  0,
		"{kind: region_outage, region: south, length: 1m}":                         0,
		"{kind: delay, service: web, region: north, instance: web-0, length: 30s}": 200,
	} {
		lab, err := spec.Decode([]byte(strings.Replace(base, "faults: []", "faults: ["+text+"]", 1)))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := lab.Faults[0].Size; got != want {
			t.Errorf("%s: size %v, want %v", text, got, want)
		}
	}
}

// Each row changes one thing of the default file, and names the words that must be in the error.
func TestDecodeRefuses(t *testing.T) {
	for name, row := range map[string]struct{ old, new, want string }{
		"unknown key":        {"seed: 1 ", "sead: 1 ", "line 5: unknown key sead: did you mean seed?"},
		"unknown inner key":  {"entry: web ", "entri: web ", "unknown key mesh.entri: did you mean entry?"},
		"twice":              {"seed: 1 ", "name: x ", "name is there twice"},
		"wrong kind":         {"rate: 40 ", "rate: many ", `load.rate wants a number, got "many"`},
		"no duration":        {"start_lag: 2s", "start_lag: 2", "a duration with a unit"},
		"alias":              {"cluster: lab", "cluster: &c lab", "anchors and aliases"},
		"two documents":      {"faults: []", "faults: []\n---\na: 1", "more than one document"},
		"name":               {"name: shop", "name: Shop_1", `name: "Shop_1" is no name`},
		"reserved namespace": {"namespace: shop", "namespace: weir", "belongs to the lab itself"},
		"region":             {"region: south, slots: 1, work: 200ms, errors", "region: west, slots: 1, work: 200ms, errors", `region "west" is not there`},
		"nodes":              {"name: north, nodes: 1", "name: north, nodes: 2", "3 nodes"},
		"price":              {"price: 0.6", "price: .nan", "NaN is not between"},
		"entry":              {"entry: web", "entry: shopfront", `mesh.entry: no service is named "shopfront"`},
		"entry protocol":     {"entry: web", "entry: pricing", "the gateway needs http"},
		"weights":            {"weight: 80", "weight: 70", "service catalog: weights of versions sum to 90"},
		"port":               {"port: 7070", "port: 80", "port 80 is not between 1024 and 65535"},
		"Istio's port":       {"port: 7070", "port: 15006", "belong to Istio"},
		"slots":              {"replicas: 2, slots: 4", "replicas: 2, slots: 0", "slots 0"},
		"two of a name":      {"- name: reviews", "- name: pricing", `"pricing" is there twice`},
		"unknown callee":     {"to: recommend,", "to: recommended,", "no such service: did you mean recommend?"},
		"unknown endpoint":   {"path: /products, share", "path: /produce, share", `catalog has no endpoint "/produce"`},
		"itself":             {"calls: [{to: catalog, path: /products, share", "calls: [{to: recommend, share", "does not call itself"},
		"circle":             {`{path: /shop.Pricing/Quote, bytes: 64}`, `{path: /shop.Pricing/Quote, calls: [{to: catalog}]}`, "catalog -> pricing -> catalog"},
		"queue circle":       {"/shop.Notifier/Send, bytes: 32", "/shop.Notifier/Send, calls: [{to: notify-queue}]", "go round in a circle"},
		"deliver":            {"deliver: notifier", "deliver: nobody", `delivers to "nobody"`},
		"no queue":           {"kind: queue\n", "kind: service\n", "only a queue"},
		"grpc path":          {"/shop.Pricing/Quote", "/quote", "/package.Service/Method"},
		"VM of two":          {"name: v1, region: north, slots: 2, work: 140ms", "name: v1, replicas: 2", "a VM is one version"},
		"rate":               {"rate: 40", "rate: -1", "load.rate"},
		"shape":              {"shape: flat", "shape: round", `"round" is none of`},
		"recorded":           {"shape: flat", "shape: recorded", "needs a file"},
		"crowd":              {"crowds: []", "crowds: [{at: 1m, factor: 2}]", "load.crowds[0]: it needs a length"},
		"fault kind":         {"faults: []", "faults: [{kind: cpu_bern, length: 1m}]", "is not known: did you mean cpu_burn?"},
		"fault target":       {"faults: []", "faults: [{kind: errors, length: 1m}]", "faults[0] (errors): it needs service"},
		"fault length":       {"faults: []", "faults: [{kind: errors, service: web}]", "it needs a length"},
		"fault service":      {"faults: []", "faults: [{kind: errors, service: wep, length: 1m}]", "did you mean web?"},
		"fault version":      {"faults: []", "faults: [{kind: errors, service: web, version: v9, length: 1m}]", `web has no version "v9"`},
		"fault size":         {"faults: []", "faults: [{kind: errors, service: web, size: 3, length: 1m}]", "3 is not between 0 and 1"},
		"fault without size": {"faults: []", "faults: [{kind: region_outage, region: north, size: 3, length: 1m}]", "it has no size"},
		"fault of nothing":   {"faults: []", "faults: [{kind: delay, service: web, size: 0, length: 1m}]", "it does nothing"},
		"fault everywhere":   {"faults: []", "faults: [{kind: flood, service: web, length: 1m}]", "service cannot be chosen for it"},
		"fault queue":        {"faults: []", "faults: [{kind: queue_growth, service: web, length: 1m}]", "web is no queue"},
		"fault dependency":   {"faults: []", "faults: [{kind: retry_storm, service: web, to: pricing, length: 1m}]", "web does not call pricing"},
		"fault old edge":     {"faults: []", "faults: [{kind: new_edge, service: web, to: cart, length: 1m}]", "web calls cart anyway"},
		"fault circle":       {"faults: []", "faults: [{kind: new_edge, service: pricing, to: web, length: 1m}]", "round in a circle"},
		"fault region":       {"faults: []", "faults: [{kind: price_change, region: west, length: 1m}]", `region "west" is not there`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(spec.Example()), row.old, row.new, 1)
			if text == string(spec.Example()) {
				t.Fatalf("%q is not in the default file", row.old)
			}
			_, err := spec.Decode([]byte(text))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error is %v, want %q in it", err, row.want)
			}
		})
	}
}

func TestEveryKindCanBeSet(t *testing.T) {
	lab := spec.Default()
	for _, info := range spec.Kinds() {
		f := spec.Fault{Kind: info.Kind, Size: info.Default}
		for _, selector := range strings.Split(info.Target, ", ") {
			switch selector {
			case "service":
				f.Service = "web"
			case "version":
				f.Version = "v1"
			case "region":
				f.Region = "south"
			case "to":
				f.To = "catalog"
			}
		}
		if info.Kind == spec.QueueGrowth {
			f.Service = "notify-queue"
		}
		if info.Kind == spec.NewEdge {
			f.To = "orders"
		}
		if err := lab.CheckFault(f); err != nil {
			t.Errorf("%s: %v", info.Kind, err)
		}
	}
}

// Whatever is decoded can be run: it passes its own check, and nothing in it is out of range.
func FuzzDecode(f *testing.F) {
	f.Add(spec.Example())
	f.Add([]byte("mesh: {services: [{name: a, endpoints: [{path: /}]}]}"))
	f.Add([]byte("mesh: {services: [{name: a, kind: queue, deliver: a}]}"))
	f.Add([]byte("name: &x a\nmesh: *x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lab, err := spec.Decode(text)
		if err != nil {
			return
		}
		if err := lab.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, s := range lab.Mesh.Services {
			if len(s.Endpoints) == 0 || len(s.Versions) == 0 || s.Port == 0 {
				t.Fatalf("service %+v", s)
			}
		}
		if math.IsNaN(lab.Load.Rate) || math.IsInf(lab.Load.Rate, 0) {
			t.Fatal(lab.Load.Rate)
		}
	})
}
