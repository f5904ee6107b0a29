package spec

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the longest lab file that is read.
const MaxBytes = 1 << 20

//go:embed default.yaml
var example []byte

// Example returns the lab file that Default decodes, with its comments.
func Example() []byte { return bytes.Clone(example) }

// Default returns the lab that is run when no file is given: a shop in two regions.
func Default() Lab {
	lab, _ := Decode(example) // a test decodes it
	return lab
}

// Decode reads a lab file. Keys that are left out get their defaults; a key that is not known, a value of a wrong kind and a lab that
// cannot run are errors, and all of them are reported.
func Decode(text []byte) (Lab, error) {
	root, err := parse(text)
	if err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	if err := check(root); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	var lab Lab
	if err := root.Decode(&lab); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	lab.complete()
	if err := lab.Validate(); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	return lab, nil
}

// parse returns the mapping at the root of the only document in text.
func parse(text []byte) (*yaml.Node, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", len(text), MaxBytes)
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("it is empty")
	case err != nil:
		return nil, err
	case !errors.Is(dec.Decode(&more), io.EOF):
		return nil, fmt.Errorf("it has more than one document")
	}
	if len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil, fmt.Errorf("it is empty")
	}
	return doc.Content[0], nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
