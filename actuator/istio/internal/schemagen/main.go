// Schemagen writes the OpenAPI schemas of the Istio kinds that Weir changes as one JSON document: what Istio's own CRDs say, without
// descriptions and without Kubernetes' extensions. The source is the module istio.io/api at the version in go.mod.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/actuator/cluster"
)

func main() {
	out := flag.String("out", "schemas.json", "file to write")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func write(out string) error {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "istio.io/api").Output()
	if err != nil {
		return fmt.Errorf("find istio.io/api: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		return err
	}
	crds, err := cluster.ParseYAML(text)
	if err != nil {
		return err
	}
	schemas := map[string]any{}
	for _, crd := range crds {
		switch kind := crd.Text("spec", "names", "kind"); cluster.Kind(kind) {
		case cluster.VirtualService, cluster.DestinationRule:
			if schemas[kind], err = stored(crd); err != nil {
				return err
			}
		}
	}
	if len(schemas) != 2 {
		return fmt.Errorf("found %d of 2 definitions", len(schemas))
	}
	doc, err := json.Marshal(schemas)
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(doc, '\n'), 0o644)
}

// stored is the schema of the version that the API server stores.
func stored(crd cluster.Object) (any, error) {
	for _, v := range crd.List("spec", "versions") {
		if v.At("storage") == true {
			return plain(v.At("schema", "openAPIV3Schema"), false), nil
		}
	}
	return nil, fmt.Errorf("%s has no stored version", crd)
}

// plain turns OpenAPI into JSON Schema: no descriptions, no extensions, and null where a value is nullable. names says that v's keys are
// names of properties, not keywords.
func plain(v any, names bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if names || !dropped(key) {
				out[key] = plain(value, !names && key == "properties")
			}
		}
		if !names && v["nullable"] == true && v["type"] != nil {
			out["type"] = []any{v["type"], "null"}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = plain(value, false)
		}
		return out
	}
	return v
}

func dropped(keyword string) bool {
	return keyword == "description" || keyword == "nullable" || keyword == "format" || strings.HasPrefix(keyword, "x-kubernetes-")
}
