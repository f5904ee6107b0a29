// Package istio checks VirtualServices and DestinationRules against the OpenAPI schemas of Istio's own CustomResourceDefinitions, as an API
// server would, and against what these schemas cannot say about weights.
//
// Not checked are the CEL rules of the definitions (x-kubernetes-validations) and what Istio's admission webhook adds. As in an API server,
// a field that the schema does not know is no error, so objects of a newer Istio pass.
package istio

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirmesh/weir/actuator/cluster"
)

//go:generate go run ./internal/schemagen -out schemas.json

//go:embed schemas.json
var schemas []byte

// Validator checks objects. It is safe for concurrent use.
type Validator struct {
	kinds map[cluster.Kind]*jsonschema.Schema
}

// New compiles the schemas.
func New() (*Validator, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas))
	if err != nil {
		return nil, fmt.Errorf("read Istio's schemas: %w", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("istio.json", doc); err != nil {
		return nil, fmt.Errorf("read Istio's schemas: %w", err)
	}
	v := &Validator{kinds: map[cluster.Kind]*jsonschema.Schema{}}
	for _, kind := range []cluster.Kind{cluster.VirtualService, cluster.DestinationRule} {
		if v.kinds[kind], err = c.Compile("istio.json#/" + string(kind)); err != nil {
			return nil, fmt.Errorf("compile Istio's schema of %s: %w", kind, err)
		}
	}
	return v, nil
}

// Validate says what is wrong with a VirtualService or DestinationRule; nil if nothing is.
func (v *Validator) Validate(o cluster.Object) error {
	schema, known := v.kinds[o.Kind()]
	if !known {
		return fmt.Errorf("there is no schema of %s", o.Kind())
	}
	var wrong *jsonschema.ValidationError
	switch err := schema.Validate(map[string]any(o)); {
	case errors.As(err, &wrong):
		return errors.New(strings.Join(leaves(wrong), "; "))
	case err != nil:
		return err
	}
	return weights(o)
}

// leaves says what is wrong and where, without the levels in between.
func leaves(e *jsonschema.ValidationError) []string {
	var out []string
	for _, unit := range e.BasicOutput().Errors {
		if unit.Error != nil {
			out = append(out, strings.TrimPrefix(unit.InstanceLocation, "/")+": "+unit.Error.String())
		}
	}
	return out
}

// weights checks that the weights of each route with several destinations are shares in percent. Istio takes other sums too, as parts of a
// whole; Weir does not write them.
func weights(o cluster.Object) error {
	for _, protocol := range []string{"http", "tls", "tcp"} {
		for i, route := range o.List("spec", protocol) {
			destinations := route.List("route")
			if len(destinations) < 2 {
				continue
			}
			if err := sum(destinations); err != nil {
				return fmt.Errorf("spec/%s/%d/route: %w", protocol, i, err)
			}
		}
	}
	return nil
}

func sum(destinations []cluster.Object) error {
	total := 0
	for i, d := range destinations {
		weight, _ := d.Int("weight")
		if weight < 0 || weight > 100 {
			return fmt.Errorf("weight %d of destination %d is no percentage", weight, i)
		}
		total += weight
	}
	if total != 100 {
		return fmt.Errorf("weights add up to %d, want 100", total)
	}
	return nil
}
