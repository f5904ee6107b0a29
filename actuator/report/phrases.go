package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// phrases are the sentences that Markdown and HTML share. They are plain text: each writer escapes them.
type phrases struct{ now time.Time }

// Standing says what the report is worth and that nothing was done.
func (phrases) Standing(r Report) string {
	text := "Nothing was applied: " + say.Line(r.Mode) + ". Whatever is proposed here happens only if somebody does it."
	if r.Mode != DryRun {
		text = "Mode: " + say.Line(r.Mode) + "."
	}
	if r.Replay {
		text += " This is a replay: the proposals are about windows of the past, to be read and never to be applied."
	}
	return text
}

// Period says what the report covers.
func (phrases) Period(r Report) string {
	text := "As of " + say.Moment(r.At) + " UTC. Decisions and findings from " + say.Range(r.From, r.At)
	if !r.DataTo.IsZero() {
		text += "; windows from " + say.Range(r.DataFrom, r.DataTo)
	}
	return text + ". All times are UTC."
}

// Clock writes a time as seen from the report's.
func (p phrases) Clock(t time.Time) string { return say.Clock(t, p.now) }

// Head is what a proposal is about and what it asks for.
func (phrases) Head(p Proposal) string { return p.Target.Name + ": " + p.Action }

// Holds says since when and until when a proposal stands.
func (p phrases) Holds(q Proposal) string {
	text := "proposed at " + p.Clock(q.MadeAt)
	if q.Renewals > 0 {
		text = "since " + p.Clock(q.Since) + ", renewed " + say.Times(q.Renewals)
	}
	return text + "; expires at " + p.Clock(q.ValidUntil) + " unless renewed"
}

// Caused names the finding behind a proposal.
func (p phrases) Caused(c Cause) string {
	if c.State == "" {
		return "not in this report"
	}
	return say.Line(c.State) + ", " + c.Severity + ", since " + p.Clock(c.StartedAt)
}

// Source says what computed and who signed a proposal.
func (phrases) Source(p Proposal) string {
	text := "Model " + say.Line(strings.TrimSpace(p.Model+" "+p.ModelVersion))
	if p.KeyID == "" {
		return text + ", not signed"
	}
	return text + ", signed with key " + say.Line(p.KeyID)
}

// Note says what is known of a change besides the difference.
func (phrases) Note(c Change) string {
	if c.State == ChangeNotChecked {
		return "The actuator has not come to this decision yet."
	}
	reason := say.Sentence(c.Reason)
	if c.Rule != "" && c.Rule != "dry_run" && c.Rule != "replay" {
		reason = strings.TrimSpace(reason + " Limited by rule " + say.Words(c.Rule) + ".")
	}
	if c.State == ChangeNotRead {
		if !strings.Contains(reason, "Current state not read") {
			reason = strings.TrimSpace("Current state not read. " + reason)
		}
		return reason + " Give --kubeconfig FILE or --manifests DIR to see the exact difference, a patch and its undo."
	}
	text := say.Line(c.Object)
	if c.ReadFrom != "" {
		text += ", read from " + say.Line(c.ReadFrom)
	}
	validation := "not done"
	if c.Validation != "" {
		validation = c.Validation
	}
	return strings.TrimSpace(text + ". Validation: " + say.Sentence(validation) + " " + reason)
}

// Declined says why nothing is proposed.
func (p phrases) Declined(d Declined) string {
	text := say.Reason(d.Code)
	if d.Reason != "" {
		link := ": "
		if d.Example {
			link = ", for example: "
		}
		text += link + say.Line(d.Reason)
	}
	if d.Stale {
		text += " (no longer valid, judged at " + p.Clock(d.AsOf) + ")"
	}
	return text
}

// Targets names those that share a reason.
func (phrases) Targets(d Declined) string {
	var names []string
	for _, t := range d.Targets {
		names = append(names, t.Versioned())
	}
	text := strings.Join(names, ", ")
	if more := d.Count - len(d.Targets); more > 0 {
		text += " and " + say.Exact(float64(more)) + " more"
	}
	return text
}

// Subject says what a row of a table is about.
func (phrases) Subject(kind string) string { return say.Subject(schemas.DecisionKind(kind)) }

// FindingHead says what is wrong, where and since when.
func (p phrases) FindingHead(f Finding) string {
	what := map[string]string{"errors": "more calls fail than expected", "latency": "calls take longer than expected"}[f.Kind]
	if what == "" {
		what = say.Words(f.Kind)
	}
	return f.Target.Versioned() + ": " + what + ", " + f.Severity + ", " + say.Line(f.State) + " since " + p.Clock(f.StartedAt)
}

// FindingLine is a finding in one line.
func (p phrases) FindingLine(f Finding) string {
	if f.State != string(schemas.Resolved) {
		return p.FindingHead(f) + ": " + f.Text
	}
	length := ""
	if d := f.ResolvedAt.Sub(f.StartedAt); !f.ResolvedAt.IsZero() && d > 0 {
		length = " after " + say.Seconds(d.Seconds())
	}
	return fmt.Sprintf("%s: %s from %s, resolved at %s%s", f.Target.Versioned(), say.Words(f.Kind), p.Clock(f.StartedAt),
		p.Clock(f.ResolvedAt), length)
}

// More says how many of all were left out, or "".
func (phrases) More(shown, all int, what string) string {
	if all <= shown {
		return ""
	}
	return fmt.Sprintf("%s more %s not shown.", say.Exact(float64(all-shown)), what)
}

// Stopped says what became of a proposal that does not hold, and by which rule.
func (phrases) Stopped(s Stopped) string {
	text := say.Words(s.Stage)
	if s.Rule != "" {
		text += " by rule " + say.Words(s.Rule)
	}
	if s.Reason != "" {
		text += ": " + say.Line(s.Reason)
	}
	return text
}

// Stops counts what did not hold.
func (phrases) Stops(c Counts) string {
	return say.Count(c.Refused, "decision") + " refused, " + say.Exact(float64(c.Superseded)) + " superseded"
}

// Lapsed counts what expired.
func (phrases) Lapsed(c Counts) string {
	return say.Count(c.Expired, "decision") + " expired, renewals included"
}
