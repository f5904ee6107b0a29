package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// check reports every key that is not known, and every value of a wrong kind, with its line and where it stands.
func check(root *yaml.Node) error {
	var c checker
	c.value(root, reflect.TypeFor[Lab](), "")
	return errors.Join(c.errs...)
}

type checker struct{ errs []error }

func (c *checker) wrong(n *yaml.Node, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...))
}

func (c *checker) value(n *yaml.Node, t reflect.Type, path string) {
	switch {
	case isNull(n):
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		c.wrong(n, "%s: anchors and aliases are not read: write the value out", place(path))
	case t.Kind() == reflect.Struct:
		c.mapping(n, t, path)
	case t.Kind() == reflect.Slice:
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
			c.wrong(n.Content[i], "unknown key %s%s", at, suggest(name, known))
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
		all[t.Field(i).Tag.Get("yaml")] = t.Field(i).Type
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

// suggest names the known key that is the fewest typing slips away, if that is likely what was meant.
func suggest[V any](name string, known map[string]V) string {
	names := make([]string, 0, len(known))
	for key := range known {
		names = append(names, key)
	}
	slices.Sort(names)
	best, slips := "", 2+len(name)/3
	for _, key := range names {
		if d := distance(name, key); d < slips {
			best, slips = key, d
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

// distance is Levenshtein's: how many letters must be added, removed or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
