package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// check reports every key that is not known, and every value of a wrong kind, with its line and where it stands.
func check(root *yaml.Node) error {
	var errs []error
	walk(root, reflect.TypeFor[document](), "", &errs)
	return errors.Join(errs...)
}

func walk(n *yaml.Node, t reflect.Type, path string, errs *[]error) {
	wrong := func(format string, args ...any) {
		*errs = append(*errs, fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...))
	}
	switch {
	case isNull(n):
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		wrong("%s: anchors and aliases are not read: write the value out", place(path))
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		if n.Kind != yaml.MappingNode {
			wrong("%s wants keys with values", place(path))
			return
		}
		walkKeys(n, t, path, errs)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		if n.Kind != yaml.SequenceNode {
			wrong("%s wants a list", place(path))
			return
		}
		if t.Kind() == reflect.Array && len(n.Content) != t.Len() {
			wrong("%s wants %d values, got %d", path, t.Len(), len(n.Content))
			return
		}
		for i, item := range n.Content {
			walk(item, t.Elem(), path+"["+strconv.Itoa(i)+"]", errs)
		}
	case n.Kind != yaml.ScalarNode || n.Decode(reflect.New(t).Interface()) != nil:
		wrong("%s wants %s, got %s", place(path), wanted(t), got(n))
	}
}

func walkKeys(n *yaml.Node, t reflect.Type, path string, errs *[]error) {
	known := keys(t)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		at := strings.TrimPrefix(path+"."+name, ".")
		inner, ok := known[name]
		switch {
		case !ok:
			*errs = append(*errs, fmt.Errorf("line %d: unknown key %s%s", n.Content[i].Line, at, suggest(name, known)))
		case seen[name]:
			*errs = append(*errs, fmt.Errorf("line %d: %s is there twice", n.Content[i].Line, at))
		default:
			walk(n.Content[i+1], inner, at, errs)
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
			for name, inner := range keys(f.Type) {
				all[name] = inner
			}
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
		return "a duration with a unit such as 30s, 5m or 24h"
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

// suggest names the known key that is the fewest typing slips away, if that is likely what was meant.
func suggest(name string, known map[string]reflect.Type) string {
	best, slips := "", 1+len(name)/3
	for key := range known {
		d := distance(name, key)
		if d < slips || d == slips && (best == "" || key < best) {
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
