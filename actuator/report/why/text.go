package why

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/weirmesh/weir/actuator/report/say"
)

// Text writes an explanation for a terminal. No name or reason in it can steer the terminal.
func Text(w io.Writer, e Explanation) error {
	var b strings.Builder
	heading(&b, e)
	chain(&b, e.Chain)
	if err := evidence(&b, e.Facts); err != nil {
		return err
	}
	inputs(&b, e)
	origin(&b, e)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write explanation: %w", err)
	}
	return nil
}

func heading(b *strings.Builder, e Explanation) {
	fmt.Fprintf(b, "%s %s\n%s\n%s\n", e.Kind, say.Line(e.ID), say.Line(e.Title), say.Line(e.Status))
	if e.Replay {
		fmt.Fprintln(b, "replay: made from windows of the past, to be read and never to be applied")
	}
	for _, part := range []struct{ label, text string }{
		{"Why", say.Sentence(e.Reason)}, {"Expected", e.Expects}, {"Otherwise", say.Sentence(e.Counterfactual)},
	} {
		if part.text != "" {
			fmt.Fprintf(b, "\n%s\n  %s\n", part.label, part.text)
		}
	}
}

// chain lists the steps, one line each; the rule that decided an outcome stands in front of its text.
func chain(b *strings.Builder, steps []Step) {
	fmt.Fprintln(b, "\nChain (times are UTC)")
	for _, s := range steps {
		text := say.Line(s.Text)
		if s.Rule != "" {
			text = "rule " + say.Line(s.Rule) + ": " + text
		}
		if s.ID != "" {
			text = say.Line(s.ID) + ": " + text
		}
		fmt.Fprintf(b, "  %s  %-8s  %s\n", say.Moment(s.At), s.Kind, text)
	}
}

func evidence(b *strings.Builder, facts []say.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	fmt.Fprintln(b, "\nEvidence")
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	for _, f := range facts {
		fmt.Fprintf(w, "  %s\t%s\n", f.Label, f.Text)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	return nil
}

func inputs(b *strings.Builder, e Explanation) {
	if len(e.Inputs) == 0 {
		return
	}
	fmt.Fprintf(b, "\nInputs: %s\n", span(e.Inputs))
	for _, q := range e.Queries {
		fmt.Fprintf(b, "\n  weir query %s\n", strings.ReplaceAll(say.Shell(q.SQL), "\n", "\n    "))
	}
	if len(e.Queries) > 0 {
		fmt.Fprintln(b, "\n  A revision above the one behind the # of an input means that calls came late, after it was read.")
	}
}

func origin(b *strings.Builder, e Explanation) {
	fmt.Fprintf(b, "\nModel: %s %s\n", say.Line(e.Model), say.Line(e.ModelVersion))
	switch {
	case e.Kind != "decision":
	case e.KeyID == "":
		fmt.Fprintln(b, "Signature: none")
	default:
		fmt.Fprintf(b, "Signature: key %s\n", say.Line(e.KeyID))
	}
}
