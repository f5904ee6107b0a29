package spec

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What one machine can run, and what the lab's pod network has room for.
const (
	maxNodes    = 2 // 10.244.1.0/24 and 10.244.2.0/24
	maxReplicas = 100
	maxVMs      = 100
	maxName     = 40 // leaves room for what Deployments and pods append
)

// Validate returns everything that keeps the lab from being run, or nil.
func (l Lab) Validate() error {
	var p problems
	p.name("name", l.Name)
	p.mesh(l.Mesh)
	p.load(l.Load)
	for i, f := range l.Faults {
		p.fault(fmt.Sprintf("faults[%d]", i), l.Mesh, f)
		p.span(fmt.Sprintf("faults[%d]", i), f.From, f.Length)
	}
	return errors.Join(p...)
}

// problems are what is wrong with a lab, each with its place.
type problems []error

func (p *problems) add(at, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: "+format, append([]any{at}, args...)...))
}

// must adds a problem unless ok.
func (p *problems) must(ok bool, at, format string, args ...any) {
	if !ok {
		p.add(at, format, args...)
	}
}

// in adds a problem unless low <= v <= high, which NaN is not.
func (p *problems) in(at string, v, low, high float64) {
	p.must(v >= low && v <= high, at, "%v is not between %v and %v", v, low, high)
}

// span checks when something happens: from the beginning of the load, for a while.
func (p *problems) span(at string, from, length time.Duration) {
	p.must(from >= 0, at, "it begins before the load does: %s", from)
	p.must(length > 0, at, "it needs a length")
}

func (p *problems) name(at, name string) {
	p.must(isLabel(name) && len(name) <= maxName, at,
		"%q is no name: up to %d of a-z, 0-9 and -, beginning with a letter and not ending with -", name, maxName)
}

// isLabel reports whether name can name a Kubernetes Service, the narrowest of names (RFC 1035).
func isLabel(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && name[0] >= 'a' && name[len(name)-1] != '-'
}

// unique adds a problem for a name that is there for the second time.
func (p *problems) unique(at, name string, seen map[string]bool) {
	p.must(!seen[name], at, "%q is there twice", name)
	seen[name] = true
}

func (p *problems) mesh(m Mesh) {
	p.name("mesh.namespace", m.Namespace)
	p.name("mesh.cluster", m.Cluster)
	taken := m.Namespace == "weir" || m.Namespace == "istio-system" || strings.HasPrefix(m.Namespace, "kube-")
	p.must(!taken, "mesh.namespace", "%q belongs to the lab itself", m.Namespace)
	p.in("mesh.start_lag seconds", m.StartLag.Seconds(), 0, 600)
	p.in("mesh.region_delay seconds", m.RegionDelay.Seconds(), 0, 10)
	p.regions(m.Regions)
	p.must(len(m.Services) > 0, "mesh.services", "there is none")
	seen, vms := map[string]bool{}, 0
	for i, s := range m.Services {
		at := fmt.Sprintf("mesh.services[%d]", i)
		if s.Name != "" {
			at = "service " + s.Name
		}
		p.unique(at, s.Name, seen)
		p.service(at, m, s)
		if s.VM {
			vms++
		}
	}
	p.must(vms <= maxVMs, "mesh.services", "%d are VMs, there is room for %d", vms, maxVMs)
	p.entry(m)
	p.cycles(m)
}

func (p *problems) entry(m Mesh) {
	s, ok := m.Service(m.Entry)
	if !ok {
		p.add("mesh.entry", "no service is named %q", m.Entry)
		return
	}
	p.must(s.Protocol == HTTP, "mesh.entry", "%s speaks %s, the gateway needs http", s.Name, s.Protocol)
	p.must(s.Kind != Queue, "mesh.entry", "%s is a queue", s.Name)
	sum := 0.0
	for _, e := range s.Endpoints {
		sum += e.Weight
	}
	p.must(sum > 0, "mesh.entry", "no endpoint of %s has a weight", s.Name)
}

func (p *problems) regions(all []Region) {
	seen, nodes := map[string]bool{}, 0
	for i, r := range all {
		at := fmt.Sprintf("mesh.regions[%d]", i)
		p.name(at, r.Name)
		p.unique(at, r.Name, seen)
		p.must(r.Nodes >= 1, at, "a region has at least 1 node, not %d", r.Nodes)
		p.in(at+".price", r.Price, 0, 1e6)
		nodes += r.Nodes
	}
	p.must(nodes <= maxNodes, "mesh.regions", "they have %d nodes, the lab has room for %d", nodes, maxNodes)
}

func (p *problems) load(l Load) {
	p.in("load.rate", l.Rate, 0, 1e5)
	p.must(l.Timeout > 0, "load.timeout", "it is how long a client waits, so more than 0s")
	switch l.Shape {
	case Flat, "":
	case Daily:
		p.must(l.Day >= time.Minute, "load.day", "it lasts at least 1m, not %s", l.Day)
		p.in("load.peak", l.Peak, 1, 10)
	case Recorded:
		p.must(l.Rates != "", "load.rates", "the shape recorded needs a file")
		p.must(l.Step >= 0, "load.step", "it cannot be negative")
	default:
		p.add("load.shape", "%q is none of %s, %s, %s", l.Shape, Flat, Daily, Recorded)
	}
	for i, c := range l.Crowds {
		at := fmt.Sprintf("load.crowds[%d]", i)
		p.span(at, c.At, c.Length)
		p.in(at+".factor", c.Factor, 0, 1000)
	}
}
