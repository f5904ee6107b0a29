package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weirmesh/weir/actuator/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type writer struct {
	ext   string
	write func(io.Writer, report.Report) error
}

func writers() []writer {
	return []writer{{"md", report.Markdown}, {"json", report.JSON}, {"html", report.HTML}}
}

func render(t testing.TB, write func(io.Writer, report.Report) error, in report.Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, report.Build(in)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, in := range map[string]func() report.Input{"demo": demo, "empty": empty, "unread": unread, "expired": lapsed} {
		for _, w := range writers() {
			golden(t, name+"."+w.ext, render(t, w.write, in()))
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update rewrites it):\n%s", name, got)
	}
}

// TestWriterFails checks that a report that could not be written is no success.
func TestWriterFails(t *testing.T) {
	for _, w := range writers() {
		if err := w.write(broken{}, report.Build(demo())); err == nil {
			t.Errorf("%s: no error", w.ext)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(report.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(report.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t testing.TB, s *jsonschema.Schema, in report.Input) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(render(t, report.JSON, in)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaHolds(t *testing.T) {
	s := compiled(t)
	for _, in := range []report.Input{demo(), empty(), unread(), lapsed(), {}, hostile()} {
		valid(t, s, in)
	}
}

// TestSchemaNamesEveryField compares the document's types with the published schema, both ways.
func TestSchemaNamesEveryField(t *testing.T) {
	same(t, "report", reflect.TypeFor[report.Report](), compiled(t), map[reflect.Type]bool{})
}

func same(t *testing.T, path string, typ reflect.Type, s *jsonschema.Schema, seen map[reflect.Type]bool) {
	t.Helper()
	for s.Ref != nil {
		s = s.Ref
	}
	if len(s.AnyOf) > 0 {
		same(t, path, typ, s.AnyOf[0], seen)
		return
	}
	switch typ.Kind() {
	case reflect.Pointer:
		same(t, path, typ.Elem(), s, seen)
	case reflect.Slice:
		items, ok := s.Items2020, s.Items2020 != nil
		if !ok {
			t.Fatalf("%s has no items in the schema", path)
		}
		same(t, path, typ.Elem(), items, seen)
	case reflect.Struct:
		if typ.PkgPath() == "time" || seen[typ] {
			return
		}
		seen[typ] = true
		names := map[string]bool{}
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			names[name] = true
			property := s.Properties[name]
			if property == nil || property.Description == "" {
				t.Errorf("%s.%s is not described in the schema", path, name)
				continue
			}
			required := false
			for _, r := range s.Required {
				required = required || r == name
			}
			if required == strings.Contains(options, "omit") {
				t.Errorf("%s.%s: schema and document differ on whether it can be missing", path, name)
			}
			same(t, path+"."+name, typ.Field(i).Type, property, seen)
		}
		for name := range s.Properties {
			if !names[name] {
				t.Errorf("%s.%s is in the schema only", path, name)
			}
		}
	}
}
