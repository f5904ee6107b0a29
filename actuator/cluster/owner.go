package cluster

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Owner is somebody else who changes an object.
type Owner struct {
	By      string // who: "HorizontalPodAutoscaler shop/cart", "Argo CD application shop"
	Instead string // what to change instead, as the rest of a sentence
	// Tracks is true for a GitOps tool: the change is possible, but belongs into its repository.
	Tracks bool
}

func (o Owner) String() string { return o.By + " owns it: " + o.Instead + "." }

// Around are the objects among which owners are looked for, by kind.
type Around map[Kind][]Object

// ownership is one way in which an object can belong to somebody else.
type ownership func(o Object, w schemas.Workload, around Around) []Owner

func ownerships() []ownership {
	return []ownership{byController, byScaledObject, byAutoscaler, byCanary, byRollout, byGitOps}
}

// Owners lists who else changes an object of a workload, the strictest first.
func Owners(o Object, w schemas.Workload, around Around) []Owner {
	var out []Owner
	seen := map[string]bool{}
	for _, find := range ownerships() {
		for _, owner := range find(o, w, around) {
			if !seen[owner.By] {
				seen[owner.By] = true
				out = append(out, owner)
			}
		}
	}
	return out
}

// byController reads ownerReferences: Flagger and Argo Rollouts set them on what they make.
func byController(o Object, _ schemas.Workload, _ Around) []Owner {
	var out []Owner
	for _, ref := range o.List("metadata", "ownerReferences") {
		kind, name := ref.Text("kind"), qualified(o.Namespace(), ref.Text("name"))
		if controller, said := ref.At("controller").(bool); said && !controller && Kind(kind) != Canary && Kind(kind) != Rollout {
			continue
		}
		out = append(out, Owner{By: kind + " " + name, Instead: instead(Kind(kind))})
	}
	return out
}

func instead(kind Kind) string {
	switch kind {
	case Canary:
		return "change its spec.analysis, or suspend it"
	case Rollout:
		return "change its spec.strategy, or promote or abort it"
	}
	return "change that object"
}

// byScaledObject finds KEDA. Its default target kind is Deployment.
func byScaledObject(o Object, _ schemas.Workload, around Around) []Owner {
	var out []Owner
	for _, s := range around[ScaledObject] {
		kind := s.Text("spec", "scaleTargetRef", "kind")
		if (kind == "" || kind == string(o.Kind())) && o.targetOf(s, "scaleTargetRef") {
			out = append(out, Owner{By: s.String(), Instead: "change its minReplicaCount" + now(s, "minReplicaCount")})
		}
	}
	return out
}

// byAutoscaler finds HorizontalPodAutoscalers. One that KEDA made is KEDA's.
func byAutoscaler(o Object, _ schemas.Workload, around Around) []Owner {
	var out []Owner
	for _, h := range around[HorizontalPodAutoscaler] {
		if h.Text("spec", "scaleTargetRef", "kind") != string(o.Kind()) || !o.targetOf(h, "scaleTargetRef") {
			continue
		}
		owner := Owner{By: h.String(), Instead: "change its minReplicas" + now(h, "minReplicas")}
		for _, ref := range h.List("metadata", "ownerReferences") {
			if Kind(ref.Text("kind")) == ScaledObject {
				name := qualified(h.Namespace(), ref.Text("name"))
				owner = Owner{By: string(ScaledObject) + " " + name, Instead: "change its minReplicaCount"}
			}
		}
		out = append(out, owner)
	}
	return out
}

func now(o Object, field string) string {
	if n, ok := o.Int("spec", field); ok {
		return fmt.Sprintf(" (now %d)", n)
	}
	return ""
}

// byCanary finds Flagger, which moves the replicas of its target and the weights of the VirtualService it makes.
func byCanary(o Object, _ schemas.Workload, around Around) []Owner {
	var out []Owner
	for _, c := range around[Canary] {
		target := c.Text("spec", "targetRef", "name")
		service := c.Text("spec", "service", "name")
		if service == "" {
			service = target
		}
		ours := o.Kind() == Deployment && (o.Name() == target || o.Name() == target+"-primary") ||
			o.Kind() == VirtualService && o.Name() == service
		if ours && near(o, c) {
			out = append(out, Owner{By: c.String(), Instead: instead(Canary)})
		}
	}
	return out
}

// byRollout finds Argo Rollouts: the Deployment a Rollout refers to, the VirtualServices it routes with, DestinationRules it marks.
func byRollout(o Object, w schemas.Workload, around Around) []Owner {
	var out []Owner
	for _, r := range around[Rollout] {
		if near(o, r) && (o.Kind() == Deployment && r.Text("spec", "workloadRef", "name") == o.Name() ||
			o.Kind() == VirtualService && routesWith(r, o)) {
			out = append(out, Owner{By: r.String(), Instead: instead(Rollout)})
		}
	}
	if o.Kind() != VirtualService {
		return out
	}
	for _, rule := range append([]Object{o}, around[DestinationRule]...) {
		name := rule.Text("metadata", "annotations", "argo-rollouts.argoproj.io/managed-by-rollouts")
		if name != "" && (rule.Kind() == VirtualService || Serves(rule.Text("spec", "host"), rule.Namespace(), w)) {
			out = append(out, Owner{By: string(Rollout) + " " + qualified(rule.Namespace(), name), Instead: instead(Rollout)})
		}
	}
	return out
}

// routesWith reports whether a Rollout shifts its traffic with a VirtualService.
func routesWith(r, vs Object) bool {
	istio := []string{"spec", "strategy", "canary", "trafficRouting", "istio"}
	if r.Text(append(istio, "virtualService", "name")...) == vs.Name() {
		return true
	}
	for _, one := range r.List(append(istio, "virtualServices")...) {
		if one.Text("name") == vs.Name() {
			return true
		}
	}
	return false
}

// byGitOps finds the marks that GitOps tools leave on what they keep in step with a repository.
func byGitOps(o Object, _ schemas.Workload, _ Around) []Owner {
	var out []Owner
	for _, mark := range []struct{ in, key, tool string }{
		{"annotations", "argocd.argoproj.io/tracking-id", "Argo CD application"},
		{"labels", "argocd.argoproj.io/instance", "Argo CD application"},
		{"labels", "kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"},
		{"labels", "helm.toolkit.fluxcd.io/name", "Flux HelmRelease"},
	} {
		if name, _, _ := strings.Cut(o.Text("metadata", mark.in, mark.key), ":"); name != "" {
			out = append(out, Owner{By: mark.tool + " " + name, Instead: "change it in the repository that it is synchronised with", Tracks: true})
		}
	}
	return out
}

// targetOf reports whether another object's reference names this one.
func (o Object) targetOf(other Object, ref string) bool {
	return other.Text("spec", ref, "name") == o.Name() && near(o, other)
}

// near reports whether two objects may be in the same namespace: manifests need not say.
func near(a, b Object) bool {
	return a.Namespace() == b.Namespace() || a.Namespace() == "" || b.Namespace() == ""
}
