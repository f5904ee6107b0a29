package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// ending is what the demo says at its end.
type ending struct {
	calls, told uint64
	report      string
	chart       string
	firing      []schemas.Finding // the gravest first
	proposals   []schemas.SignedDecision
	seconds     float64
}

// ending gathers what there is to say once everything is decided.
func (d *demo) ending(ctx context.Context) (*ending, error) {
	e := &ending{seconds: time.Since(d.began).Seconds()}
	totals, err := d.store.Totals(ctx)
	if err != nil {
		return nil, err
	}
	e.calls = totals.Calls
	for _, t := range d.run.mesh.Truth().Totals {
		e.told += t.Offered - t.Rejected
	}
	if e.firing, err = d.store.Findings(ctx, store.Query{States: []string{string(schemas.Firing)}}); err != nil {
		return nil, err
	}
	at, _, err := reportTime(ctx, d.store, time.Now())
	if err != nil {
		return nil, err
	}
	if e.proposals, err = liveProposals(ctx, d.store, at); err != nil {
		return nil, err
	}
	slices.SortStableFunc(e.firing, func(a, b schemas.Finding) int { return cmp.Compare(blamed(b, e.proposals), blamed(a, e.proposals)) })
	e.chart, err = forecastChart(ctx, d.store, d.growing(e.proposals), at)
	return e, err
}

// blamed is 1 for a finding that a proposal follows from, else 0.
func blamed(f schemas.Finding, proposals []schemas.SignedDecision) int {
	if slices.ContainsFunc(proposals, func(p schemas.SignedDecision) bool { return p.Cause == f.ID }) {
		return 1
	}
	return 0
}

// growing is a workload that more replicas are proposed for, or the entry service, whose load all others follow.
func (d *demo) growing(proposals []schemas.SignedDecision) schemas.Workload {
	for _, p := range proposals {
		if p.Kind == schemas.Scale && p.Proposed > p.Current {
			return p.Target.Unversioned()
		}
	}
	m := d.run.scenario.Mesh
	return schemas.Workload{Cluster: m.Cluster, Namespace: m.Namespace, Name: m.Services[0].Name}
}

// liveProposals are those that hold at a time, the latest for each target.
func liveProposals(ctx context.Context, c *clickhouse.Client, at time.Time) ([]schemas.SignedDecision, error) {
	all, err := c.Decisions(ctx, store.Query{From: at.Add(-2 * time.Hour), To: at.Add(time.Second), Verdicts: []string{string(schemas.Propose)}, Newest: true})
	if err != nil {
		return nil, err
	}
	var out []schemas.SignedDecision
	seen := map[string]bool{}
	for _, d := range all {
		if key := string(d.Kind) + d.Target.Versioned(); !seen[key] && d.ValidUntil.After(at) {
			seen[key] = true
			out = append(out, d)
		}
	}
	return out, nil
}

// print writes what there is to say; weir is the program as it was called, so that the commands can be copied.
func (e *ending) print(out io.Writer, weir, dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nCounted %d calls; the simulation made %d. It took %.0f s.\n\n%s\n", e.calls, e.told, e.seconds, e.chart)
	for _, f := range e.firing {
		fmt.Fprintf(&b, "Wrong now:  %s\n", oneLine(f.Explanation))
	}
	if len(e.firing) == 0 {
		fmt.Fprintln(&b, "Wrong now:  nothing was found.")
	}
	fmt.Fprintln(&b)
	for _, p := range e.proposals {
		fmt.Fprintf(&b, "Proposed:   %s\n", oneLine(p.Reason))
	}
	if len(e.proposals) == 0 {
		fmt.Fprintln(&b, "Proposed:   nothing.")
	}
	look := func(command, rest string) { fmt.Fprintf(&b, "  %s %s --data-dir %s %s\n", weir, command, dir, rest) }
	fmt.Fprintln(&b, "\nNothing was applied. Where to look next:")
	look("report", "                         # all of it, with evidence, diffs and how to undo")
	look("report", "-o html --out report.html")
	if len(e.firing) > 0 {
		look("why", e.firing[0].ID)
	}
	if len(e.proposals) > 0 {
		look("why", e.proposals[0].ID)
		look("query", fmt.Sprintf("\"SELECT * FROM decisions WHERE decision_id = '%s'\" -o vertical", e.proposals[0].ID))
	}
	look("up", "--manifests "+filepath.Join(dir, "sim", "manifests")+"    # go on from here, live")
	_, err := io.WriteString(out, b.String())
	return err
}
