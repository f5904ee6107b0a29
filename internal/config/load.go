package config

import (
	"errors"
	"fmt"
	"os"
	"sort"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	yamlv3 "go.yaml.in/yaml/v3"
)

// Options says where to look. All of it is optional.
type Options struct {
	File  string         // a YAML file; it must exist when named
	Env   []string       // "NAME=value", as os.Environ gives it
	Flags map[string]any // key -> value, only those that were given on the command line
}

// Sources tells where each key that is not at its default was set: "weir.yaml:3", "WEIR_WAIT", "the command line".
type Sources map[string]string

// Of is the source of a key; "default" when nothing set it.
func (s Sources) Of(key string) string {
	if src, ok := s[key]; ok {
		return src
	}
	return "default"
}

// KeyError is one problem with one key. Load and Validate return them joined; errors.As finds the first.
type KeyError struct {
	Key     string // empty when the name is not that of a key
	Problem string // a whole sentence that names the key
}

func (e *KeyError) Error() string { return e.Problem }

// Load reads the configuration: flags over environment over file over defaults. It returns every problem at once, among them those of
// Validate. The Config that comes with an error is not to be used, except to be shown.
func Load(o Options) (Config, Sources, error) {
	l := &loader{cfg: Default(), sources: Sources{}, fields: map[string]field{}, sections: map[string]bool{}}
	for _, f := range fieldsOf(&l.cfg) {
		l.fields[f.Name] = f
		l.names = append(l.names, f.Name)
		l.sections[f.section] = true
	}
	l.file(o.File)
	l.env(o.Env)
	l.flags(o.Flags)
	return l.cfg, l.sources, errors.Join(append(l.errs, l.cfg.Validate())...)
}

type loader struct {
	cfg      Config
	fields   map[string]field
	names    []string // keys in the order of the struct
	sections map[string]bool
	sources  Sources
	errs     []error
}

func (l *loader) file(path string) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("read configuration: %w", err))
		return
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		l.errs = append(l.errs, fmt.Errorf("read configuration %s: %w", path, err))
		return
	}
	lines := keyLines(text)
	l.apply(k, func(key string) string {
		if n := lines[key]; n > 0 {
			return fmt.Sprintf("%s:%d", path, n)
		}
		return path
	})
}

// keyLines finds the line on which each key stands. Text that does not parse has none; the parser has complained already.
func keyLines(text []byte) map[string]int {
	lines := map[string]int{}
	var doc yamlv3.Node
	if yamlv3.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return lines
	}
	var walk func(prefix string, n *yamlv3.Node)
	walk = func(prefix string, n *yamlv3.Node) {
		if n.Kind != yamlv3.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := prefix + n.Content[i].Value
			lines[key] = n.Content[i].Line
			walk(key+".", n.Content[i+1])
		}
	}
	walk("", doc.Content[0])
	return lines
}

func (l *loader) flags(flags map[string]any) {
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(flags, "."), nil); err != nil {
		l.errs = append(l.errs, fmt.Errorf("read flags: %w", err))
	}
	l.apply(k, func(string) string { return "the command line" })
}

// apply puts what one layer holds over what is there.
func (l *loader) apply(layer *koanf.Koanf, where func(key string) string) {
	values := layer.All()
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		f, ok := l.fields[key]
		switch {
		case ok:
			if err := decode(f.value, values[key]); err != nil {
				l.errs = append(l.errs, &KeyError{Key: key, Problem: fmt.Sprintf("%s in %s %s", key, where(key), err)})
				continue
			}
			l.sources[key] = where(key)
		case l.sections[key] && isEmpty(values[key]):
			// A section whose keys are all commented out says nothing, which is fine.
		case l.sections[key]:
			l.errs = append(l.errs, &KeyError{Key: key, Problem: fmt.Sprintf("%s in %s is a section: put its keys below it", key, where(key))})
		default:
			l.unknown(key, fmt.Sprintf("unknown key %s in %s", key, where(key)), nearest(key, l.names))
		}
	}
}

func isEmpty(v any) bool {
	m, ok := v.(map[string]any)
	return v == nil || ok && len(m) == 0
}

func (l *loader) unknown(key, problem, suggestion string) {
	if suggestion != "" {
		problem += fmt.Sprintf(": did you mean %s?", suggestion)
	} else {
		problem += ": `weir config explain` lists all"
	}
	l.errs = append(l.errs, &KeyError{Key: key, Problem: problem})
}
