package strict

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Check reports every key below root that a value of type t does not have, and every value of a wrong kind, with its line and where it
// stands. Each field of a struct needs a yaml tag with its key alone; ",inline" and "-" mean what they mean to yaml.
func Check(root *yaml.Node, t reflect.Type) error {
	var c checker
	c.value(root, t, "")
	return errors.Join(c.errs...)
}

type checker struct{ errs []error }

func (c *checker) wrong(n *yaml.Node, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...))
}

func (c *checker) value(n *yaml.Node, t reflect.Type, path string) {
	switch {
	case IsNull(n):
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		c.wrong(n, "%s: anchors and aliases are not read: write the value out", place(path))
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		c.mapping(n, t, path)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		c.list(n, t, path)
	case n.Kind != yaml.ScalarNode || n.Decode(reflect.New(t).Interface()) != nil:
		c.wrong(n, "%s wants %s, got %s", place(path), wanted(t), got(n))
	}
}

func (c *checker) list(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.SequenceNode {
		c.wrong(n, "%s wants a list, got %s", place(path), got(n))
		return
	}
	if t.Kind() == reflect.Array && len(n.Content) != t.Len() {
		c.wrong(n, "%s wants %d values, got %d", place(path), t.Len(), len(n.Content))
		return
	}
	for i, item := range n.Content {
		c.value(item, t.Elem(), path+"["+strconv.Itoa(i)+"]")
	}
}

func (c *checker) mapping(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.MappingNode {
		c.wrong(n, "%s wants keys with values, got %s", place(path), got(n))
		return
	}
	known, seen := keys(t), map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		at := strings.TrimPrefix(path+"."+name, ".")
		inner, ok := known[name]
		switch {
		case !ok:
			c.wrong(n.Content[i], "unknown key %s%s", at, Suggest(name, known))
		case seen[name]:
			c.wrong(n.Content[i], "%s is there twice", at)
		default:
			c.value(n.Content[i+1], inner, at)
		}
		seen[name] = true
	}
}

// keys are the YAML keys of a struct with their types.
func keys(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		switch tag := f.Tag.Get("yaml"); tag {
		case "-":
		case ",inline":
			maps.Copy(all, keys(f.Type))
		default:
			all[tag] = f.Type
		}
	}
	return all
}

func place(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration with a unit such as 20ms, 30s or 5m"
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-03-02T00:00:00Z"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Uint64:
		return "a whole number of at least 0"
	}
	return "text"
}

func got(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}
