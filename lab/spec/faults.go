package spec

import (
	"errors"
	"strings"

	"github.com/weirmesh/weir/internal/strict"
)

// maxSize is more than any fault needs: sizes that are no shares.
const maxSize = 100_000

// CheckFault returns everything that keeps a fault from being set in the lab, or nil. Its From and Length are not looked at.
func (l Lab) CheckFault(f Fault) error {
	var p problems
	p.fault("fault", l.Mesh, f)
	return errors.Join(p...)
}

func (p *problems) fault(at string, m Mesh, f Fault) {
	info, ok := f.Kind.Info()
	if !ok {
		p.add(at, "kind %q is not known%s", f.Kind, strict.Suggest(string(f.Kind), kindNames()))
		return
	}
	at += " (" + string(f.Kind) + ")"
	p.size(at, info, f.Size)
	p.selectors(at, info, f)
	if f.Region != "" {
		_, ok := m.Region(f.Region)
		p.must(ok, at, "region %q is not there", f.Region)
	}
	if f.Service == "" {
		return
	}
	s, ok := m.Service(f.Service)
	if !ok {
		p.add(at, "no service is named %q%s", f.Service, strict.Suggest(f.Service, byName(m)))
		return
	}
	if f.Version != "" {
		_, ok := s.Version(f.Version)
		p.must(ok, at, "%s has no version %q", f.Service, f.Version)
	}
	p.must(f.Kind != QueueGrowth || s.Kind == Queue, at, "%s is no queue", f.Service)
	if f.To != "" {
		p.other(at, m, s, f)
	}
}

func kindNames() map[string]bool {
	all := map[string]bool{}
	for _, info := range Kinds() {
		all[string(info.Kind)] = true
	}
	return all
}

func (p *problems) size(at string, info KindInfo, size float64) {
	switch {
	case info.Size == "":
		p.must(size == 0, at, "it has no size")
	case strings.HasPrefix(info.Size, "share"):
		p.in(at+" size ("+info.Size+")", size, 0, 1)
	default:
		p.in(at+" size ("+info.Size+")", size, 0, maxSize)
	}
	if info.Size != "" && info.Kind != BadRelease {
		p.must(size != 0, at, "with a size of 0 it does nothing")
	}
}

// selectors checks that a fault says where, and says no more than its kind can follow: instances can be chosen more closely.
func (p *problems) selectors(at string, info KindInfo, f Fault) {
	needed := map[string]bool{}
	for _, name := range strings.Split(info.Target, ", ") {
		needed[name] = true
	}
	for _, s := range []struct {
		name, value string
		narrows     bool
	}{
		{"service", f.Service, true},
		{"version", f.Version, f.Service != ""},
		{"instance", f.Instance, true},
		{"region", f.Region, true},
		{"to", f.To, false},
	} {
		p.must(s.value != "" || !needed[s.name], at, "it needs %s", s.name)
		p.must(s.value == "" || needed[s.name] || s.narrows && info.Where == AtInstances, at, "%s cannot be chosen for it", s.name)
	}
}

// other checks the service that a fault's calls go to.
func (p *problems) other(at string, m Mesh, s Service, f Fault) {
	if _, ok := m.Service(f.To); !ok {
		p.add(at, "no service is named %q%s", f.To, strict.Suggest(f.To, byName(m)))
		return
	}
	called := false
	for _, name := range s.Calls() {
		called = called || name == f.To
	}
	if f.Kind != NewEdge {
		p.must(called, at, "%s does not call %s", f.Service, f.To)
		return
	}
	p.must(!called, at, "%s calls %s anyway", f.Service, f.To)
	p.must(f.To != f.Service && m.way(f.To, f.Service) == nil, at, "%s calls %s, so calls would go round in a circle", f.To, f.Service)
}
