package cluster_test

import (
	"errors"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/schemas"
)

func parse(t testing.TB, text string) []cluster.Object {
	t.Helper()
	objects, err := cluster.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func of(name, version string) schemas.Workload {
	return schemas.Workload{Cluster: "c", Namespace: "shop", Name: name, Version: version}
}

// found says what a search gave: the object's name, or the rule and reason why there is none.
func found(o cluster.Object, err error) string {
	var r cluster.Refusal
	if errors.As(err, &r) {
		return r.Rule + ": " + r.Reason
	}
	return o.Name()
}

const deployments = `
{kind: Deployment, metadata: {name: cart-stable, namespace: shop}, spec: {template: {metadata: {labels: {app: cart, version: v1}}}}}
---
{kind: Deployment, metadata: {name: cart-new, namespace: shop, labels: {app.kubernetes.io/name: cart, app.kubernetes.io/version: v2}}}
---
{kind: Deployment, metadata: {name: front-v1, namespace: shop}}
---
{kind: Deployment, metadata: {name: pay, namespace: shop, labels: {app: pay}}}
---
{kind: Deployment, metadata: {name: mail, namespace: shop, labels: {app: mail, version: v3}}}
---
{kind: Deployment, metadata: {name: a, namespace: shop, labels: {app: twin, version: v1}}}
---
{kind: Deployment, metadata: {name: b, namespace: shop, labels: {app: twin, version: v1}}}
---
{kind: Deployment, metadata: {name: odd, namespace: shop, labels: {service.istio.io/canonical-name: canon, app: other, version: v1}}}
`

func TestFindDeployment(t *testing.T) {
	all := parse(t, deployments)
	for _, tt := range []struct{ name, version, want string }{
		{"cart", "v1", "cart-stable"},
		{"cart", "v2", "cart-new"},
		{"cart", "v9", "no_object: No Deployment runs shop/cart@v9, only shop/cart-new, shop/cart-stable do."},
		{"cart", "", "ambiguous: Deployments shop/cart-new, shop/cart-stable run shop/cart, and the decision names no version."},
		{"front", "v1", "front-v1"},
		{"front", "", "no_object: No Deployment runs shop/front."},
		{"pay", "v7", "pay"}, // it does not say its version
		{"pay", "", "pay"},
		{"mail", "", "mail"},
		{"mail", "v4", "no_object: Deployment shop/mail runs version v3, the decision is about version v4."},
		{"twin", "v1", "ambiguous: Deployments shop/a, shop/b all run shop/twin@v1."},
		{"canon", "v1", "odd"},
		{"other", "v1", "no_object: No Deployment runs shop/other@v1."},
		{"nothing", "v1", "no_object: No Deployment runs shop/nothing@v1."},
	} {
		if got := found(cluster.FindDeployment(all, of(tt.name, tt.version))); got != tt.want {
			t.Errorf("%s@%s: got %q, want %q", tt.name, tt.version, got, tt.want)
		}
	}
}

const services = `
{kind: VirtualService, metadata: {name: cart-mesh, namespace: shop}, spec: {hosts: [cart], http: [
  {route: [{destination: {host: cart, subset: v1}}, {destination: {host: cart, subset: v2}}]}]}}
---
{kind: VirtualService, metadata: {name: gateway, namespace: shop}, spec: {hosts: [www.example.com], http: [
  {route: [{destination: {host: cart.shop.svc.cluster.local}}]}, {route: [{destination: {host: front.shop}}]}]}}
---
{kind: VirtualService, metadata: {name: pay, namespace: shop}, spec: {hosts: [pay.shop.svc.cluster.local]}}
---
{kind: VirtualService, metadata: {name: m1, namespace: shop}, spec: {http: [{route: [{destination: {host: mail}}]}]}}
---
{kind: VirtualService, metadata: {name: m2, namespace: shop}, spec: {http: [{route: [{destination: {host: mail.shop.svc}}]}]}}
`

func TestFindVirtualService(t *testing.T) {
	all := parse(t, services)
	for _, tt := range []struct{ name, want string }{
		{"cart", "cart-mesh"}, // it splits, the gateway does not
		{"front", "gateway"},
		{"pay", "pay"},
		{"mail", "ambiguous: VirtualServices shop/m1, shop/m2 all route shop/mail@v1."},
		{"www", "no_object: No VirtualService routes shop/www@v1."},
	} {
		if got := found(cluster.FindVirtualService(all, of(tt.name, "v1"))); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestServes(t *testing.T) {
	for _, tt := range []struct {
		host, in, namespace string // of the object, of the workload
		want                bool
	}{
		{"cart", "shop", "shop", true},
		{"cart", "other", "shop", false},
		{"cart", "", "shop", true},
		{"cart", "shop", "", true},
		{"cart.shop", "other", "shop", true},
		{"cart.shop.svc", "other", "shop", true},
		{"cart.shop.svc.cluster.local", "other", "shop", true},
		{"cart.shop.svc.corp.example", "other", "shop", true},
		{"cart.shop.example.com", "shop", "shop", false},
		{"cart.other", "shop", "shop", false},
		{"cart.other", "shop", "", false},
		{"cart.shop", "shop", "", true},
		{"cartoon", "shop", "shop", false},
		{"", "shop", "shop", false},
		{"*", "shop", "shop", false},
	} {
		w := schemas.Workload{Namespace: tt.namespace, Name: "cart"}
		if got := cluster.Serves(tt.host, tt.in, w); got != tt.want {
			t.Errorf("host %q in %q for workload in %q: got %v", tt.host, tt.in, tt.namespace, got)
		}
	}
}

func TestVersions(t *testing.T) {
	rules := parse(t, `
{kind: DestinationRule, metadata: {name: r, namespace: shop}, spec: {host: cart, subsets: [
  {name: stable, labels: {version: v1}}, {name: v2}, {name: new, labels: {version: x, app.kubernetes.io/version: v3}}]}}
---
{kind: DestinationRule, metadata: {name: other, namespace: shop}, spec: {host: pay, subsets: [{name: stable, labels: {version: v9}}]}}`)
	got := cluster.Versions(rules, of("cart", ""))
	if len(got) != 3 || got["stable"] != "v1" || got["v2"] != "v2" || got["new"] != "v3" {
		t.Errorf("got %v", got)
	}
}

func TestOwners(t *testing.T) {
	const deployment = "{kind: Deployment, metadata: {name: cart, namespace: shop}}"
	const service = "{kind: VirtualService, metadata: {name: cart, namespace: shop}}"
	for _, tt := range []struct {
		name, object, around string
		want                 []string
	}{
		{name: "nobody", object: deployment},
		{
			name: "an autoscaler", object: deployment,
			around: "{kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: shop}, spec: {minReplicas: 2, scaleTargetRef: {kind: Deployment, name: cart}}}",
			want:   []string{"HorizontalPodAutoscaler shop/h owns it: change its minReplicas (now 2)."},
		},
		{
			name: "an autoscaler of something else", object: deployment,
			around: "{kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: shop}, spec: {scaleTargetRef: {kind: StatefulSet, name: cart}}}",
		},
		{
			name: "an autoscaler elsewhere", object: deployment,
			around: "{kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: x}, spec: {scaleTargetRef: {kind: Deployment, name: cart}}}",
		},
		{
			name: "KEDA, with its autoscaler", object: deployment,
			around: "{kind: ScaledObject, metadata: {name: k, namespace: shop}, spec: {minReplicaCount: 1, scaleTargetRef: {name: cart}}}\n---\n" +
				"{kind: HorizontalPodAutoscaler, metadata: {name: keda-hpa-k, namespace: shop, ownerReferences: [{kind: ScaledObject, name: k}]}, " +
				"spec: {scaleTargetRef: {kind: Deployment, name: cart}}}",
			want: []string{"ScaledObject shop/k owns it: change its minReplicaCount (now 1)."},
		},
		{
			name: "Flagger's target", object: deployment,
			around: "{kind: Canary, metadata: {name: c, namespace: shop}, spec: {targetRef: {name: cart}}}",
			want:   []string{"Canary shop/c owns it: change its spec.analysis, or suspend it."},
		},
		{
			name: "Flagger's primary", object: "{kind: Deployment, metadata: {name: cart-primary, namespace: shop, ownerReferences: [{kind: Canary, name: c, controller: true}]}}",
			around: "{kind: Canary, metadata: {name: c, namespace: shop}, spec: {targetRef: {name: cart}}}",
			want:   []string{"Canary shop/c owns it: change its spec.analysis, or suspend it."},
		},
		{
			name: "Flagger's routes", object: service,
			around: "{kind: Canary, metadata: {name: c, namespace: shop}, spec: {targetRef: {name: x}, service: {name: cart}}}",
			want:   []string{"Canary shop/c owns it: change its spec.analysis, or suspend it."},
		},
		{
			name: "a Rollout's Deployment", object: deployment,
			around: "{kind: Rollout, metadata: {name: r, namespace: shop}, spec: {workloadRef: {name: cart}}}",
			want:   []string{"Rollout shop/r owns it: change its spec.strategy, or promote or abort it."},
		},
		{
			name: "a Rollout's routes", object: service,
			around: "{kind: Rollout, metadata: {name: r, namespace: shop}, spec: {strategy: {canary: {trafficRouting: {istio: {virtualService: {name: cart}}}}}}}",
			want:   []string{"Rollout shop/r owns it: change its spec.strategy, or promote or abort it."},
		},
		{
			name: "one of a Rollout's routes", object: service,
			around: "{kind: Rollout, metadata: {name: r, namespace: shop}, spec: {strategy: {canary: {trafficRouting: {istio: {virtualServices: [{name: x}, {name: cart}]}}}}}}",
			want:   []string{"Rollout shop/r owns it: change its spec.strategy, or promote or abort it."},
		},
		{
			name: "a DestinationRule that a Rollout manages", object: service,
			around: "{kind: DestinationRule, metadata: {name: d, namespace: shop, annotations: {argo-rollouts.argoproj.io/managed-by-rollouts: r}}, spec: {host: cart}}",
			want:   []string{"Rollout shop/r owns it: change its spec.strategy, or promote or abort it."},
		},
		{
			name: "any controller", object: "{kind: Deployment, metadata: {name: cart, namespace: shop, ownerReferences: [{kind: Shop, name: s, controller: true}]}}",
			want: []string{"Shop shop/s owns it: change that object."},
		},
		{
			name: "an owner that does not control", object: "{kind: Deployment, metadata: {name: cart, namespace: shop, ownerReferences: [{kind: Shop, name: s, controller: false}]}}",
		},
		{
			name: "Argo CD", object: "{kind: Deployment, metadata: {name: cart, annotations: {argocd.argoproj.io/tracking-id: 'shop:apps/Deployment:shop/cart'}}}",
			want: []string{"Argo CD application shop owns it: change it in the repository that it is synchronised with."},
		},
		{
			name: "Flux", object: "{kind: Deployment, metadata: {name: cart, labels: {kustomize.toolkit.fluxcd.io/name: apps}}}",
			want: []string{"Flux Kustomization apps owns it: change it in the repository that it is synchronised with."},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			around := cluster.Around{}
			for _, o := range parse(t, tt.around) {
				around[o.Kind()] = append(around[o.Kind()], o)
			}
			var got []string
			for _, o := range cluster.Owners(parse(t, tt.object)[0], of("cart", ""), around) {
				got = append(got, o.String())
			}
			if len(got) != len(tt.want) || len(got) > 0 && got[0] != tt.want[0] {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
