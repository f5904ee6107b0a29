package cluster

import (
	"bytes"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// ParseYAML reads all objects of a YAML stream (JSON is YAML too). Lists are taken apart. Empty documents are skipped. An error names the
// document, counted from 1.
func ParseYAML(text []byte) ([]Object, error) {
	var out []Object
	for i, doc := range documents(text) {
		objects, err := parseDocument(doc)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}

// documents splits at lines that begin with "---", as kubectl does.
func documents(text []byte) [][]byte {
	var out [][]byte
	var doc []byte
	for line := range bytes.Lines(text) {
		if isSeparator(line) {
			out = append(out, doc)
			doc = nil
			continue
		}
		doc = append(doc, line...)
	}
	if out = append(out, doc); len(out) > 1 && len(bytes.TrimSpace(out[0])) == 0 {
		out = out[1:] // the file begins with a separator
	}
	return out
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

func parseDocument(doc []byte) ([]Object, error) {
	text, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if string(text) == "null" {
		return nil, nil
	}
	o, err := Decode(text)
	if err != nil {
		return nil, err
	}
	return flatten(o)
}

// flatten takes lists apart.
func flatten(o Object) ([]Object, error) {
	items, isList := o.At("items").([]any)
	switch {
	case o.Kind() == "":
		return nil, errors.New("it has no kind")
	case !isList:
		if o.Name() == "" {
			return nil, fmt.Errorf("the %s has no metadata.name", o.Kind())
		}
		return []Object{o}, nil
	}
	var out []Object
	for i, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("item %d of the %s is no object", i, o.Kind())
		}
		inner, err := flatten(m)
		if err != nil {
			return nil, fmt.Errorf("item %d of the %s: %w", i, o.Kind(), err)
		}
		out = append(out, inner...)
	}
	return out, nil
}
