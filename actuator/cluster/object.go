// Package cluster is what the actuator knows of a Kubernetes cluster: objects as the API gives them, how those of a workload are found,
// and who else changes them.
//
// Everything here is pure. Where objects come from is a Source: a folder of manifests, an API server.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// Kind is the kind of an object.
type Kind string

// The kinds that the actuator reads.
const (
	Deployment              Kind = "Deployment"
	HorizontalPodAutoscaler Kind = "HorizontalPodAutoscaler"
	ScaledObject            Kind = "ScaledObject" // KEDA
	Canary                  Kind = "Canary"       // Flagger
	Rollout                 Kind = "Rollout"      // Argo Rollouts
	VirtualService          Kind = "VirtualService"
	DestinationRule         Kind = "DestinationRule"
)

// Kinds lists the kinds that the actuator reads.
func Kinds() []Kind {
	return []Kind{Deployment, HorizontalPodAutoscaler, ScaledObject, Canary, Rollout, VirtualService, DestinationRule}
}

// Source reads the current state. It never writes.
type Source interface {
	// List returns the objects of a kind in a namespace, in a fixed order; "" stands for all namespaces. A kind that the cluster does not
	// know has no objects. The caller must not change them.
	List(ctx context.Context, kind Kind, namespace string) ([]Object, error)
	// From names the server or folder, for people.
	From() string
}

// Object is one Kubernetes object: its JSON, decoded. Numbers are json.Number, so nothing is lost between reading and writing.
type Object map[string]any

// Decode reads one object from JSON.
func Decode(text []byte) (Object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o Object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode object: something follows it")
	}
	return o, nil
}

// JSON is the object with its keys in order, so equal objects have equal bytes.
func (o Object) JSON() ([]byte, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", o, err)
	}
	return text, nil
}

// YAML is the object with its keys in order.
func (o Object) YAML() (string, error) {
	text, err := o.JSON()
	if err != nil {
		return "", err
	}
	out, err := yaml.JSONToYAML(text)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", o, err)
	}
	return string(out), nil
}

// String names the object: "Deployment shop/cart-v1".
func (o Object) String() string { return string(o.Kind()) + " " + qualified(o.Namespace(), o.Name()) }

// Kind is the object's kind.
func (o Object) Kind() Kind { return Kind(o.Text("kind")) }

// Name is metadata.name.
func (o Object) Name() string { return o.Text("metadata", "name") }

// Namespace is metadata.namespace; "" where the object does not say.
func (o Object) Namespace() string { return o.Text("metadata", "namespace") }

// At is the value at a path of keys; nil if there is none.
func (o Object) At(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// Text is the string at a path; "" if there is none.
func (o Object) Text(path ...string) string {
	s, _ := o.At(path...).(string)
	return s
}

// Int is the whole number at a path; false if there is none.
func (o Object) Int(path ...string) (int, bool) {
	n, ok := o.At(path...).(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}

// List is the list of objects at a path. Elements that are none are left out, so do not use it where indices matter.
func (o Object) List(path ...string) []Object {
	items, _ := o.At(path...).([]any)
	var out []Object
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Clone is a deep copy.
func (o Object) Clone() Object {
	c, _ := clone(map[string]any(o)).(map[string]any)
	return c
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = clone(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = clone(value)
		}
		return out
	}
	return v
}

// lastApplied is where kubectl keeps a second copy of the object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Bare is a copy without what only the API server writes for itself: status, managed fields and kubectl's second copy of the object.
func (o Object) Bare() Object {
	c := o.Clone()
	delete(c, "status")
	meta, ok := c["metadata"].(map[string]any)
	if !ok {
		return c
	}
	delete(meta, "managedFields")
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, lastApplied)
		if len(notes) == 0 {
			delete(meta, "annotations")
		}
	}
	return c
}

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
