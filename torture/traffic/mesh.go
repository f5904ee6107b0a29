package traffic

import (
	"fmt"
	"math/rand/v2"

	"github.com/weirmesh/weir/schemas"
)

// Where all of the mesh is.
const (
	cluster = "torture"
	region  = "here"
)

// maxPlaces is how many workloads or instances a key of the truth can tell apart.
const maxPlaces = 1 << 16

// place is one instance: what a span comes from, or a peer that sends none.
type place struct {
	origin   schemas.Origin
	workload uint16 // its number in mesh.workloads
	shift    int64  // ns by which its host's clock is ahead
	node     int    // telemetry of a node goes into the same requests
	grpc     bool
}

// service is a Service with everything looked up.
type service struct {
	places []uint16
	calls  []call
}

type call struct {
	to    int    // service, unless it is a peer
	peer  uint16 // place, if it is one
	share float64
	kind  Kind
}

// mesh is who there is. It does not change once it is made.
type mesh struct {
	workloads []schemas.Workload // with versions; the first two are nobody's
	places    []place
	services  []service
	entries   []int
}

// Callers that are no workload.
const (
	outside uint16 = iota
	unknown
)

// nodes is how many nodes instances are spread over; each has one request in each of a block's steps.
const (
	nodes = 8
	steps = BlockRequests / nodes
)

func newMesh(cfg Config) *mesh {
	m := &mesh{workloads: []schemas.Workload{
		outside: {Tenant: cfg.Tenant, Name: schemas.Outside},
		unknown: {Tenant: cfg.Tenant, Name: schemas.UnknownCaller},
	}}
	rng := rand.New(rand.NewPCG(cfg.Seed, ^uint64(0)))
	index := map[string]int{}
	for i, s := range cfg.Services {
		index[s.Name] = i
		m.services = append(m.services, service{places: m.instances(cfg, s, rng)})
		if s.Entry {
			m.entries = append(m.entries, i)
		}
	}
	for i, s := range cfg.Services {
		for _, c := range s.Calls {
			made := call{share: c.Share, kind: c.Kind}
			if c.Kind == Peer || c.Kind == Proxied {
				made.peer = m.peer(cfg, s.Namespace, c.To)
			} else {
				made.to = index[c.To]
			}
			m.services[i].calls = append(m.services[i].calls, made)
		}
	}
	return m
}

// instances adds the instances of a service.
func (m *mesh) instances(cfg Config, s Service, rng *rand.Rand) []uint16 {
	var out []uint16
	for v := range s.Versions {
		w := schemas.Workload{
			Tenant: cfg.Tenant, Cluster: cluster, Region: region, Namespace: s.Namespace, Name: s.Name, Version: fmt.Sprintf("v%d", v+1),
		}
		m.workloads = append(m.workloads, w)
		for n := range s.Instances {
			p := place{
				origin:   schemas.Origin{Workload: w, Instance: fmt.Sprintf("%s-%s-%d", s.Name, w.Version, n)},
				workload: uint16(len(m.workloads) - 1), node: rng.IntN(nodes), grpc: s.GRPC,
			}
			if rng.Float64() < cfg.Skewed {
				p.shift = int64(Skew) * int64(1-2*rng.IntN(2))
			}
			out = append(out, m.add(p))
		}
	}
	return out
}

// peer is the place that callers in a namespace know under a name. Nobody knows its version or its instance.
func (m *mesh) peer(cfg Config, namespace, name string) uint16 {
	w := schemas.Workload{Tenant: cfg.Tenant, Cluster: cluster, Namespace: namespace, Name: name}
	for i, p := range m.places {
		if p.origin.Workload == w {
			return uint16(i)
		}
	}
	m.workloads = append(m.workloads, w)
	return m.add(place{origin: schemas.Origin{Workload: w}, workload: uint16(len(m.workloads) - 1)})
}

func (m *mesh) add(p place) uint16 {
	m.places = append(m.places, p)
	return uint16(len(m.places) - 1)
}
