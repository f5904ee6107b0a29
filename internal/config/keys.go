package config

import (
	"reflect"
	"strings"
)

// Key describes one setting.
type Key struct {
	Name    string // for example collector.grpc
	Env     string // for example WEIR_COLLECTOR_GRPC
	Alias   string // a second environment variable, or empty; Env wins
	Doc     string // one line
	Unit    string // unit, form or allowed values; empty where the type says enough
	Default string // as it is written in YAML
}

// Keys lists every setting in the order of the struct.
func Keys() []Key {
	cfg := Default()
	var keys []Key
	for _, f := range fieldsOf(&cfg) {
		f.Default = format(f.value)
		keys = append(keys, f.Key)
	}
	return keys
}

// field is a key together with the place in one Config that holds its value.
type field struct {
	Key
	section    string // empty at the top
	sectionDoc string
	value      reflect.Value
}

func fieldsOf(cfg *Config) []field {
	var out []field
	top := reflect.ValueOf(cfg).Elem()
	for i := range top.NumField() {
		tag, v := top.Type().Field(i), top.Field(i)
		if v.Kind() != reflect.Struct {
			out = append(out, leaf("", "", tag, v))
			continue
		}
		section := tag.Tag.Get("koanf")
		for j := range v.NumField() {
			out = append(out, leaf(section, tag.Tag.Get("doc"), v.Type().Field(j), v.Field(j)))
		}
	}
	return out
}

func leaf(section, sectionDoc string, tag reflect.StructField, v reflect.Value) field {
	name := tag.Tag.Get("koanf")
	if section != "" {
		name = section + "." + name
	}
	return field{
		Key: Key{
			Name:  name,
			Env:   envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_")),
			Alias: tag.Tag.Get("alias"),
			Doc:   tag.Tag.Get("doc"),
			Unit:  tag.Tag.Get("unit"),
		},
		section: section, sectionDoc: sectionDoc, value: v,
	}
}
