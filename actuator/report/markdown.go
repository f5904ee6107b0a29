package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// Markdown writes the report for a terminal, a chat or a ticket. No name or reason in it can become markup or steer a terminal.
func Markdown(w io.Writer, r Report) error {
	m := markdown{phrases: phrases{r.At}}
	m.head(r)
	m.proposals(r)
	m.declined(r)
	m.findings(r)
	m.past(r)
	if _, err := io.WriteString(w, m.b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

type markdown struct {
	phrases
	b strings.Builder
}

// line writes text that is Markdown already, and ends the line.
func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

// row writes a row of a table; the cells are Markdown already.
func (m *markdown) row(cells ...string) { m.line("| %s |", strings.Join(cells, " | ")) }

func (m *markdown) head(r Report) {
	m.line("# %s\n", say.Markdown(r.Title))
	m.line("**%s.**\n", say.Markdown(r.Digest))
	m.line("%s\n", say.Markdown(m.Standing(r)))
	m.line("%s\n", say.Markdown(m.Period(r)))
	if len(r.Next) > 0 {
		m.line("## What to do next\n")
		for _, text := range r.Next {
			// The sentences are ours, with commands in backticks.
			m.line("- %s", say.Line(text))
		}
		m.line("")
	}
}

func (m *markdown) proposals(r Report) {
	m.line("## Proposals\n")
	if len(r.Proposals) == 0 {
		m.line("None holds now.\n")
	}
	for _, p := range r.Proposals {
		m.proposal(p)
	}
	m.more(len(r.Proposals), r.Counts.Proposals, "proposals")
}

func (m *markdown) more(shown, all int, what string) {
	if text := m.More(shown, all, what); text != "" {
		m.line("%s\n", text)
	}
}

func (m *markdown) proposal(p Proposal) {
	m.line("### %d. %s\n", p.Rank, say.Markdown(m.Head(p)))
	m.line("%s\n", say.Markdown(say.Sentence(p.Reason)))
	m.line("- **Urgency:** %s", say.Markdown(p.Urgency))
	m.line("- **Stands:** %s", say.Markdown(m.Holds(p)))
	if p.Cause != nil {
		m.line("- **Finding:** %s, %s", say.Code(p.Cause.FindingID), say.Markdown(m.Caused(*p.Cause)))
		if p.Cause.Explanation != "" {
			m.line("  %s", say.Markdown(say.Sentence(p.Cause.Explanation)))
		}
	}
	if p.Expects.Text != "" {
		m.line("- **Expects:** %s", say.Markdown(p.Expects.Text))
	}
	if p.Counterfactual != "" {
		m.line("- **Otherwise:** %s", say.Markdown(say.Sentence(p.Counterfactual)))
	}
	m.line("")
	m.evidence(p.Evidence)
	m.chart(p.Chart)
	m.change(p.Change)
	m.line("%s. Decision %s; more: %s\n", say.Markdown(m.Source(p)), say.Code(p.DecisionID), say.Code("weir why "+p.DecisionID))
}

func (m *markdown) evidence(facts []say.Fact) {
	if len(facts) == 0 {
		return
	}
	m.row("Evidence", "Value")
	m.row("---", "---:")
	for _, f := range facts {
		m.row(say.Markdown(f.Label), say.Markdown(f.Text))
	}
	m.line("")
}

func (m *markdown) chart(c *chart.Chart) {
	if c != nil {
		m.line("%s", say.Fence(chart.Text(*c), ""))
	}
}

func (m *markdown) change(c Change) {
	m.line("**Change:** %s\n", say.Markdown(m.Note(c)))
	if c.State != ChangeRendered {
		return
	}
	if c.Diff != "" {
		m.line("%s", say.Fence(c.Diff, "diff"))
	}
	m.command("By hand:", c.Command)
	m.command("To undo:", c.Undo)
}

func (m *markdown) command(label, command string) {
	if command != "" {
		m.line("%s\n\n%s", label, say.Fence(command, "sh"))
	}
}

func (m *markdown) declined(r Report) {
	if len(r.Declined) == 0 {
		return
	}
	m.line("## Not proposed\n")
	m.row("Target", "What", "Why")
	m.row("---", "---", "---")
	for _, d := range r.Declined {
		m.row(say.Markdown(m.Targets(d)), say.Markdown(m.Subject(d.Kind)), say.Markdown(m.Declined(d)))
	}
	m.line("")
}

func (m *markdown) findings(r Report) {
	m.line("## Findings\n")
	if len(r.Findings) == 0 {
		m.line("None in this period.\n")
		return
	}
	for _, f := range r.Findings {
		if f.State == string(schemas.Firing) {
			m.firing(f)
		}
	}
	lines := 0
	for _, f := range r.Findings {
		if f.State != string(schemas.Firing) {
			m.line("- %s %s", say.Markdown(m.FindingLine(f)), say.Code(f.FindingID))
			lines++
		}
	}
	if lines > 0 {
		m.line("")
	}
	m.more(len(r.Findings), r.Counts.FindingsFiring+r.Counts.FindingsPending+r.Counts.FindingsResolved, "findings")
}

func (m *markdown) firing(f Finding) {
	m.line("### %s\n", say.Markdown(m.FindingHead(f)))
	m.line("%s Last seen at %s: %s.\n", say.Markdown(say.Sentence(f.Explanation)), m.Clock(f.UpdatedAt), say.Markdown(f.Text))
	m.evidence(f.Evidence)
	m.chart(f.Chart)
	m.line("Finding %s; more: %s\n", say.Code(f.FindingID), say.Code("weir why "+f.FindingID))
}

func (m *markdown) past(r Report) {
	if len(r.Stopped) > 0 {
		m.line("## Refused or superseded\n")
		m.line("%s.\n", m.Stops(r.Counts))
		m.row("Target", "Last asked", "What became of it", "Times", "Last at", "Decision")
		m.row("---", "---", "---", "---:", "---", "---")
		for _, s := range r.Stopped {
			m.row(say.Markdown(s.Target.Versioned()), say.Markdown(s.Action), say.Markdown(m.Stopped(s)), say.Exact(float64(s.Count)),
				m.Clock(s.LastAt), say.Code(s.LastID))
		}
		m.line("")
		m.rest(r.Counts.Refused+r.Counts.Superseded, times(r.Stopped, func(s Stopped) int { return s.Count }))
	}
	if len(r.Expired) > 0 {
		m.line("## Expired\n")
		m.line("%s.\n", m.Lapsed(r.Counts))
		m.row("Target", "Last asked", "Why", "Times", "From", "Until", "Decision")
		m.row("---", "---", "---", "---:", "---", "---", "---")
		for _, e := range r.Expired {
			m.row(say.Markdown(e.Target.Versioned()), say.Markdown(e.Action), say.Markdown(e.Reason), say.Exact(float64(e.Count)),
				m.Clock(e.First), m.Clock(e.Last), say.Code(e.LastID))
		}
		m.line("")
		m.rest(r.Counts.Expired, times(r.Expired, func(e Expired) int { return e.Count }))
	}
}

// rest says how many decisions the rows of a table do not count.
func (m *markdown) rest(all, shown int) { m.more(shown, all, "decisions") }

func times[T any](rows []T, count func(T) int) int {
	n := 0
	for _, r := range rows {
		n += count(r)
	}
	return n
}
