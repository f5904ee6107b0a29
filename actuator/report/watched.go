package report

import (
	"cmp"
	"slices"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// watched fills in the findings: firing ones first, then pending, then resolved ones; the worst and latest first.
func (b *builder) watched(live []chain) {
	order := map[schemas.FindingState]int{schemas.Firing: 0, schemas.Pending: 1, schemas.Resolved: 2}
	all := slices.SortedFunc(slices.Values(b.in.Findings), func(x, y schemas.Finding) int {
		return cmp.Or(cmp.Compare(order[x.State], order[y.State]), cmp.Compare(y.Severity, x.Severity), y.StartedAt.Compare(x.StartedAt),
			cmp.Compare(x.ID, y.ID))
	})
	shown := map[string]bool{} // findings whose chart stands beside a proposal
	for _, c := range live[:min(len(live), b.in.Limit)] {
		shown[c.last.Cause] = true
	}
	rows := map[schemas.FindingState]int{}
	for _, f := range all {
		if rows[f.State]++; rows[f.State] > b.in.Limit {
			continue
		}
		row := b.finding(f)
		if f.State == schemas.Firing && !shown[f.ID] {
			row.Chart = b.chartOfFinding(f)
		}
		b.report.Findings = append(b.report.Findings, row)
	}
	c := &b.report.Counts
	c.FindingsFiring, c.FindingsPending, c.FindingsResolved = rows[schemas.Firing], rows[schemas.Pending], rows[schemas.Resolved]
}

func (b *builder) finding(f schemas.Finding) Finding {
	unit := say.SignalUnit(f.Signal)
	return Finding{
		FindingID: f.ID, IncidentID: f.IncidentID, Revision: f.Revision, Kind: string(f.Kind), State: string(f.State),
		Severity: say.Severity(f.Severity), Target: b.names.of(f.Workload), StartedAt: f.StartedAt.UTC(), UpdatedAt: f.UpdatedAt.UTC(),
		ResolvedAt: utc(f.ResolvedAt), Observed: say.Finite(f.Observed), Expects: expects(f.Signal, f.Expected, f.Low, f.High),
		Text: say.Signal(f.Signal) + " " + say.Quantity(f.Observed, unit) + ", expected " + say.Quantity(f.Expected, unit) +
			" (" + say.Between(f.Low, f.High, unit) + ")",
		Explanation: f.Explanation, Evidence: say.Facts(f.Evidence), LedTo: b.ledTo(f.ID),
	}
}

// ledTo lists the decisions of the period that the finding caused, the newest first, at most the limit.
func (b *builder) ledTo(id string) []string {
	var caused []schemas.SignedDecision
	for _, d := range b.in.Decisions {
		if d.Cause == id && id != "" {
			caused = append(caused, d)
		}
	}
	slices.SortFunc(caused, func(x, y schemas.SignedDecision) int { return earlier(y, x) })
	out := []string{}
	for _, d := range caused[:min(len(caused), b.in.Limit)] {
		out = append(out, d.ID)
	}
	return out
}
