package objects_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/spec"
)

var update = flag.Bool("update", false, "write golden files anew") //nolint:gochecknoglobals // a flag of the test

func TestDefaultLab(t *testing.T) {
	all, err := objects.Render(spec.Default(), objects.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, o := range all {
		one, err := yaml.Marshal(o.DeepCopy().Object) // DeepCopy refuses what is no JSON
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
		text.Write(one)
	}
	golden(t, "shop.yaml", text.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is made; run the test with -update and look at the difference", path)
	}
}

// Every object has a name of its own, and a resource that Apply knows; every namespace is made before what is in it.
func TestApplicable(t *testing.T) {
	all, err := objects.Render(spec.Default(), objects.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, o := range all {
		key := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if ns := o.GetNamespace(); ns != "" && !seen["Namespace /"+ns] {
			t.Errorf("%s comes before its namespace", key)
		}
		if _, err := objects.Resource(o.GroupVersionKind()); err != nil {
			t.Error(err)
		}
	}
}

// An entry with weights has one VirtualService for calls from inside and from the gateway, so that a change of weights holds for both.
func TestWeightedEntry(t *testing.T) {
	lab := spec.Default()
	lab.Mesh.Entry = "catalog"
	all, err := objects.Render(lab, objects.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	vs := find(t, all, "VirtualService", "catalog")
	hosts, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "hosts")
	gateways, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	if len(hosts) != 2 || hosts[1] != objects.Host(lab) || len(gateways) != 2 || gateways[0] != "mesh" || gateways[1] != lab.Name {
		t.Errorf("hosts %v, gateways %v", hosts, gateways)
	}
}

func TestVirtualMachinesHaveAddressesOfTheirOwn(t *testing.T) {
	lab := spec.Default()
	for i := range lab.Mesh.Services {
		if s := &lab.Mesh.Services[i]; s.Name == "payment" || s.Name == "orders" {
			s.VM = true
		}
	}
	all, err := objects.Render(lab, objects.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"payment-v1", "orders-v1", "legacy-stock-v1"} {
		vm := find(t, all, "WorkloadEntry", name)
		address, _, _ := unstructured.NestedString(vm.Object, "spec", "address")
		if address == "" || seen[address] {
			t.Errorf("%s has address %q", name, address)
		}
		seen[address] = true
	}
	for _, o := range all {
		if o.GetKind() == "Deployment" && o.GetName() == "payment-v1" {
			t.Error("a VM has a Deployment too")
		}
	}
}

func find(t *testing.T, all []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range all {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}
