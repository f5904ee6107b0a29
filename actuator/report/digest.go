package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

// digest is the report in one line. Each number is one of Counts.
func (b *builder) digest() string {
	c := b.report.Counts
	parts := []string{say.Count(c.Proposals, "proposal")}
	if c.Refused > 0 {
		parts = append(parts, say.Exact(float64(c.Refused))+" refused")
	}
	if c.Expired > 0 {
		parts = append(parts, say.Exact(float64(c.Expired))+" expired")
	}
	parts = append(parts, say.Count(c.FindingsFiring, "firing finding"))
	if c.Targets > 0 {
		parts = append(parts, say.Count(c.Targets, "target")+" without a proposal ("+b.codes()+")")
	}
	return strings.Join(parts, ", ") + b.effect()
}

// codes counts the targets without a proposal by the code of the reason, the commonest first.
func (b *builder) codes() string {
	counts := map[string]int{}
	for _, d := range b.report.Declined {
		counts[d.Code] += d.Count
	}
	codes := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	var parts []string
	for _, code := range codes {
		parts = append(parts, say.Reason(code)+" "+say.Exact(float64(counts[code])))
	}
	return strings.Join(parts, ", ")
}

// effect says that nothing was changed, where that is known: in dry run, as long as every outcome is one of a dry run.
func (b *builder) effect() string {
	dry := []schemas.Stage{
		schemas.StageReported, schemas.StageDeclined, schemas.StageRefused, schemas.StageSuperseded, schemas.StageExpired,
	}
	for _, o := range b.in.Outcomes {
		if !slices.Contains(dry, o.Stage) {
			return ""
		}
	}
	if b.in.Mode != DryRun {
		return ""
	}
	return "; nothing was changed"
}

// next says what a person can do where the report has little to say.
func (b *builder) next() []string {
	in, c, out := b.in, b.report.Counts, []string{}
	need := say.Seconds(in.History.Seconds())
	switch have := in.DataTo.Sub(in.DataFrom); {
	case c.Proposals == 0 && c.Expired > 0:
		last := b.report.Expired[0].Last
		out = append(out, "No proposal holds any more: the last expired at "+say.Clock(last, in.At)+" UTC and was not renewed.",
			"Run `weir status` to see whether telemetry still arrives, and `weir report --at "+last.Add(-time.Second).Format(time.RFC3339)+
				"` to see the report as it stood before that.")
	case c.Decisions > 0:
	case in.DataTo.IsZero():
		out = append(out, "There are no windows yet. Run `weir status`: it says where telemetry was last seen. Senders talk OTLP.")
	case have < in.History:
		const text = "There is %s of history, and forecasts need %s. If telemetry keeps coming, there is enough at about %s UTC."
		out = append(out, fmt.Sprintf(text, say.Seconds(have.Seconds()), need, say.Clock(in.DataFrom.Add(in.History), in.At)),
			"Run `weir status` to see that telemetry is still arriving.")
	default:
		out = append(out, fmt.Sprintf("There is %s of history, enough for forecasts (%s), and no decision in this period. "+
			"Run `weir status`: forecast and detect may be behind, or not running.", say.Seconds(have.Seconds()), need))
	}
	for _, p := range b.report.Proposals {
		if p.Change.State == ChangeNotRead {
			return append(out, "Give --kubeconfig FILE or --manifests DIR, and proposals come with the exact difference, a patch and its undo.")
		}
	}
	return out
}
