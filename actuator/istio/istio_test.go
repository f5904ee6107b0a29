package istio_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/istio"
)

// TestSchemasAreIstios makes the schemas again from the module that go.mod pins.
func TestSchemasAreIstios(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "schemas.json")
	out, err := exec.CommandContext(t.Context(), "go", "run", "./internal/schemagen", "-out", fresh).CombinedOutput()
	if err != nil {
		t.Fatalf("schemagen: %v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("schemas.json is not what istio.io/api says: run go generate ./actuator/istio")
	}
}

func validator(t testing.TB) *istio.Validator {
	t.Helper()
	v, err := istio.New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t testing.TB, text string) []cluster.Object {
	t.Helper()
	objects, err := cluster.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestValidate(t *testing.T) {
	v := validator(t)
	const head = "apiVersion: networking.istio.io/v1\nmetadata: {name: x}\n"
	for _, tt := range []struct{ name, object, want string }{
		{"a split", "kind: VirtualService\nspec: {hosts: [a], http: [{route: [{destination: {host: a, subset: v1}, weight: 60}, {destination: {host: a}, weight: 40}]}]}", ""},
		{"one destination", "kind: VirtualService\nspec: {http: [{route: [{destination: {host: a}}]}]}", ""},
		{"a field of a newer Istio", "kind: VirtualService\nspec: {brandNew: 1}", ""},
		{"a timeout", "kind: VirtualService\nspec: {http: [{timeout: 5s, route: [{destination: {host: a, port: {number: 80}}}]}]}", ""},
		{"a rule", "kind: DestinationRule\nspec: {host: a, subsets: [{name: v1, labels: {version: v1}}]}", ""},
		{"text for a number", "kind: VirtualService\nspec: {http: [{route: [{destination: {host: a}, weight: half}]}]}", "spec/http/0/route/0/weight: got string, want integer"},
		{"a part of a percent", "kind: VirtualService\nspec: {http: [{route: [{destination: {host: a}, weight: 0.5}]}]}", "spec/http/0/route/0/weight: got number, want integer"},
		{"no destination", "kind: VirtualService\nspec: {http: [{route: [{weight: 100}]}]}", "spec/http/0/route/0: missing property 'destination'"},
		{"no host", "kind: VirtualService\nspec: {http: [{route: [{destination: {subset: v1}}]}]}", "spec/http/0/route/0/destination: missing property 'host'"},
		{"a map for a list", "kind: VirtualService\nspec: {http: {route: []}}", "spec/http: got object, want array"},
		{"weights below 100", "kind: VirtualService\nspec: {http: [{route: [{destination: {host: a}, weight: 60}, {destination: {host: b}, weight: 30}]}]}", "spec/http/0/route: weights add up to 90, want 100"},
		{"all zero", "kind: VirtualService\nspec: {http: [{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]}]}", "weights add up to 0"},
		{"below zero", "kind: VirtualService\nspec: {tcp: [{route: [{destination: {host: a}, weight: -10}, {destination: {host: b}, weight: 110}]}]}", "spec/tcp/0/route: weight -10 of destination 0 is no percentage"},
		{"a rule without a host", "kind: DestinationRule\nspec: {subsets: []}", "spec: missing property 'host'"},
		{"a subset without a name", "kind: DestinationRule\nspec: {host: a, subsets: [{labels: {a: b}}]}", "spec/subsets/0: missing property 'name'"},
		{"another kind", "kind: Gateway\nspec: {}", "there is no schema of Gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := v.Validate(parse(t, head+tt.object)[0])
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestIstiosExamples: what Istio's documentation shows is valid.
func TestIstiosExamples(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "data", "istio-api-examples", "examples.jsonl")
	r, err := os.Open(file)
	if err != nil {
		t.Skipf("Istio's examples are not beside the repository: %v", err)
	}
	defer r.Close()
	v := validator(t)
	n := 0
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var example struct{ ID, YAML string }
		if err := json.Unmarshal(lines.Bytes(), &example); err != nil {
			t.Fatal(err)
		}
		objects, err := cluster.ParseYAML([]byte(example.YAML))
		if err != nil {
			t.Logf("%s is left out: %v", example.ID, err)
			continue
		}
		for _, o := range objects {
			if o.Kind() != cluster.VirtualService && o.Kind() != cluster.DestinationRule {
				continue
			}
			n++
			if err := v.Validate(o); err != nil {
				t.Errorf("%s: %s: %v", example.ID, o, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d examples were checked", n)
	}
	t.Logf("%d examples", n)
}
