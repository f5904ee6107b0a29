package cluster_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/cluster/clustertest"
)

func TestBare(t *testing.T) {
	o := parse(t, `
kind: Deployment
metadata:
  name: cart
  resourceVersion: "7"
  managedFields: [{manager: x}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
spec: {replicas: 3}
status: {replicas: 2}
`)[0]
	got, err := o.Bare().YAML()
	if err != nil {
		t.Fatal(err)
	}
	if want := "kind: Deployment\nmetadata:\n  name: cart\n  resourceVersion: \"7\"\nspec:\n  replicas: 3\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if o.At("status") == nil || o.At("metadata", "managedFields") == nil {
		t.Error("the object itself was changed")
	}
}

func TestCloneIsDeep(t *testing.T) {
	o := parse(t, "{kind: X, metadata: {name: a}, spec: {list: [{count: 1}]}}")[0]
	c := o.Clone()
	c.List("spec", "list")[0]["count"] = "changed"
	if n, ok := o.List("spec", "list")[0].Int("count"); !ok || n != 1 {
		t.Errorf("the original says %d, %v", n, ok)
	}
}

func TestDecode(t *testing.T) {
	for _, bad := range []string{"", "[]", "1", "{", `{"a":1} {}`, `{"a":1}x`} {
		if o, err := cluster.Decode([]byte(bad)); err == nil {
			t.Errorf("%q became %v", bad, o)
		}
	}
}

// FuzzParseYAML: whatever is read can be written, and reads the same again.
func FuzzParseYAML(f *testing.F) {
	for _, seed := range []string{clustertest.State, "---\n", "kind: List\nitems: []\n", "a: &a [*a]", "kind: A\nmetadata: {name: 1e400}", "--- x\nkind: A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := cluster.ParseYAML([]byte(text))
		if err != nil {
			return
		}
		for _, o := range objects {
			first, err := o.JSON()
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			yaml, err := o.YAML()
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			again, err := cluster.Decode(first)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			second, err := again.JSON()
			if err != nil || string(first) != string(second) || strings.TrimSpace(yaml) == "" {
				t.Fatalf("%q: wrote %s, then %s (%v)", text, first, second, err)
			}
		}
	})
}
