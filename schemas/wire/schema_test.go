package wire_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirmesh/weir/schemas/ddl"
	"github.com/weirmesh/weir/schemas/wire"
)

// compiled returns a check of data against the published schema with this URI.
func compiled(t *testing.T) func(uri string, data []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for uri, text := range wire.Schemas() {
		if err := c.AddResource(uri, must(jsonschema.UnmarshalJSON(bytes.NewReader(text)))(t)); err != nil {
			t.Fatal(err)
		}
	}
	by := map[string]*jsonschema.Schema{}
	for uri := range wire.Schemas() {
		by[uri] = must(c.Compile(uri))(t) // this validates the schema against its meta-schema
	}
	return func(uri string, data []byte) error {
		return by[uri].Validate(must(jsonschema.UnmarshalJSON(bytes.NewReader(data)))(t))
	}
}

type schema struct {
	ID          string            `json:"$id"`
	Dialect     string            `json:"$schema"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Description string            `json:"description"`
	Type        any               `json:"type"` // a text, or a list of texts
	Format      string            `json:"format"`
	Closed      *bool             `json:"additionalProperties"`
}

func published(t *testing.T, uri string) (s schema) {
	t.Helper()
	if err := json.Unmarshal(wire.Schemas()[uri], &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemasAreOpenDraft2020(t *testing.T) {
	meta := must(jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema"))(t)
	for uri, text := range wire.Schemas() {
		if err := meta.Validate(must(jsonschema.UnmarshalJSON(bytes.NewReader(text)))(t)); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
		s := published(t, uri)
		if s.ID != uri || s.Dialect != "https://json-schema.org/draft/2020-12/schema" || s.Closed != nil {
			t.Errorf("%s: id %s, dialect %s, additional properties %v", uri, s.ID, s.Dialect, s.Closed)
		}
		if !slices.Equal(slices.Sorted(slices.Values(s.Required)), slices.Sorted(maps.Keys(s.Properties))) {
			t.Errorf("%s: required %v of %v", uri, s.Required, slices.Sorted(maps.Keys(s.Properties)))
		}
		for name, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s: %s is not described", uri, name)
			}
		}
	}
}

// TestFieldsAreColumns holds the fields of the data, the schemas and the tables to each other, in their order.
func TestFieldsAreColumns(t *testing.T) {
	elsewhere := map[string]string{
		"stored":    "when the store got it",
		"signature": "in the headers", "key_id": "in the headers",
		"realised": "measured later",
	}
	for _, c := range []struct{ event, uri, table string }{
		{"alert", wire.SchemaAlert, "finding_rows"},
		{"decision", wire.SchemaDecision, "decision_rows"},
		{"outcome", wire.SchemaOutcome, "outcome_rows"},
	} {
		var columns []string
		properties := published(t, c.uri).Properties
		for _, column := range tableColumns(t, c.table) {
			if elsewhere[column.name] != "" {
				continue
			}
			columns = append(columns, column.name)
			if got := jsonType(properties[column.name]); got != column.json {
				t.Errorf("%s.%s is %s, its column %s wants %s", c.event, column.name, got, column.sql, column.json)
			}
		}
		if required := published(t, c.uri).Required; !slices.Equal(required, columns) {
			t.Errorf("%s: the schema has\n%v, the table\n%v", c.event, required, columns)
		}
		if fields := members(t, signed(t)[c.event].Data); !slices.Equal(fields, columns) {
			t.Errorf("%s: the data has\n%v, the table\n%v", c.event, fields, columns)
		}
	}
}

type column struct{ name, sql, json string }

func tableColumns(t *testing.T, table string) (out []column) {
	t.Helper()
	line := regexp.MustCompile("(?m)^    `?(\\w+)`? +([^ ,]+.*?),?$")
	for _, m := range must(ddl.Migrations())(t) {
		for _, statement := range m.Statements {
			if !strings.HasPrefix(statement, "CREATE TABLE IF NOT EXISTS weir."+table+"\n") {
				continue
			}
			for _, found := range line.FindAllStringSubmatch(statement, -1) {
				if !strings.Contains(found[2], " ALIAS ") {
					out = append(out, column{found[1], found[2], typeOf(found[1], found[2])})
				}
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("no table %s", table)
	}
	return out
}

// typeOf says what a column is in JSON.
func typeOf(name, sql string) string {
	switch {
	case name == "current" || name == "proposed":
		return "integer" // a count, though the column could hold more
	case name == "expected" || name == "low" || name == "high":
		return "number" // NaN in the store and null in decisions where it is not known
	case strings.HasPrefix(sql, "Nullable(DateTime64(3, 'UTC'))"):
		return "date-time or null"
	case strings.HasPrefix(sql, "DateTime64(3, 'UTC')"):
		return "date-time"
	case strings.HasPrefix(sql, "Float64"):
		return "number"
	case strings.HasPrefix(sql, "UInt32"):
		return "integer"
	case strings.HasPrefix(sql, "Bool"):
		return "boolean"
	case strings.HasPrefix(sql, "Array(Tuple(name String, value Float64, unit String))"):
		return "array of name string, unit string, value number"
	case strings.HasPrefix(sql, "Array(String)"):
		return "array of string"
	}
	return "string"
}

func jsonType(s schema) string {
	list, nullable := s.Type.([]any)
	kind, _ := s.Type.(string)
	if nullable && len(list) == 2 && list[1] == "null" {
		kind, _ = list[0].(string)
	}
	switch {
	case kind == "string" && s.Format == "date-time" && nullable:
		return "date-time or null"
	case kind == "string" && s.Format == "date-time":
		return "date-time"
	case kind == "array" && len(s.Items.Properties) > 0:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(s.Items.Properties)) {
			parts = append(parts, name+" "+jsonType(s.Items.Properties[name]))
		}
		return "array of " + strings.Join(parts, ", ")
	case kind == "array":
		return "array of " + jsonType(*s.Items)
	}
	return kind
}

// members lists the names of a JSON object in their order.
func members(t *testing.T, data []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			t.Fatal(err)
		}
	}
	return names
}
