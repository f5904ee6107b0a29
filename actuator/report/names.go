package report

import (
	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// names gives each workload the shortest name that no other workload of the report has.
type names map[schemas.Workload]string

// levels are a workload's names from short to full.
func levels(w schemas.Workload) []string {
	place := w.Tenant + "/" + w.Region + "/"
	return []string{w.Name, w.Namespace + "/" + w.Name, w.Key(), place + w.Key()}
}

func nameAll(in Input) names {
	users := map[string]map[schemas.Workload]bool{}
	all := map[schemas.Workload]bool{}
	add := func(w schemas.Workload) {
		w.Version = ""
		all[w] = true
		for _, name := range levels(w) {
			if users[name] == nil {
				users[name] = map[schemas.Workload]bool{}
			}
			users[name][w] = true
		}
	}
	for _, d := range in.Decisions {
		add(d.Target)
	}
	for _, f := range in.Findings {
		add(f.Workload)
	}
	out := names{}
	for w := range all {
		for _, name := range levels(w) {
			if out[w] = say.Line(name); len(users[name]) == 1 {
				break
			}
		}
	}
	return out
}

// of is the target of a decision or finding, by its name without version.
func (n names) of(w schemas.Workload) Target {
	key := w
	key.Version = ""
	return Target{n[key], w.Tenant, w.Cluster, w.Region, w.Namespace, w.Name, w.Version}
}

// Versioned is the target's name with its version.
func (t Target) Versioned() string {
	if t.Version == "" {
		return t.Name
	}
	return t.Name + "@" + say.Line(t.Version)
}
