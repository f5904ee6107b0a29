package why_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/weirmesh/weir/actuator/report/why"
	"github.com/weirmesh/weir/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func noon() time.Time { return time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC) }

func checkout() schemas.Workload {
	return schemas.Workload{Cluster: "c1", Namespace: "shop", Name: "checkout", Version: "v2"}
}

// windows are ids of n windows of 10 s that end at noon.
func windows(n int, w schemas.Workload) []string {
	var ids []string
	for i := n; i > 0; i-- {
		ids = append(ids, schemas.WindowID(schemas.Shortest(), noon().Add(-time.Duration(i)*10*time.Second), w, 0))
	}
	return ids
}

func revisions() []schemas.Finding {
	f := schemas.Finding{
		Kind: schemas.FindingErrors, State: schemas.Pending, Revision: 1,
		StartedAt: noon().Add(-30 * time.Second), UpdatedAt: noon().Add(-20 * time.Second),
		Workload: checkout(), Signal: schemas.SignalErrorRate, Observed: 0.09, Expected: 0.004, Low: 0, High: 0.0161, Score: 4.2, Threshold: 6,
		Severity: schemas.SeverityWarning, Explanation: "9 % of calls to v2 fail", Inputs: windows(1, checkout()),
		Model: schemas.Model{Name: "ewma", Version: "1"},
	}
	f.ID = schemas.FindingID(f.Kind, f.Workload, f.Signal, f.StartedAt, f.Model)
	f.IncidentID = f.ID
	g := f
	g.Revision, g.State, g.UpdatedAt, g.Observed, g.Score, g.Severity = 2, schemas.Firing, noon(), 0.1834, 31.44, schemas.SeverityCritical
	g.Explanation, g.Inputs = "18 % of calls to v2 fail, 0.4 % is usual", windows(3, checkout())
	g.Evidence = []schemas.Fact{
		{Name: "windows", Value: 3}, {Name: "failed_calls", Value: 412}, {Name: "pooled", Value: 0.183437, Unit: "share"},
	}
	h := g
	h.Revision, h.State, h.UpdatedAt = 3, schemas.Resolved, noon().Add(20*time.Minute)
	return []schemas.Finding{h, f, g}
}

func shift() schemas.SignedDecision {
	d := schemas.Decision{
		Kind: schemas.Shift, Verdict: schemas.Propose, Target: checkout(), MadeAt: noon(), ValidUntil: noon().Add(10 * time.Minute), Current: 20,
		Signal: schemas.SignalErrorRate, Expected: 0.0041, Low: 0.002, High: 0.0162, Code: "finding",
		Reason:         "v2 fails 18 % of its calls and v1 0.4 %",
		Counterfactual: "With v2 at 20 % about 44 calls a minute keep failing.", Cause: revisions()[0].ID, Inputs: windows(20, checkout()),
		Evidence: revisions()[0].Evidence, Model: schemas.Model{Name: "ewma", Version: "1"},
	}
	d.ID = d.Identity()
	return schemas.SignedDecision{Decision: d, Signature: "c2lnbmVk", KeyID: "cd8fa86afd6bf20d"}
}

func decline() schemas.SignedDecision {
	d := schemas.Decision{
		Kind: schemas.Scale, Verdict: schemas.Decline, Target: checkout(), MadeAt: noon(), ValidUntil: noon().Add(time.Hour),
		Current: 4, Proposed: 4,
		Code: "insufficient_history", Reason: "7.2 h of 24 h", Model: schemas.Model{Name: "plan", Version: "1"}, Replay: true,
		Inputs: []string{schemas.WindowID(schemas.Resolution(time.Minute), noon().Add(-time.Minute), checkout(), 2), "not an id"},
	}
	d.ID = d.Identity()
	return schemas.SignedDecision{Decision: d}
}

func reported(d schemas.SignedDecision) schemas.DecisionOutcome {
	return schemas.DecisionOutcome{
		DecisionID: d.ID, At: d.MadeAt, Stage: schemas.StageReported, By: "actuator", Rule: "dry_run", Object: "VirtualService shop/checkout",
		Reason: "Dry run: VirtualService shop/checkout would give v2 0 percent instead of 20.", Validation: "valid",
	}
}

func cases(t *testing.T) map[string]why.Explanation {
	t.Helper()
	finding, err := why.ExplainFinding(revisions(), []schemas.SignedDecision{shift()})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]why.Explanation{
		"shift":   why.ExplainDecision(shift(), revisions(), []schemas.DecisionOutcome{reported(shift())}),
		"decline": why.ExplainDecision(decline(), nil, nil),
		"finding": finding,
	}
}

func TestGolden(t *testing.T) {
	for name, e := range cases(t) {
		for ext, write := range map[string]func(io.Writer, why.Explanation) error{"txt": why.Text, "json": why.JSON} {
			var b bytes.Buffer
			if err := write(&b, e); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+"."+ext)
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("%s differs (-update rewrites it):\n%s", path, b.String())
			}
		}
	}
}

// TestChainIsOfItsTime checks that a decision is explained by the finding as it stood when the decision was made.
func TestChainIsOfItsTime(t *testing.T) {
	e := why.ExplainDecision(shift(), revisions(), nil)
	var kinds []string
	for _, s := range e.Chain {
		kinds = append(kinds, s.Kind)
		if s.Kind == "finding" && !strings.HasPrefix(s.Text, "revision 2, firing") {
			t.Errorf("explained by %s", s.Text)
		}
	}
	if got := strings.Join(kinds, " "); got != "windows finding windows decision" {
		t.Error(got)
	}
	e = why.ExplainDecision(shift(), nil, nil)
	if got := e.Chain[0]; got.Kind != "finding" || !strings.Contains(got.Text, "not in the store") {
		t.Errorf("a cause that is not known: %+v", got)
	}
}

func TestFindingNeedsARevision(t *testing.T) {
	if _, err := why.ExplainFinding(nil, nil); err == nil {
		t.Error("nothing was explained")
	}
}

func TestQueries(t *testing.T) {
	odd := checkout()
	odd.Name, odd.Version = "it's\x1b", ""
	slashes := checkout()
	slashes.Name = "a/b"
	for _, c := range []struct {
		ids  []string
		want []string
	}{
		{windows(1, checkout()), []string{"FROM service_windows\n", "workload = 'checkout' AND version = 'v2'", "IN ('2025-03-04 11:59:50')"}},
		{windows(20, checkout()), []string{"BETWEEN '2025-03-04 11:56:40' AND '2025-03-04 11:59:50'"}},
		{windows(1, odd), []string{`workload = 'it\'s\x1B'` + "\n"}},
		{windows(1, slashes), []string{"concat(cluster, '/', namespace, '/', workload, ", "= 'c1/shop/a/b@v2'"}},
		{[]string{"service_1h/2025-03-04T11:00:00Z/c//x#0"}, []string{"FROM service_windows_1h\n", "namespace = ''"}},
	} {
		d := shift()
		d.Inputs = c.ids
		got := why.ExplainDecision(d, nil, nil).Queries
		if len(got) != 1 || got[0].Windows != len(c.ids) {
			t.Fatalf("%v: %+v", c.ids, got)
		}
		for _, part := range c.want {
			if !strings.Contains(got[0].SQL, part) {
				t.Errorf("%s\ndoes not hold %s", got[0].SQL, part)
			}
		}
	}
}

// FuzzInputs reads window ids that anybody may have made up.
func FuzzInputs(f *testing.F) {
	f.Add(windows(1, checkout())[0])
	f.Add("service_1m/2025-03-04T11:00:00Z/'/\x1b/\\@#")
	f.Fuzz(func(t *testing.T, id string) {
		d := shift()
		d.Inputs, d.Reason, d.Target.Name, d.Evidence[0].Name = []string{id}, id, id, id
		var b bytes.Buffer
		refused := []schemas.DecisionOutcome{{Rule: id, By: id, Reason: id, Stage: schemas.StageRefused}}
		if err := why.Text(&b, why.ExplainDecision(d, revisions(), refused)); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if !unicode.IsPrint(r) && r != '\n' {
				t.Fatalf("%q holds %U", b.String(), r)
			}
		}
	})
}
