package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

//go:embed report.html.tmpl report.css
var page embed.FS

// HTML writes the report as one page that needs nothing else: no script, no font, no picture, no address outside.
func HTML(w io.Writer, r Report) error {
	css, err := page.ReadFile("report.css")
	if err != nil {
		return fmt.Errorf("read style of report: %w", err)
	}
	t, err := template.New("report.html.tmpl").Funcs(functions(phrases{r.At})).ParseFS(page, "report.html.tmpl")
	if err != nil {
		return fmt.Errorf("parse template of report: %w", err)
	}
	var b bytes.Buffer
	data := struct {
		Report
		Say   phrases
		Style template.CSS
	}{r, phrases{r.At}, template.CSS(css)}
	if err := t.Execute(&b, data); err != nil {
		return fmt.Errorf("render report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// functions are what the template may call. Their answers are plain text, which html/template escapes.
func functions(p phrases) template.FuncMap {
	return template.FuncMap{
		"say":      func() phrases { return p },
		"line":     say.Line,
		"block":    func(s string) string { return strings.TrimRight(say.Block(s), "\n") },
		"sentence": say.Sentence,
		"moment":   say.Moment,
		"exact":    func(n int) string { return say.Exact(float64(n)) },
		"spans":    spans,
		"diff":     diffLines,
		"firing":   func(f Finding) bool { return f.State == string(schemas.Firing) },
		"rendered": func(c Change) bool { return c.State == ChangeRendered },
		"drawing":  drawing,
		"interval": chart.Interval,
		"dated":    func(c chart.Chart, m chart.Mark) string { return say.Clock(m.At, c.Points[0].At) },
		"every":    func(c chart.Chart) string { return say.Seconds(c.StepSeconds) },
		"count":    func(c Counts) int { return c.FindingsFiring + c.FindingsPending + c.FindingsResolved },
		"stops":    func(rows []Stopped) int { return times(rows, func(s Stopped) int { return s.Count }) },
		"lapses":   func(rows []Expired) int { return times(rows, func(e Expired) int { return e.Count }) },
		"add":      func(a, b int) int { return a + b },
	}
}

// drawing is nil for a chart without a point.
func drawing(c chart.Chart) *chart.Drawing {
	d, ok := chart.Draw(c)
	if !ok {
		return nil
	}
	return &d
}

// span is a piece of a sentence; Code is set in the type of commands.
type span struct {
	Code bool
	Text string
}

// spans splits one of our own sentences at its backticks.
func spans(s string) []span {
	var out []span
	for i, text := range strings.Split(say.Line(s), "`") {
		if text != "" {
			out = append(out, span{i%2 == 1, text})
		}
	}
	return out
}

// diffLine is one line of a unified diff with its class: add, del, hunk, or "".
type diffLine struct{ Class, Text string }

func diffLines(s string) []diffLine {
	var out []diffLine
	for _, text := range strings.Split(strings.TrimRight(say.Block(s), "\n"), "\n") {
		class := ""
		switch {
		case strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "@@"):
			class = "hunk"
		case strings.HasPrefix(text, "+"):
			class = "add"
		case strings.HasPrefix(text, "-"):
			class = "del"
		}
		out = append(out, diffLine{class, text})
	}
	return out
}
