package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

const envPrefix = "WEIR_"

func (l *loader) env(environ []string) {
	known := map[string]string{} // variable -> key
	var names []string
	for _, name := range l.names {
		f := l.fields[name]
		known[f.Env] = name
		names = append(names, f.Env)
		if f.Alias != "" && !slices.ContainsFunc(environ, hasName(f.Env)) {
			known[f.Alias] = name
		}
	}
	foreign := foreignVariables(environ)
	variables := map[string]string{} // key -> the variable that set it
	k := koanf.New(".")
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(variable, value string) (string, any) {
			key, ok := known[variable]
			switch {
			case ok:
				variables[key] = variable
			case !foreign(variable) && !l.isAlias(variable):
				l.unknown("", "unknown variable "+variable, nearest(variable, names))
			}
			return key, value
		},
	}), nil)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("read environment: %w", err))
	}
	l.apply(k, func(key string) string { return variables[key] })
}

// isAlias recognises the second name of a key, which is read only while the first is not set.
func (l *loader) isAlias(variable string) bool {
	for _, f := range l.fields {
		if f.Alias == variable {
			return true
		}
	}
	return false
}

func hasName(name string) func(string) bool {
	return func(entry string) bool { return strings.HasPrefix(entry, name+"=") }
}

// foreignVariables recognises names that are not ours to judge: Kubernetes gives every pod <SERVICE>_SERVICE_HOST, <SERVICE>_PORT and
// more for each service of its namespace, which begin with WEIR_ when a service is called weir or weir-something; and the tests have
// some of their own.
func foreignVariables(environ []string) func(string) bool {
	var services []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if s, ok := strings.CutSuffix(name, "_SERVICE_HOST"); ok {
			services = append(services, s)
		}
	}
	return func(name string) bool {
		for _, s := range services {
			if strings.HasPrefix(name, s+"_SERVICE_") || name == s+"_PORT" || strings.HasPrefix(name, s+"_PORT_") {
				return true
			}
		}
		return name == "WEIR_BIN" || name == "WEIR_LAB" || strings.HasPrefix(name, "WEIR_LAB_") || strings.HasPrefix(name, "WEIR_TEST_")
	}
}
