package scenario_test

import (
	"bytes"
	"slices"
	"testing"

	networking "istio.io/api/networking/v1alpha3"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
)

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict(text, &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// object is an Istio object: istio.io/api has only the specs.
type object[T any] struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            T `json:"spec"`
}

func TestManifests(t *testing.T) {
	files, err := scenario.Manifests(scenario.Default(1).Mesh)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 8+7+1 {
		t.Errorf("got %d files, want 8 deployments, 7 services, 1 with routes", len(files))
	}
	for name, replicas := range map[string]int32{"catalog-v1": 2, "catalog-v2": 1, "cart-store-v1": 6} {
		d := decode[apps.Deployment](t, files[name+".yaml"])
		pod := d.Spec.Template
		if d.Kind != "Deployment" || d.APIVersion != "apps/v1" || d.Name != name || d.Namespace != "shop" || *d.Spec.Replicas != replicas {
			t.Errorf("%s: got %+v", name, d)
		}
		same := d.Labels["app"] == d.Labels["app.kubernetes.io/name"] && pod.Labels["app"] == d.Spec.Selector.MatchLabels["app"]
		if d.Labels["version"] == "" || !same {
			t.Errorf("%s: labels %v, of pods %v", name, d.Labels, pod.Labels)
		}
		if cpu := pod.Spec.Containers[0].Resources.Limits.Cpu().MilliValue(); cpu != 250 {
			t.Errorf("%s: CPU limit %dm", name, cpu)
		}
	}
	s := decode[core.Service](t, files["catalog-service.yaml"])
	if s.Name != "catalog" || s.Spec.Selector["app"] != "catalog" || len(s.Spec.Selector) != 1 {
		t.Errorf("got service %+v", s)
	}
	routes := bytes.Split(files["catalog-routes.yaml"], []byte("---\n"))
	rule := decode[object[*networking.DestinationRule]](t, routes[0])
	if rule.Kind != "DestinationRule" || rule.Spec.Host != "catalog" || rule.Spec.Subsets[1].Labels["version"] != "v2" {
		t.Errorf("got %+v", rule)
	}
	virtual := decode[object[*networking.VirtualService]](t, routes[1])
	var weights []int32
	for _, d := range virtual.Spec.Http[0].Route {
		weights = append(weights, d.Weight)
	}
	if virtual.Kind != "VirtualService" || !slices.Equal(weights, []int32{80, 20}) {
		t.Errorf("got %s with weights %v", virtual.Kind, weights)
	}
}

// TestManifestWeights: Istio wants whole percentages that add up to 100.
func TestManifestWeights(t *testing.T) {
	cfg := scenario.Default(1).Mesh
	v := cfg.Services[1].Versions[0]
	cfg.Services[1].Versions = nil
	for _, name := range []string{"v1", "v2", "v3"} {
		v.Name, v.Weight = name, 1
		cfg.Services[1].Versions = append(cfg.Services[1].Versions, v)
	}
	files, err := scenario.Manifests(cfg)
	if err != nil {
		t.Fatal(err)
	}
	virtual := decode[object[*networking.VirtualService]](t, bytes.Split(files["catalog-routes.yaml"], []byte("---\n"))[1])
	sum := int32(0)
	for _, d := range virtual.Spec.Http[0].Route {
		sum += d.Weight
	}
	if sum != 100 {
		t.Errorf("weights add up to %d", sum)
	}
}

func TestManifestNames(t *testing.T) {
	for _, name := range []string{"Cart", "a b", "a: b", "../x", ""} {
		cfg := mesh.Config{Namespace: "shop", Services: []mesh.Service{{Name: name, Versions: []mesh.Version{{Name: "v1", Weight: 1}}}}}
		if files, err := scenario.Manifests(cfg); err == nil {
			t.Errorf("service %q gives %d files", name, len(files))
		}
	}
}
