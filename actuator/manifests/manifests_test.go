package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/cluster/clustertest"
	"github.com/weirmesh/weir/actuator/manifests"
)

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *manifests.Folder {
	t.Helper()
	f, err := manifests.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	clustertest.Run(t, func(t *testing.T) cluster.Source {
		return open(t, write(t, t.TempDir(), map[string]string{"all.yaml": clustertest.State}))
	})
}

const small = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec: {replicas: 2}\n"

func named(name string) string { return strings.Replace(small, "NAME", name, 1) }

func names(t *testing.T, f *manifests.Folder) string {
	t.Helper()
	objects, err := f.List(t.Context(), cluster.Deployment, "shop")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range objects {
		out = append(out, o.Name())
	}
	return strings.Join(out, " ")
}

func TestFiles(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"a.yaml": named("a"), "deep/b.yml": named("b"), "c.json": `{"kind":"Deployment","metadata":{"name":"c"}}`,
		"list.yaml": "kind: List\nitems:\n- {kind: Deployment, metadata: {name: l1}}\n- {kind: Deployment, metadata: {name: l2, namespace: elsewhere}}\n",
		"readme.md": "no manifest", "kustomization.yaml": "resources: [a.yaml]",
		".hidden.yaml": "::", ".git/x.yaml": "::",
		"many.yaml": "---\n" + named("m1") + "--- # next\n---\n" + named("m2"),
	})
	if got, want := names(t, open(t, dir)), "a c b l1 m1 m2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestChangesAreSeen(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"a.yaml": named("a")})
	f := open(t, dir)
	for _, step := range []struct{ file, text, want string }{
		{"b.yaml", named("b"), "a b"},
		{"a.yaml", named("x"), "x b"}, // as many bytes as before
		{"b.yaml", "", "x"},
	} {
		write(t, dir, map[string]string{step.file: step.text})
		if got := names(t, f); got != step.want {
			t.Errorf("after writing %s: got %q, want %q", step.file, got, step.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, f); got != "" {
		t.Errorf("after removing a.yaml: got %q", got)
	}
}

func TestErrorsNameFileAndDocument(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no YAML", named("a") + "---\na: [", "bad.yaml: document 2: read YAML"},
		{"a key twice", "kind: A\nkind: B\n", "bad.yaml: document 1: read YAML"},
		{"no kind", named("a") + "---\nmetadata: {name: x}\n", "bad.yaml: document 2: it has no kind"},
		{"no name", "kind: Deployment\n", "bad.yaml: document 1: the Deployment has no metadata.name"},
		{"a list of text", "kind: List\nitems: [x]\n", "bad.yaml: document 1: item 0 of the List is no object"},
		{"a bad item", "kind: List\nitems: [{kind: X}]\n", "item 0 of the List: the X has no metadata.name"},
		{"a template", "kind: {{ .Values.kind }}\n", "bad.yaml: document 1:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, t.TempDir(), map[string]string{"sub/bad.yaml": tt.text})
			if _, err := manifests.Open(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := manifests.Open(filepath.Join(t.TempDir(), "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing folder: %v", err)
	}
}
