package spec

import (
	"slices"
	"strings"

	"github.com/weirmesh/weir/internal/strict"
)

func (p *problems) service(at string, m Mesh, s Service) {
	p.name(at, s.Name)
	p.must(s.Protocol == HTTP || s.Protocol == GRPC, at, "protocol %q is neither %s nor %s", s.Protocol, HTTP, GRPC)
	p.must(s.Kind == Plain || s.Kind == Database || s.Kind == Queue, at, "kind %q is none of %s, %s, %s", s.Kind, Plain, Database, Queue)
	p.must(s.Port >= 1024 && s.Port <= 65535, at, "port %d is not between 1024 and 65535", s.Port)
	p.must(s.Port < 15000 || s.Port > 15100, at, "ports 15000 to 15100 belong to Istio")
	p.must(s.Kind == Queue || s.Deliver == "", at, "only a queue has somebody to deliver to")
	if s.Kind == Queue {
		to, ok := m.Service(s.Deliver)
		p.must(ok && s.Deliver != s.Name, at, "it delivers to %q, which is no other service", s.Deliver)
		p.must(!ok || len(to.Endpoints) > 0, at, "it delivers to %s, which has no endpoint", s.Deliver)
	}
	p.versions(at, m, s)
	p.endpoints(at, m, s)
}

func (p *problems) versions(at string, m Mesh, s Service) {
	seen, sum := map[string]bool{}, 0
	for _, v := range s.Versions {
		on := at + " version " + v.Name
		p.name(on, v.Name)
		p.unique(on, v.Name, seen)
		_, ok := m.Region(v.Region)
		p.must(ok, on, "region %q is not there", v.Region)
		p.must(v.Replicas >= 0 && v.Replicas <= maxReplicas, on, "replicas %d is not between 0 and %d", v.Replicas, maxReplicas)
		p.must(v.Slots >= 1, on, "slots %d: an instance works on at least 1 request", v.Slots)
		p.must(v.Waiting >= 0, on, "waiting %d cannot be", v.Waiting)
		p.in(on+" work seconds", v.Work.Seconds(), 0, 600)
		p.in(on+" spread", v.Spread, 0, 10)
		p.in(on+" errors", v.Errors, 0, 1)
		p.must(v.Weight >= 0, on, "weight %d cannot be", v.Weight)
		sum += v.Weight
	}
	p.must(sum == 0 || sum == 100, at, "weights of versions sum to %d, not to 100", sum)
	if s.VM {
		p.must(len(s.Versions) == 1 && s.Versions[0].Replicas == 1 && sum == 0, at, "a VM is one version with one replica and no weight")
	}
}

func (p *problems) endpoints(at string, m Mesh, s Service) {
	p.must(len(s.Endpoints) > 0, at, "it has no endpoints")
	seen := map[string]bool{}
	for _, e := range s.Endpoints {
		on := at + " endpoint " + e.Method + " " + e.Path
		p.unique(on, e.Method+" "+e.Path, seen)
		p.must(strings.HasPrefix(e.Path, "/") && !strings.ContainsAny(e.Path, "? #%"), on, "a path begins with / and has no query")
		p.must(s.Protocol != GRPC || strings.Count(e.Path, "/") == 2, on, "a gRPC endpoint is /package.Service/Method")
		p.must(strings.ToUpper(e.Method) == e.Method && e.Method != "", on, "methods are words such as GET and POST")
		p.in(on+" weight", e.Weight, 0, 1e6)
		p.must(e.Bytes >= 0 && e.Bytes <= 16<<20, on, "bytes %d is not between 0 and 16 MiB", e.Bytes)
		for _, c := range e.Calls {
			p.call(on, m, s, c)
		}
	}
}

func (p *problems) call(at string, m Mesh, from Service, c Call) {
	at += " call to " + c.To
	to, ok := m.Service(c.To)
	switch {
	case !ok:
		p.add(at, "no such service%s", strict.Suggest(c.To, byName(m)))
	case to.Name == from.Name:
		p.add(at, "a service does not call itself")
	default:
		_, ok = to.Endpoint(c.Path)
		p.must(ok, at, "%s has no endpoint %q", c.To, c.Path)
	}
	p.in(at+" share", c.Share, 0, 1)
	p.must(c.Timeout > 0, at, "it needs a timeout")
	p.must(c.Attempts >= 0 && c.Attempts <= 10, at, "attempts %d is not between 1 and 10", c.Attempts)
}

func byName(m Mesh) map[string]Service {
	all := map[string]Service{}
	for _, s := range m.Services {
		all[s.Name] = s
	}
	return all
}

// cycles reports services whose calls come back to them.
func (p *problems) cycles(m Mesh) {
	reported := map[string]bool{}
	for _, s := range m.Services {
		way := m.way(s.Name, s.Name)
		if way == nil || reported[s.Name] {
			continue
		}
		for _, name := range way {
			reported[name] = true
		}
		p.add("mesh.services", "calls go round in a circle: %s", strings.Join(append([]string{s.Name}, way...), " -> "))
	}
}

// way returns the services on a shortest way of one or more calls, without the first; nil if there is none.
func (m Mesh) way(from, to string) []string {
	services, before := byName(m), map[string]string{}
	for next := []string{from}; len(next) > 0; next = next[1:] {
		for _, called := range services[next[0]].Calls() {
			if _, seen := before[called]; seen {
				continue
			}
			before[called] = next[0]
			if called == to {
				return back(before, from, to)
			}
			next = append(next, called)
		}
	}
	return nil
}

func back(before map[string]string, from, to string) []string {
	way := []string{to}
	for at := before[to]; at != from; at = before[at] {
		way = append(way, at)
	}
	slices.Reverse(way)
	return way
}
