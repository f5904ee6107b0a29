package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/schemas"
)

// nasty is text that would be markup, commands or terminal control if it were not taken for text.
const nasty = "<script>alert(1)</script>|`x`\n# pwned\n```\n\x1b[31mred\u202e](http://evil) 'q' \"dq\" $(rm) &amp; _a_ **b**\x00\xff"

// hostile is the demo with every text replaced by nasty ones.
func hostile() report.Input {
	in := demo()
	for i := range in.Decisions {
		d := &in.Decisions[i]
		d.Target.Name += nasty
		d.Target.Version += nasty
		d.Reason, d.Counterfactual, d.Code, d.Model.Name, d.KeyID = nasty, nasty, nasty, nasty, nasty
		d.Evidence = []schemas.Fact{{Name: nasty, Value: math.NaN(), Unit: nasty}, {Name: nasty, Value: 1.5, Unit: nasty}}
		d.Signal = schemas.Signal(nasty)
		if d.Cause == "" {
			d.Cause = nasty
		}
		for j := range in.Outcomes {
			if in.Outcomes[j].DecisionID == d.ID {
				in.Outcomes[j].DecisionID += nasty
			}
		}
		d.ID += nasty
	}
	for i := range in.Outcomes {
		o := &in.Outcomes[i]
		o.Rule, o.Reason, o.Object, o.Diff, o.Validation, o.ReadFrom = nasty, nasty, nasty, nasty, nasty, nasty
	}
	for i := range in.Findings {
		f := &in.Findings[i]
		f.Workload.Name += nasty
		f.Explanation, f.Observed, f.Low = nasty, math.NaN(), math.Inf(-1)
	}
	for k, s := range in.Series {
		delete(in.Series, k)
		k.Workload.Name += nasty
		k.Signal = schemas.Signal(nasty)
		in.Series[k] = s
	}
	in.Series[report.Key{Workload: in.Findings[1].Workload, Signal: schemas.SignalErrorRate}] = chart.Series{
		Actual: []chart.Value{{At: noon(), Value: math.NaN()}, {At: noon(), Value: math.Inf(1)}},
	}
	return in
}

func TestHostileTextStaysText(t *testing.T) {
	for _, w := range []writer{{"md", report.Markdown}, {"html", report.HTML}} {
		text := render(t, w.write, hostile())
		for _, r := range text {
			if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
				t.Fatalf("%s holds %U", w.ext, r)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s holds NaN or Inf", w.ext)
		}
	}
}

func TestHostileMarkdownKeepsItsShape(t *testing.T) {
	fence := regexp.MustCompile("^(`{3,})")
	open, columns := "", 0
	for _, line := range strings.Split(render(t, report.Markdown, hostile()), "\n") {
		if mark := fence.FindString(line); open == "" && mark != "" {
			open = mark
			continue
		} else if open != "" {
			if line == open {
				open = ""
			}
			continue // whatever a block holds is text
		}
		bare := regexp.MustCompile("````.*?````|\\\\.|`[^`]*`").ReplaceAllString(line, "") // without code and what is escaped
		if strings.HasPrefix(line, "# pwned") || strings.ContainsAny(bare, "<>[]") || strings.Contains(bare, "://") {
			t.Errorf("markup got through: %s", line)
		}
		cells := len(regexp.MustCompile(`(^|[^\\])\|`).FindAllString(line, -1))
		if !strings.HasPrefix(line, "| ") {
			columns = 0
		} else if columns == 0 {
			columns = cells
		} else if cells != columns {
			t.Errorf("a row of %d cells in a table of %d: %s", cells, columns, line)
		}
	}
	if open != "" {
		t.Error("a code block is never closed")
	}
}

// TestHostileHTMLKeepsItsShape reads the page as XML, which the template is careful to be, and compares its elements with those of the page
// for harmless names.
func TestHostileHTMLKeepsItsShape(t *testing.T) {
	page := render(t, report.HTML, hostile())
	for name, n := range elements(t, page) {
		if name == "script" || name == "img" || name == "a" || name == "iframe" {
			t.Errorf("%d elements %s", n, name)
		}
	}
	if strings.Contains(page, "http://evil\"") || regexp.MustCompile(`(?i)(src|href)=`).MatchString(page) {
		t.Error("the page has an address")
	}
	if n := elements(t, render(t, report.HTML, demo())); n["svg"] != 3 || n["article"] != 4 {
		t.Errorf("the demo has %d charts and %d articles", n["svg"], n["article"])
	}
}

func elements(t *testing.T, page string) map[string]int {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	counts := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("%v near %.200q", err, page[max(0, d.InputOffset()-200):d.InputOffset()])
		}
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
		}
	}
}

func TestPageIsSmall(t *testing.T) {
	in := demo()
	in.Limit = 20
	for i := range 19 {
		d := out()
		d.Target.Name += strings.Repeat("x", 20) + string(rune('a'+i))
		signed := decision(d)
		in.Decisions = append(in.Decisions, signed)
		in.Outcomes = append(in.Outcomes, rendered(signed, "Deployment shop/cart-v1", "/spec/replicas"))
		in.Series[report.Key{Workload: d.Target, Signal: d.Signal}] = loadOf(100)
	}
	page := render(t, report.HTML, in)
	if n := elements(t, page); n["svg"] != 20 {
		t.Errorf("%d charts", n["svg"])
	}
	if len(page) > 200_000 {
		t.Errorf("the page has %d bytes for 20 proposals", len(page))
	}
	t.Logf("%d bytes", len(page))
	var doc report.Report
	if err := json.Unmarshal([]byte(render(t, report.JSON, in)), &doc); err != nil || len(doc.Proposals) != 20 || doc.Counts.Proposals != 22 {
		t.Errorf("%v: %d proposals of %d", err, len(doc.Proposals), doc.Counts.Proposals)
	}
}
