package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Refusal is an error that says why there is nothing to change for a workload.
type Refusal struct {
	Rule   string // one word: no_object, ambiguous, ...
	Reason string // a sentence for people
}

func (e Refusal) Error() string { return e.Reason }

func none(format string, args ...any) error {
	return Refusal{Rule: "no_object", Reason: fmt.Sprintf(format, args...)}
}

func ambiguous(format string, args ...any) error {
	return Refusal{Rule: "ambiguous", Reason: fmt.Sprintf(format, args...)}
}

// The labels that say what a pod belongs to, the most telling first, as Istio reads them.
// https://istio.io/latest/docs/reference/config/labels/
func nameLabels() []string {
	return []string{"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"}
}

func versionLabels() []string {
	return []string{"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}
}

// FindDeployment returns the Deployment that runs a workload at its version. The first of these that names exactly one wins: labels that
// say workload and version; the name workload-version; the only Deployment of the workload, unless it says that it is another version.
// The error is a Refusal.
func FindDeployment(deployments []Object, w schemas.Workload) (Object, error) {
	var labelled, named, all []Object
	for _, d := range deployments {
		app, version := podLabel(d, nameLabels()), podLabel(d, versionLabels())
		switch {
		case w.Version != "" && app == w.Name && version == w.Version:
			labelled = append(labelled, d)
		case w.Version != "" && d.Name() == w.Name+"-"+w.Version:
			named = append(named, d)
		}
		if app == w.Name || d.Name() == w.Name {
			all = append(all, d)
		}
	}
	for _, found := range [][]Object{labelled, named} {
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, ambiguous("Deployments %s all run %s.", strings.Join(places(found), ", "), said(w))
		}
	}
	return only(all, w)
}

// only returns the one Deployment of a workload whose version nothing tells.
func only(all []Object, w schemas.Workload) (Object, error) {
	switch {
	case len(all) == 0:
		return nil, none("No Deployment runs %s.", said(w))
	case len(all) > 1 && w.Version == "":
		return nil, ambiguous("Deployments %s run %s, and the decision names no version.", strings.Join(places(all), ", "), said(w))
	case len(all) > 1:
		return nil, none("No Deployment runs %s, only %s do.", said(w), strings.Join(places(all), ", "))
	}
	if is := podLabel(all[0], versionLabels()); w.Version != "" && is != "" {
		return nil, none("%s runs version %s, the decision is about version %s.", all[0], is, w.Version)
	}
	return all[0], nil
}

// podLabel is the first of some labels that the Deployment gives its pods, or has itself.
func podLabel(d Object, keys []string) string {
	for _, key := range keys {
		if v := d.Text("spec", "template", "metadata", "labels", key); v != "" {
			return v
		}
		if v := d.Text("metadata", "labels", key); v != "" {
			return v
		}
	}
	return ""
}

// FindVirtualService returns the VirtualService that routes a workload's traffic: the one that splits it if there are several, else the
// one whose hosts name it. The error is a Refusal.
func FindVirtualService(services []Object, w schemas.Workload) (Object, error) {
	var splits, routes, hosts []Object
	for _, vs := range services {
		routed, split := routesTo(vs, w)
		switch {
		case split:
			splits = append(splits, vs)
		case routed:
			routes = append(routes, vs)
		case slices.ContainsFunc(Strings(vs.At("spec", "hosts")), func(h string) bool { return Serves(h, vs.Namespace(), w) }):
			hosts = append(hosts, vs)
		}
	}
	for _, found := range [][]Object{splits, routes, hosts} {
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, ambiguous("VirtualServices %s all route %s.", strings.Join(places(found), ", "), said(w))
		}
	}
	return nil, none("No VirtualService routes %s.", said(w))
}

// routesTo reports whether an http route leads to the workload, and whether one of these has several destinations.
func routesTo(vs Object, w schemas.Workload) (routed, split bool) {
	for _, route := range vs.List("spec", "http") {
		destinations := route.List("route")
		for _, d := range destinations {
			if Serves(d.Text("destination", "host"), vs.Namespace(), w) {
				routed, split = true, split || len(destinations) > 1
			}
		}
	}
	return routed, split
}

// Serves reports whether a host, as an object in the given namespace writes it, is the workload's service: its short name, or with
// namespace, .svc and cluster domain behind it. Where the workload's namespace is not known, that of the object is meant.
func Serves(host, namespace string, w schemas.Workload) bool {
	short, rest, long := strings.Cut(host, ".")
	if short != w.Name {
		return false
	}
	own := w.Namespace
	if own == "" {
		own = namespace
	}
	if !long {
		return namespace == "" || own == namespace
	}
	in, svc, deep := strings.Cut(rest, ".")
	return (own == "" || in == own) && (!deep || svc == "svc" || strings.HasPrefix(svc, "svc."))
}

// Versions maps the subsets that DestinationRules give a workload's service to the versions their labels select. A subset without a
// version label stands for the version of its own name.
func Versions(rules []Object, w schemas.Workload) map[string]string {
	out := map[string]string{}
	for _, rule := range rules {
		if !Serves(rule.Text("spec", "host"), rule.Namespace(), w) {
			continue
		}
		for _, subset := range rule.List("spec", "subsets") {
			name := subset.Text("name")
			out[name] = name
			for _, key := range slices.Backward(versionLabels()) {
				if v := subset.Text("labels", key); v != "" {
					out[name] = v
				}
			}
		}
	}
	return out
}

// Strings are the strings of a list.
func Strings(v any) []string {
	items, _ := v.([]any)
	var out []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// said names a workload for people: shop/cart@v2.
func said(w schemas.Workload) string {
	name := qualified(w.Namespace, w.Name)
	if w.Version != "" {
		name += "@" + w.Version
	}
	return name
}

// places names objects, in order.
func places(objects []Object) []string {
	var out []string
	for _, o := range objects {
		out = append(out, qualified(o.Namespace(), o.Name()))
	}
	slices.Sort(out)
	return out
}
