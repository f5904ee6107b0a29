package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// SchemaID is the URI of the JSON Schema of the document. It is a name and no address.
const SchemaID = "urn:weir:schema:report:v1"

// builder holds what the parts of a report are looked up in.
type builder struct {
	in       Input
	names    names
	findings map[string]schemas.Finding
	report   Report
}

// Build makes the report of in as it stood at in.At. It keeps no reference to in.
func Build(in Input) Report {
	in = in.tidy()
	b := builder{in: in, names: nameAll(in), findings: map[string]schemas.Finding{}}
	for _, f := range in.Findings {
		b.findings[f.ID] = f
	}
	b.report = Report{
		Schema: SchemaID, Title: "Weir: what it would do", Mode: in.Mode, At: in.At.UTC(), From: in.start(), Replay: in.Replay,
		DataFrom: utc(in.DataFrom), DataTo: utc(in.DataTo), Counts: Counts{Decisions: len(in.Decisions)},
		Proposals: []Proposal{}, Declined: []Declined{}, Findings: []Finding{}, Stopped: []Stopped{}, Expired: []Expired{}, Next: []string{},
	}
	all := chains(in)
	live := b.proposals(all)
	b.past(all)
	b.declined(live)
	b.watched(live)
	b.report.Digest = b.digest()
	b.report.Next = b.next()
	return b.report
}

// start is the beginning of the period, or of what there is.
func (in Input) start() time.Time {
	if !in.From.IsZero() {
		return in.From.UTC()
	}
	first := in.At
	if !in.DataFrom.IsZero() && in.DataFrom.Before(first) {
		first = in.DataFrom
	}
	for _, d := range in.Decisions {
		if d.MadeAt.Before(first) {
			first = d.MadeAt
		}
	}
	return first.UTC()
}

// utc leaves the zero time alone.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// proposals fills in what holds now, the most urgent first, and returns all of it.
func (b *builder) proposals(all []chain) []chain {
	var live []chain
	for _, c := range all {
		if c.state == schemas.StageReported {
			live = append(live, c)
		}
	}
	slices.SortFunc(live, b.urgent)
	b.report.Counts.Proposals = len(live)
	for i, c := range live[:min(len(live), b.in.Limit)] {
		b.report.Proposals = append(b.report.Proposals, b.proposal(i+1, c))
	}
	return live
}

// past fills in what was stopped and what nobody renewed, the latest first.
func (b *builder) past(all []chain) {
	stopped := map[Stopped]int{} // position of the row by what it groups
	expired := map[subject]int{}
	for _, c := range all {
		n := c.renewals + 1
		switch c.state {
		case schemas.StageRefused:
			b.report.Counts.Refused += n
			b.stop(stopped, c)
		case schemas.StageSuperseded:
			b.report.Counts.Superseded += n
			b.stop(stopped, c)
		case schemas.StageExpired:
			b.report.Counts.Expired += n
			b.expire(expired, c)
		}
	}
	// What a guardrail refused says more than what a newer decision replaced.
	slices.SortStableFunc(b.report.Stopped, func(x, y Stopped) int { return cmp.Compare(x.Stage, y.Stage) })
	b.report.Stopped = b.report.Stopped[:min(len(b.report.Stopped), b.in.Limit)]
	slices.SortStableFunc(b.report.Expired, func(x, y Expired) int { return y.Last.Compare(x.Last) })
	b.report.Expired = b.report.Expired[:min(len(b.report.Expired), b.in.Limit)]
}

func (b *builder) stop(rows map[Stopped]int, c chain) {
	d := c.last.Decision
	key := Stopped{Kind: string(d.Kind), Target: b.names.of(d.Target), Stage: string(c.state), Rule: c.rule}
	i, known := rows[key]
	if !known {
		i = len(b.report.Stopped)
		rows[key] = i
		key.LastAt, key.LastID, key.Action, key.Reason = d.MadeAt.UTC(), d.ID, action(d), c.why
		b.report.Stopped = append(b.report.Stopped, key)
	}
	b.report.Stopped[i].Count += c.renewals + 1
}

func (b *builder) expire(rows map[subject]int, c chain) {
	d := c.last.Decision
	i, known := rows[subjectOf(d)]
	if !known {
		i = len(b.report.Expired)
		rows[subjectOf(d)] = i
		b.report.Expired = append(b.report.Expired, Expired{
			Kind: string(d.Kind), Target: b.names.of(d.Target), First: c.since.UTC(), Last: d.ValidUntil.UTC(), LastID: d.ID,
			Action: action(d), Reason: d.Reason,
		})
	}
	row := &b.report.Expired[i]
	row.Count += c.renewals + 1
	if c.since.Before(row.First) {
		row.First = c.since.UTC()
	}
	if d.ValidUntil.After(row.Last) {
		row.Last = d.ValidUntil.UTC()
	}
}
