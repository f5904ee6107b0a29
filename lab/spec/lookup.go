package spec

// Info returns what people need to know about the kind; false if there is no such kind.
func (k FaultKind) Info() (KindInfo, bool) {
	for _, info := range Kinds() {
		if info.Kind == k {
			return info, true
		}
	}
	return KindInfo{}, false
}

// Service returns the service of a name; false if there is none.
func (m Mesh) Service(name string) (Service, bool) {
	for _, s := range m.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// Region returns the region of a name; false if there is none.
func (m Mesh) Region(name string) (Region, bool) {
	for _, r := range m.Regions {
		if r.Name == name {
			return r, true
		}
	}
	return Region{}, false
}

// Version returns the version of a name; false if there is none.
func (s Service) Version(name string) (Version, bool) {
	for _, v := range s.Versions {
		if v.Name == name {
			return v, true
		}
	}
	return Version{}, false
}

// Endpoint returns the endpoint of a path, or the first if the path is ""; false if there is none.
func (s Service) Endpoint(path string) (Endpoint, bool) {
	for _, e := range s.Endpoints {
		if path == "" || e.Path == path {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Weighted reports whether the service's calls are split between its versions by weight.
func (s Service) Weighted() bool {
	for _, v := range s.Versions {
		if v.Weight != 0 {
			return true
		}
	}
	return false
}

// Calls returns the names of the services that the service calls by itself, each once, in the order of its calls.
func (s Service) Calls() []string {
	var all []string
	seen := map[string]bool{"": true}
	for _, e := range s.Endpoints {
		for _, c := range e.Calls {
			if !seen[c.To] {
				seen[c.To], all = true, append(all, c.To)
			}
		}
	}
	if !seen[s.Deliver] {
		all = append(all, s.Deliver)
	}
	return all
}
