package controlplane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// istioNamespace is where istiod keeps and reads what holds for the whole mesh.
const istioNamespace = "istio-system"

// owner is the name under which this package owns fields of objects.
const owner = "weir-lab"

func definitions() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// applyDefinitions makes the kinds of Istio and the Gateway API known, and returns when they can be used.
func applyDefinitions(ctx context.Context, api dynamic.Interface, files ...string) error {
	client := api.Resource(definitions())
	var names []string
	apply, applying := errgroup.WithContext(ctx)
	apply.SetLimit(4) // each costs the API server some 50 ms of processor time
	for _, file := range files {
		if err := eachDocument(file, func(crd *unstructured.Unstructured) {
			names = append(names, crd.GetName())
			apply.Go(func() error {
				_, err := client.Apply(applying, crd.GetName(), crd, metav1.ApplyOptions{FieldManager: owner, Force: true})
				return err
			})
		}); err != nil {
			return errors.Join(err, apply.Wait())
		}
	}
	if err := apply.Wait(); err != nil {
		return fmt.Errorf("apply custom resource definitions: %w", err)
	}
	// One after the other: most can be used by now, and reading them is not cheap.
	for _, name := range names {
		if err := awaitDefinition(ctx, client, name); err != nil {
			return fmt.Errorf("wait for definition %s: %w", name, err)
		}
	}
	return nil
}

func awaitDefinition(ctx context.Context, client dynamic.ResourceInterface, name string) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if crd, err := client.Get(ctx, name, metav1.GetOptions{}); err != nil || established(crd) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions") // missing at first
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if ok && condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// eachDocument reads a file of YAML documents; empty ones are passed over.
func eachDocument(file string, do func(*unstructured.Unstructured)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	reader := yaml.NewYAMLReader(bufio.NewReader(f))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var o unstructured.Unstructured
		if err == nil {
			err = yaml.Unmarshal(text, &o.Object)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if len(o.Object) > 0 {
			do(&o)
		}
	}
}

// makeNamespace makes sure that a namespace is there.
func makeNamespace(ctx context.Context, api dynamic.Interface, name string) error {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("Namespace")
	o.SetName(name)
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	_, err := api.Resource(namespaces).Create(ctx, o, metav1.CreateOptions{FieldManager: owner})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	return nil
}
