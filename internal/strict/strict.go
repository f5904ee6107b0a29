// Package strict reads YAML that people write: one document, with no key that is not known and no value of a wrong kind, and with errors that
// say the line, the key and what was probably meant.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Parse returns the root of the only document in text, which may have at most limit bytes; nil if it says nothing.
func Parse(text []byte, limit int) (*yaml.Node, error) {
	if len(text) > limit {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", len(text), limit)
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	case !errors.Is(dec.Decode(&more), io.EOF):
		return nil, errors.New("it has more than one document")
	}
	if len(doc.Content) != 1 || IsNull(doc.Content[0]) {
		return nil, nil
	}
	return doc.Content[0], nil
}

// IsNull reports whether a key was written without a value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
