package service

import (
	"strings"

	"github.com/weirmesh/weir/lab/spec"
)

// routes finds the endpoint that a request is for.
type routes struct {
	byName   map[string]*spec.Endpoint
	patterns []pattern
}

type pattern struct {
	endpoint *spec.Endpoint
	segments []string
	literal  int // segments that are no {placeholder}
}

func newRoutes(endpoints []spec.Endpoint) routes {
	r := routes{byName: map[string]*spec.Endpoint{}}
	for i := range endpoints {
		p := pattern{endpoint: &endpoints[i], segments: strings.Split(endpoints[i].Path, "/")}
		for _, s := range p.segments {
			if !isPlaceholder(s) {
				p.literal++
			}
		}
		r.patterns = append(r.patterns, p)
		r.byName[endpoints[i].String()] = p.endpoint
	}
	return r
}

// find returns the endpoint of a method ("" = any) whose template a path fits, the most literal one; nil if there is none.
func (r routes) find(method, path string) *spec.Endpoint {
	segments := strings.Split(path, "/")
	var best *spec.Endpoint
	literal := -1
	for _, p := range r.patterns {
		if (method == "" || p.endpoint.Method == method) && p.literal > literal && p.fits(segments) {
			best, literal = p.endpoint, p.literal
		}
	}
	return best
}

func (p pattern) fits(segments []string) bool {
	if len(p.segments) != len(segments) {
		return false
	}
	for i, s := range p.segments {
		if s != segments[i] && (!isPlaceholder(s) || segments[i] == "") {
			return false
		}
	}
	return true
}

func isPlaceholder(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}
