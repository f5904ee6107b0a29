// Package render turns a decision into what would be changed: the object as it is, as it would be, and the patches between the two.
//
// It is pure. It decides nothing: what may be proposed is up to package guard.
package render

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/weirmesh/weir/actuator/cluster"
)

// Operation is one step of a JSON Patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"` // absent for remove
}

// Change is a change of one object.
type Change struct {
	Before, After cluster.Object
	Patch         []Operation // from Before to After; it fails on an object that is not as Before was
	Inverse       []Operation // back; it fails where somebody else has changed the same fields since
}

// Text is a change as people and tools read it.
type Text struct {
	Before, After  string // YAML
	Patch, Inverse string // JSON
	Diff           string // unified
}

// Text writes the change down.
func (c Change) Text() (Text, error) {
	var t Text
	var err error
	if t.Before, err = c.Before.YAML(); err != nil {
		return t, err
	}
	if t.After, err = c.After.YAML(); err != nil {
		return t, err
	}
	for _, p := range []struct {
		from []Operation
		to   *string
	}{{c.Patch, &t.Patch}, {c.Inverse, &t.Inverse}} {
		text, err := json.Marshal(p.from)
		if err != nil {
			return t, fmt.Errorf("encode patch of %s: %w", c.Before, err)
		}
		*p.to = string(text)
	}
	t.Diff = udiff.Unified(c.Before.String()+" as it is", c.Before.String()+" as proposed", t.Before, t.After)
	return t, nil
}

// begin starts a change of an object. The patch insists on the object's resourceVersion where one is known; the inverse cannot, as
// applying the patch changes it.
func begin(o cluster.Object) Change {
	bare := o.Bare()
	c := Change{Before: bare, After: bare.Clone()}
	if v := bare.Text("metadata", "resourceVersion"); v != "" {
		c.Patch = append(c.Patch, Operation{Op: "test", Path: "/metadata/resourceVersion", Value: v})
	}
	return c
}

// expect lets the patch, or the inverse, fail unless there is this value at the path.
func expect(ops []Operation, path string, value any) []Operation {
	return append(ops, Operation{Op: "test", Path: path, Value: value})
}

// pointer joins keys to a JSON Pointer (RFC 6901). None of ours needs escaping.
func pointer(keys ...any) string {
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "/%v", key)
	}
	return b.String()
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
