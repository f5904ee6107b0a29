package render

import (
	"fmt"

	"github.com/weirmesh/weir/actuator/cluster"
)

// Replicas changes how many replicas a Deployment asks for. The Deployment must say how many it has: without a number somebody else
// keeps it.
func Replicas(o cluster.Object, to int) (Change, error) {
	from, ok := o.Int("spec", "replicas")
	if !ok {
		return Change{}, fmt.Errorf("%s says no spec.replicas", o)
	}
	c := begin(o)
	spec, ok := c.After.At("spec").(map[string]any)
	if !ok {
		return Change{}, fmt.Errorf("%s has no spec", o)
	}
	spec["replicas"] = number(to)
	const path = "/spec/replicas"
	c.Patch = append(expect(c.Patch, path, number(from)), Operation{Op: "replace", Path: path, Value: number(to)})
	c.Inverse = append(expect(c.Inverse, path, number(to)), Operation{Op: "replace", Path: path, Value: number(from)})
	return c, nil
}
