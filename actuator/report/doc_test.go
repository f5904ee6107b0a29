package report_test

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator/report"
)

// TestPageNamesEveryField compares the document's fields with docs/formats/report.md.
func TestPageNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/report.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ.PkgPath() == "time" || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/formats/report.md says nothing of %s.%s", typ.Name(), name)
			}
			check(typ.Field(i).Type)
		}
	}
	check(reflect.TypeFor[report.Report]())
}

// TestContrast holds text to WCAG 2.2 level AA (4.5 to 1) and lines of charts to 3 to 1, on light and on dark ground.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("report.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d colour schemes", len(schemes))
	}
	for i, scheme := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+): #(\w{6})`).FindAllStringSubmatch(scheme[1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, ground := range []string{"page", "card", "soft"} {
			for name, least := range map[string]float64{
				"text": 4.5, "dim": 4.5, "critical": 4.5, "warn": 4.5, "mark": 4.5, "actual": 3, "forecast": 3,
			} {
				a, b := colour[name]+0.05, colour[ground]+0.05
				if ratio := max(a, b) / min(a, b); ratio < least {
					t.Errorf("scheme %d: %s on %s has contrast %.2f", i, name, ground, ratio)
				}
			}
		}
	}
}

// luminance is the relative luminance of a colour in sRGB, by WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c = c / 12.92; float64(v)/255 > 0.04045 {
			c = math.Pow((float64(v)/255+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
