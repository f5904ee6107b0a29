// Package clustertest is what every cluster.Source has to do.
package clustertest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
)

// State is what the source under test has to show.
const State = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, resourceVersion: "7", labels: {app: cart}}
spec: {replicas: 3, selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: shop}
spec: {replicas: 9007199254740993, selector: {}, template: {}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: other}
spec: {replicas: 1, selector: {}, template: {}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart, subset: v1}, weight: 90}, {destination: {host: cart, subset: v2}, weight: 10}]}]}
`

// Run holds a source to its contract. open returns a source that shows State.
func Run(t *testing.T, open func(t *testing.T) cluster.Source) {
	t.Run("lists a namespace", func(t *testing.T) {
		want := []string{"Deployment shop/cart", "Deployment shop/front"}
		if got := listed(t, open(t), cluster.Deployment, "shop"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("lists all namespaces", func(t *testing.T) {
		if got := listed(t, open(t), cluster.Deployment, ""); len(got) != 3 {
			t.Errorf("got %q, want three", got)
		}
	})
	t.Run("a namespace without objects has none", func(t *testing.T) {
		if got := listed(t, open(t), cluster.Deployment, "nowhere"); len(got) != 0 {
			t.Errorf("got %q, want none", got)
		}
	})
	t.Run("a kind that is not there has none", func(t *testing.T) {
		for _, kind := range []cluster.Kind{cluster.ScaledObject, cluster.Canary, cluster.Rollout} {
			if got := listed(t, open(t), kind, "shop"); len(got) != 0 {
				t.Errorf("got %q, want none", got)
			}
		}
	})
	t.Run("the same order each time", func(t *testing.T) {
		s := open(t)
		if a, b := listed(t, s, cluster.Deployment, ""), listed(t, s, cluster.Deployment, ""); !slices.Equal(a, b) {
			t.Errorf("first %q, then %q", a, b)
		}
	})
	t.Run("objects are whole", func(t *testing.T) { whole(t, open(t)) })
	t.Run("a context that has ended ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t).List(ctx, cluster.Deployment, "shop"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
	t.Run("it says where it reads", func(t *testing.T) {
		if open(t).From() == "" {
			t.Error("From says nothing")
		}
	})
}

// whole compares every object, down to numbers that do not fit into a float, with State itself.
func whole(t *testing.T, s cluster.Source) {
	want, err := cluster.ParseYAML([]byte(State))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		found, err := s.List(t.Context(), w.Kind(), w.Namespace())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(found, func(o cluster.Object) bool { return o.Name() == w.Name() })
		if i < 0 {
			t.Errorf("%s is missing", w)
			continue
		}
		a, err1 := found[i].JSON()
		b, err2 := w.JSON()
		if err := errors.Join(err1, err2); err != nil || string(a) != string(b) {
			t.Errorf("%s: got %s, want %s (%v)", w, a, b, err)
		}
	}
}

func listed(t *testing.T, s cluster.Source, kind cluster.Kind, namespace string) (names []string) {
	t.Helper()
	objects, err := s.List(t.Context(), kind, namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		names = append(names, o.String())
	}
	return names
}
