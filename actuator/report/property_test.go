package report_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/actuator/report"
	"github.com/weirmesh/weir/schemas"
)

// random is a few hours of decisions, outcomes and findings about a few targets.
func random(rng *rand.Rand) report.Input {
	in := report.Input{At: noon(), DataFrom: noon().Add(-30 * time.Hour), DataTo: noon(), Limit: 1 + rng.IntN(12)}
	if rng.IntN(2) == 0 {
		in.From = noon().Add(-time.Duration(rng.IntN(180)) * time.Minute)
	}
	stages := []schemas.Stage{
		schemas.StageReported, schemas.StageReported, schemas.StageRefused, schemas.StageSuperseded, schemas.StageExpired, schemas.StageDeclined,
	}
	for range rng.IntN(60) {
		made := noon().Add(-time.Duration(rng.IntN(200)-5) * time.Minute)
		d := schemas.Decision{
			Kind: schemas.Scale, Target: shop(fmt.Sprint("w", rng.IntN(4)), fmt.Sprint("v", rng.IntN(2))), MadeAt: made,
			ValidUntil: made.Add(time.Duration(1+rng.IntN(60)) * time.Minute), Current: float64(1 + rng.IntN(3)), Proposed: float64(1 + rng.IntN(3)),
			Code: []string{"load_ahead", "hold", "poor_fit"}[rng.IntN(3)], Reason: fmt.Sprint("reason ", rng.IntN(3)),
		}
		if rng.IntN(3) == 0 {
			d.Kind = schemas.Shift
		}
		if rng.IntN(3) == 0 {
			d.Verdict = schemas.Decline
		}
		signed := decision(d)
		in.Decisions = append(in.Decisions, signed)
		if rng.IntN(10) == 0 {
			in.Decisions = append(in.Decisions, signed) // stored twice
		}
		for range rng.IntN(3) {
			in.Outcomes = append(in.Outcomes, schemas.DecisionOutcome{
				DecisionID: signed.ID, At: made.Add(time.Duration(rng.IntN(3)) * time.Minute), Stage: stages[rng.IntN(len(stages))], By: "actuator",
				Rule: fmt.Sprint("rule", rng.IntN(3)),
			})
		}
	}
	states := []schemas.FindingState{schemas.Pending, schemas.Firing, schemas.Resolved}
	for i := range rng.IntN(8) {
		for revision := 1; revision <= 1+rng.IntN(3); revision++ {
			f := failing()
			f.ID, f.Revision, f.State = fmt.Sprint("f-", i), revision, states[rng.IntN(3)]
			f.StartedAt = noon().Add(-100 * time.Minute)
			f.UpdatedAt = noon().Add(-time.Duration(rng.IntN(110)-10) * time.Minute)
			if f.State == schemas.Resolved {
				f.ResolvedAt = f.UpdatedAt
			}
			in.Findings = append(in.Findings, f)
		}
	}
	return in
}

// asked are the decisions of the period, each once.
func asked(in report.Input) []schemas.SignedDecision {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(in.Decisions), func(d schemas.SignedDecision) bool {
		gone := seen[d.ID] || d.MadeAt.After(in.At) || !in.From.IsZero() && !d.ValidUntil.After(in.From)
		seen[d.ID] = true
		return gone
	})
}

func about(kind, target string) string { return kind + " " + target }

// TestCountsAreTrue counts again in the simplest way there is, and reads the digest.
func TestCountsAreTrue(t *testing.T) {
	schema := compiled(t)
	for seed := range uint64(400) {
		in := random(rand.New(rand.NewPCG(seed, 1)))
		whole := in
		whole.Limit = 1000
		r := report.Build(whole)
		c, proposes, newest := r.Counts, 0, map[string]schemas.SignedDecision{}
		for _, d := range asked(in) {
			if d.Verdict == schemas.Propose {
				proposes++
			}
			key := about(string(d.Kind), d.Target.Versioned())
			if n, known := newest[key]; !known || d.MadeAt.After(n.MadeAt) || d.MadeAt.Equal(n.MadeAt) && d.ID > n.ID {
				newest[key] = d
			}
		}
		live := map[string]bool{}
		told := c.Refused + c.Superseded + c.Expired
		for _, p := range r.Proposals {
			key := about(p.Kind, schemas.Workload{Cluster: "c1", Namespace: "shop", Name: p.Target.Workload, Version: p.Target.Version}.Versioned())
			if live[key] || !p.ValidUntil.After(in.At) || p.MadeAt.After(in.At) || p.Since.After(p.MadeAt) {
				t.Fatalf("seed %d: %s cannot hold: %+v", seed, key, p)
			}
			live[key] = true
			told += 1 + p.Renewals
		}
		if told != proposes || c.Proposals != len(r.Proposals) || c.Decisions != len(asked(in)) {
			t.Fatalf("seed %d: %d of %d decisions are accounted for: %+v", seed, told, proposes, c)
		}
		declined := 0
		for key, d := range newest {
			if d.Verdict == schemas.Decline && !live[key] {
				declined++
			}
		}
		if declined != c.Targets {
			t.Fatalf("seed %d: %d targets without a proposal, want %d", seed, c.Targets, declined)
		}
		short := report.Build(in)
		if short.Counts != c || short.Digest != r.Digest {
			t.Fatalf("seed %d: the limit changes what is counted:\n%s\n%s", seed, short.Digest, r.Digest)
		}
		digestIsTrue(t, short)
		tablesAddUp(t, in)
		if seed%8 == 0 {
			valid(t, schema, in)
		}
	}
}

// digestIsTrue compares the numbers of the digest with the counts.
func digestIsTrue(t *testing.T, r report.Report) {
	t.Helper()
	want := map[string]int{
		"proposal": r.Counts.Proposals, "refused": r.Counts.Refused, "expired": r.Counts.Expired, "firing": r.Counts.FindingsFiring,
		"target": r.Counts.Targets,
	}
	head, reasons, _ := strings.Cut(r.Digest, "(")
	for _, m := range regexp.MustCompile(`(\d+) (proposal|refused|expired|firing|target)`).FindAllStringSubmatch(head, -1) {
		if n, _ := strconv.Atoi(m[1]); n != want[m[2]] {
			t.Fatalf("%q is not true: %+v", r.Digest, r.Counts)
		}
		delete(want, m[2])
	}
	for what, n := range want {
		if n > 0 {
			t.Fatalf("%q says nothing of %d %s", r.Digest, n, what)
		}
	}
	sum := 0
	for _, m := range regexp.MustCompile(` (\d+)[,)]`).FindAllStringSubmatch(reasons, -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	if sum != r.Counts.Targets || !strings.HasSuffix(r.Digest, "; nothing was changed") {
		t.Fatalf("%q: the reasons add up to %d of %d", r.Digest, sum, r.Counts.Targets)
	}
}

// tablesAddUp reads the Markdown: what the tables show and what they say they leave out is everything.
func tablesAddUp(t *testing.T, in report.Input) {
	t.Helper()
	r := report.Build(in)
	if len(r.Proposals) > in.Limit || len(r.Stopped) > in.Limit || len(r.Expired) > in.Limit {
		t.Fatalf("more rows than %d", in.Limit)
	}
	text := render(t, report.Markdown, in)
	shown := strings.Count(text, "\n- **Stands:**")
	if m := regexp.MustCompile(`(\d+) more proposals not shown`).FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		shown += n
	}
	if shown != r.Counts.Proposals {
		t.Fatalf("the page accounts for %d of %d proposals", shown, r.Counts.Proposals)
	}
	decisions := 0
	for _, m := range regexp.MustCompile(`(?m)\| (\d+) \| [\d :-]+ \| .*$|^(\d+) more decisions not shown`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1] + m[2])
		decisions += n
	}
	if want := r.Counts.Refused + r.Counts.Superseded + r.Counts.Expired; decisions != want {
		t.Fatalf("the tables account for %d of %d decisions:\n%s", decisions, want, text)
	}
}

// TestOrderDoesNotMatter gives the same things in another order.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		in := random(rng)
		want := map[string]string{}
		for _, w := range writers() {
			want[w.ext] = render(t, w.write, in)
		}
		rng.Shuffle(len(in.Decisions), func(i, j int) { in.Decisions[i], in.Decisions[j] = in.Decisions[j], in.Decisions[i] })
		rng.Shuffle(len(in.Findings), func(i, j int) { in.Findings[i], in.Findings[j] = in.Findings[j], in.Findings[i] })
		for _, w := range writers() {
			if got := render(t, w.write, in); got != want[w.ext] {
				t.Fatalf("seed %d: %s depends on the order", seed, w.ext)
			}
		}
	}
}
