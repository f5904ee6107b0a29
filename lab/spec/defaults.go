package spec

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// What a lab file leaves out. Each type that has defaults fills them in before its keys are read; what depends on other keys follows in
// complete.

// UnmarshalYAML reads a lab over its defaults.
func (l *Lab) UnmarshalYAML(n *yaml.Node) error {
	type plain Lab
	p := plain{Name: "lab", Seed: 1, Load: defaultLoad()}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*l = Lab(p)
	return nil
}

// UnmarshalYAML reads a mesh over its defaults.
func (m *Mesh) UnmarshalYAML(n *yaml.Node) error {
	type plain Mesh
	p := plain{Cluster: "lab", StartLag: 2 * time.Second}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*m = Mesh(p)
	return nil
}

// UnmarshalYAML reads a region over its defaults.
func (r *Region) UnmarshalYAML(n *yaml.Node) error {
	type plain Region
	p := plain{Nodes: 1, Price: 1}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*r = Region(p)
	return nil
}

// UnmarshalYAML reads a service over its defaults.
func (s *Service) UnmarshalYAML(n *yaml.Node) error {
	type plain Service
	p := plain{Protocol: HTTP, Kind: Plain}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*s = Service(p)
	return nil
}

// UnmarshalYAML reads a version over its defaults.
func (v *Version) UnmarshalYAML(n *yaml.Node) error {
	type plain Version
	p := plain(defaultVersion())
	if err := n.Decode(&p); err != nil {
		return err
	}
	*v = Version(p)
	return nil
}

func defaultVersion() Version {
	return Version{Name: "v1", Replicas: 1, Slots: 4, Waiting: 64, Work: 10 * time.Millisecond, Spread: 0.5}
}

// UnmarshalYAML reads an endpoint over its defaults.
func (e *Endpoint) UnmarshalYAML(n *yaml.Node) error {
	type plain Endpoint
	p := plain{Weight: 1, Bytes: 256}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*e = Endpoint(p)
	return nil
}

// UnmarshalYAML reads a call over its defaults.
func (c *Call) UnmarshalYAML(n *yaml.Node) error {
	type plain Call
	p := plain{Share: 1, Timeout: time.Second, Attempts: 1}
	if err := n.Decode(&p); err != nil {
		return err
	}
	*c = Call(p)
	return nil
}

// UnmarshalYAML reads the load over its defaults.
func (l *Load) UnmarshalYAML(n *yaml.Node) error {
	type plain Load
	p := plain(defaultLoad())
	if err := n.Decode(&p); err != nil {
		return err
	}
	*l = Load(p)
	return nil
}

func defaultLoad() Load {
	return Load{Rate: 20, Shape: Flat, Day: 20 * time.Minute, Peak: 2, Timeout: 5 * time.Second}
}

// UnmarshalYAML reads a fault. A size that is left out is the kind's.
func (f *Fault) UnmarshalYAML(n *yaml.Node) error {
	type plain Fault
	var p plain
	if err := n.Decode(&p); err != nil {
		return err
	}
	kind := p.Kind
	if info, ok := kind.Info(); ok {
		p.Size = info.Default
	}
	if err := n.Decode(&p); err != nil { // once more, so that a size of 0 is one that was said
		return err
	}
	*f = Fault(p)
	return nil
}

// complete fills in what depends on other keys.
func (l *Lab) complete() {
	m := &l.Mesh
	if m.Namespace == "" {
		m.Namespace = l.Name
	}
	if len(m.Regions) == 0 {
		m.Regions = []Region{{Name: "local", Nodes: 1, Price: 1}}
	}
	if m.Entry == "" && len(m.Services) > 0 {
		m.Entry = m.Services[0].Name
	}
	for i := range m.Services {
		m.Services[i].complete(m.Regions[0].Name)
	}
}

func (s *Service) complete(region string) {
	port, method := 8080, "GET"
	if s.Protocol == GRPC {
		port, method = 9090, "POST"
	}
	if s.Port == 0 {
		s.Port = port
	}
	if len(s.Versions) == 0 {
		s.Versions = []Version{defaultVersion()}
	}
	for i := range s.Versions {
		if s.Versions[i].Region == "" {
			s.Versions[i].Region = region
		}
	}
	for i := range s.Endpoints {
		if s.Endpoints[i].Method == "" {
			s.Endpoints[i].Method = method
		}
	}
}
