package clickhouse_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// nasty is what a name must not be able to do anything with.
const nasty = "it's \\' OR 1=1; {x:String} ? $1 @a %s %d -- \n\t日本 `"

var (
	cart  = schemas.Workload{Tenant: "t", Cluster: "c", Region: "north", Namespace: "shop", Name: "cart", Version: "v2"}
	model = schemas.Model{Name: "m", Version: "3"}
	facts = []schemas.Fact{{Name: "peak", Value: 12.5, Unit: "1/s"}, {Name: nasty, Value: -1}}
)

func finding(kind schemas.FindingKind, w schemas.Workload, started time.Time, revision int, state schemas.FindingState) schemas.Finding {
	f := schemas.Finding{
		ID: schemas.FindingID(kind, w, schemas.SignalErrorRate, started, model), Revision: revision, Kind: kind, State: state,
		StartedAt: started, UpdatedAt: started.Add(time.Duration(revision) * time.Minute), Workload: w, Signal: schemas.SignalErrorRate,
		Observed: 0.5, Expected: 0.01, Low: 0, High: math.Inf(1), Score: 8, Threshold: 4, Severity: schemas.SeverityWarning,
		Explanation: nasty, Evidence: facts, Inputs: []string{"a", nasty}, Model: model,
	}
	f.IncidentID = f.ID
	if state == schemas.Resolved {
		f.ResolvedAt = f.UpdatedAt
	}
	return f
}

func same(t *testing.T, what string, got, want any, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: read\n%+v, want\n%+v", what, got, want)
	}
}

// twice saves everything two times, as after a crash.
func twice[T any](t *testing.T, save func([]T) error, rows []T) {
	t.Helper()
	for range 2 {
		if err := save(rows); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindingsKeepTheirRevisions(t *testing.T) {
	c, _ := open(t)
	start, other := at(day), cart
	other.Name, other.Version = nasty, ""
	first := []schemas.Finding{
		finding(schemas.FindingErrors, cart, start, 1, schemas.Pending), finding(schemas.FindingErrors, cart, start, 2, schemas.Firing),
		finding(schemas.FindingErrors, cart, start, 3, schemas.Resolved),
	}
	open := finding(schemas.FindingLatency, other, start.Add(time.Hour), 1, schemas.Firing)
	pending := finding(schemas.FindingLatency, cart, start.Add(2*time.Hour), 1, schemas.Pending)
	twice(t, func(f []schemas.Finding) error { return c.SaveFindings(t.Context(), f) }, append(slices.Clone(first), open, pending))

	revisions, err := c.FindingRevisions(t.Context(), first[0].ID[:9])
	same(t, "revisions", revisions, first, err)
	none, err := c.FindingRevisions(t.Context(), "f-0")
	same(t, "no such finding", none, []schemas.Finding(nil), err)

	for _, ask := range []struct {
		what string
		q    store.Query
		want []schemas.Finding
	}{
		{"all", store.Query{}, []schemas.Finding{first[2], open, pending}},
		{"newest", store.Query{Newest: true, Limit: 2}, []schemas.Finding{pending, open}},
		{"limit", store.Query{Limit: 1}, []schemas.Finding{first[2]}},
		{"id", store.Query{ID: open.ID}, []schemas.Finding{open}},
		{"unknown id", store.Query{ID: nasty}, nil},
		{"kind", store.Query{Kinds: []string{"errors", nasty}}, []schemas.Finding{first[2]}},
		{"latest state, not an earlier one", store.Query{States: []string{"firing"}}, []schemas.Finding{open}},
		{"name", store.Query{Workload: "cart"}, []schemas.Finding{first[2], pending}},
		{"version", store.Query{Workload: "cart@v2"}, []schemas.Finding{first[2], pending}},
		{"key", store.Query{Workload: cart.Versioned()}, []schemas.Finding{first[2], pending}},
		{"another version", store.Query{Workload: "cart@v3"}, nil},
		{"nasty name", store.Query{Workload: nasty}, []schemas.Finding{open}},
		{"nasty key", store.Query{Workload: other.Versioned()}, []schemas.Finding{open}},
		{"before one ends", store.Query{From: start.Add(time.Minute), To: start.Add(time.Hour)}, []schemas.Finding{first[2]}},
		{"after it ended", store.Query{From: start.Add(3 * time.Minute)}, []schemas.Finding{open, pending}},
	} {
		got, err := c.Findings(t.Context(), ask.q)
		same(t, ask.what, got, ask.want, err)
	}
	if _, err := c.Findings(t.Context(), store.Query{ID: "f-"}); !errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("a beginning of all ids: %v, want ErrAmbiguous", err)
	}
	fired, _, err := c.DecisionTotals(t.Context())
	same(t, "findings that fired", fired, uint64(2), err)
}

func decision(minutes int, kind schemas.DecisionKind, verdict schemas.Verdict) schemas.SignedDecision {
	made := at(day).Add(time.Duration(minutes) * time.Minute)
	d := schemas.SignedDecision{Signature: "c2lnbmF0dXJl", KeyID: "key", Decision: schemas.Decision{
		MadeAt: made, ValidUntil: made.Add(10 * time.Minute), Kind: kind, Verdict: verdict, Target: cart, Current: 2, Proposed: 4,
		Signal: schemas.SignalLoad, Expected: 80.5, Low: 70, High: 90, Code: "load_ahead", Reason: nasty, Counterfactual: "none", Cause: "f-1",
		Replay: minutes%2 == 1, Evidence: facts, Inputs: []string{nasty}, Model: model,
	}}
	d.ID = d.Identity()
	return d
}

func TestDecisionsAndOutcomes(t *testing.T) {
	c, cfg := open(t)
	all := []schemas.SignedDecision{
		decision(0, schemas.Scale, schemas.Propose), decision(1, schemas.Shift, schemas.Propose), decision(2, schemas.Scale, schemas.Decline),
	}
	all[2].Evidence, all[2].Inputs, all[2].Target.Version = nil, []string{}, ""
	twice(t, func(d []schemas.SignedDecision) error { return c.SaveDecisions(t.Context(), d) }, all)
	for _, ask := range []struct {
		what string
		q    store.Query
		want []schemas.SignedDecision
	}{
		{"all", store.Query{}, all},
		{"time", store.Query{From: all[1].MadeAt, To: all[2].MadeAt}, all[1:2]},
		{"verdict", store.Query{Verdicts: []string{"decline"}}, all[2:]},
		{"kind", store.Query{Kinds: []string{"shift"}}, all[1:2]},
		{"id", store.Query{ID: all[1].ID[:12]}, all[1:2]},
		{"version", store.Query{Workload: cart.Versioned()}, all[:2]},
		{"newest", store.Query{Newest: true, Limit: 1}, all[2:]},
		{"unknown id", store.Query{ID: "d-" + nasty}, nil},
	} {
		got, err := c.Decisions(t.Context(), ask.q)
		same(t, ask.what, got, ask.want, err)
	}
	if got := ask(t, cfg, "SELECT target, unit FROM decisions WHERE kind = 'shift' LIMIT 1"); got != "c/shop/cart@v2\tpercent" {
		t.Errorf("target and unit are %s", got)
	}
	_, proposed, err := c.DecisionTotals(t.Context())
	same(t, "proposed", proposed, uint64(2), err)

	outcome := schemas.DecisionOutcome{
		DecisionID: all[0].ID, At: all[0].MadeAt, Stage: schemas.StageReported, By: "actuator", Rule: "dry_run", Reason: nasty,
		Object: "Deployment shop/cart-v2", Before: "a: 1\n", After: "a: 2\n", Patch: "[]", Inverse: "[{}]", Diff: "-1\n+2\n",
		Validation: "valid", ReadFrom: "manifests",
	}
	late := schemas.DecisionOutcome{DecisionID: all[1].ID, At: all[1].MadeAt, Stage: schemas.StageExpired, By: "actuator"}
	twice(t, func(o []schemas.DecisionOutcome) error { return c.SaveOutcomes(t.Context(), o) }, []schemas.DecisionOutcome{outcome, late})
	got, err := c.Outcomes(t.Context(), []string{all[0].ID, nasty})
	same(t, "outcomes", got, []schemas.DecisionOutcome{outcome}, err)
	many := []string{all[0].ID, all[1].ID}
	for i := range 15_000 {
		many = append(many, fmt.Sprintf("d-%020d", i))
	}
	got, err = c.Outcomes(t.Context(), many)
	if err != nil || len(got) != 2 {
		t.Errorf("of many ids: %d outcomes, %v", len(got), err)
	}
	got, err = c.Outcomes(t.Context(), nil)
	same(t, "outcomes of nothing", got, []schemas.DecisionOutcome(nil), err)
}

func forecast(made time.Time, ahead time.Duration, q, value float64, version string) schemas.Forecast {
	return schemas.Forecast{
		MadeAt: made, TargetTime: made.Add(ahead), Workload: cart.Unversioned(), Signal: schemas.SignalLoad,
		Quantile: q, Value: value, Model: schemas.Model{Name: nasty, Version: version}, Inputs: nasty,
	}
}

func TestForecasts(t *testing.T) {
	c, cfg := open(t)
	start := at(day)
	var all, path []schemas.Forecast
	for made := range 3 {
		for ahead := 1; ahead <= 2; ahead++ {
			for _, q := range []float64{0.1, 0.5, 0.9} {
				f := forecast(start.Add(time.Duration(made)*time.Minute), time.Duration(ahead)*time.Minute, q, float64(made), "1")
				all = append(all, f)
				if ahead == 2 && q != 0.5 && made > 0 {
					path = append(path, f)
				}
			}
		}
	}
	stranger := forecast(start, time.Minute, 0.5, 99, "1")
	stranger.Workload.Name = "other"
	twice(t, func(f []schemas.Forecast) error { return c.SaveForecasts(t.Context(), f) }, append(slices.Clone(all), stranger))

	got, err := c.ForecastsMadeAt(t.Context(), cart, schemas.SignalLoad, nasty, start.Add(time.Minute))
	same(t, "made at", got, all[6:12], err)
	from, to := start.Add(3*time.Minute), start.Add(time.Hour)
	got, err = c.ForecastPath(t.Context(), cart, schemas.SignalLoad, nasty, []float64{0.1, 0.9}, 2*time.Minute, from, to)
	same(t, "path", got, path, err)
	got, err = c.ForecastPath(t.Context(), cart, schemas.SignalLoad, "m' OR ''='", nil, 2*time.Minute, start, to)
	same(t, "another model", got, []schemas.Forecast(nil), err)

	var months []schemas.Forecast // more partitions than an insert may have
	for i := range 101 {
		months = append(months, forecast(start.AddDate(0, i, 0), time.Minute, 0.5, 1, "2"))
	}
	if err := c.SaveForecasts(t.Context(), months); err != nil {
		t.Fatal(err)
	}
	if n := ask(t, cfg, "SELECT count() FROM forecasts WHERE model_version = '2'"); n != "101" {
		t.Errorf("%s of 101 months are there", n)
	}
	big := forecasts(120_000)
	if err := c.SaveForecasts(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	const distinct = "SELECT uniqExact(made_at, target_time, workload, quantile) FROM forecasts WHERE model = 'naive'"
	if n := ask(t, cfg, distinct); n != "120000" {
		t.Errorf("%s rows of 120,000 are there", n)
	}
}

func TestPositionsNeverGoBack(t *testing.T) {
	c, _ := open(t)
	for i, step := range []struct{ save, want map[int]time.Time }{
		{map[int]time.Time{}, map[int]time.Time{}},
		{map[int]time.Time{0: at(day + 60*second), 3: at(day)}, map[int]time.Time{0: at(day + 60*second), 3: at(day)}},
		{map[int]time.Time{0: at(day), 1: {}, 3: at(day + second)}, map[int]time.Time{0: at(day + 60*second), 3: at(day + second)}},
	} {
		if err := c.SavePositions(t.Context(), nasty, step.save); err != nil {
			t.Fatal(err)
		}
		got, err := c.Positions(t.Context(), nasty)
		if err != nil || !maps.Equal(got, step.want) {
			t.Errorf("after save %d: %v, %v, want %v", i, got, err, step.want)
		}
	}
	other, err := c.Positions(t.Context(), "detect")
	same(t, "another stage", other, map[int]time.Time{}, err)
	if err := c.SavePositions(t.Context(), "detect", map[int]time.Time{-1: at(day)}); err == nil {
		t.Error("shard -1 was saved")
	}
}

// TestEveryExampleOnThePageRuns asks what docs/formats/sql.md shows.
func TestEveryExampleOnThePageRuns(t *testing.T) {
	_, cfg := open(t)
	page, err := os.ReadFile("../../docs/formats/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, examples, _ := strings.Cut(string(page), "\n## Examples")
	n := 0
	for block := range strings.SplitSeq(examples, "\n\n") {
		if sql := strings.TrimSpace(block); strings.HasPrefix(block, "    ") {
			n++
			ask(t, cfg, sql)
		}
	}
	if n < 9 {
		t.Errorf("%d examples", n)
	}
}

func TestASchemaWithoutDecisionsIsKnown(t *testing.T) {
	c, cfg := open(t)
	run(t, cfg, "DROP VIEW weir.decisions")
	if _, err := c.Decisions(t.Context(), store.Query{}); !clickhouse.IsUnknownTable(err) {
		t.Errorf("error %v is not that of a table that is not there", err)
	}
	if _, err := c.Findings(t.Context(), store.Query{}); err != nil || clickhouse.IsUnknownTable(err) {
		t.Errorf("error %v where the table is there", err)
	}
}
