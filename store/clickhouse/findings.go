package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

const findingColumns = "finding_id, incident_id, revision, kind, state, started_at, updated_at, resolved_at, " +
	"tenant, cluster, region, namespace, workload, version, signal, observed, expected, low, high, score, threshold, " +
	"severity, explanation, evidence, inputs, model, model_version"

// SaveFindings makes revisions of findings durable. Saving them again changes nothing.
func (c *Client) SaveFindings(ctx context.Context, findings []schemas.Finding) error {
	return insertRows(ctx, c, "finding_rows", findingColumns, findings, func(f schemas.Finding) time.Time { return f.StartedAt },
		func(f schemas.Finding) []any {
			w := f.Workload
			var resolved *time.Time
			if !f.ResolvedAt.IsZero() {
				resolved = &f.ResolvedAt
			}
			return []any{
				f.ID, f.IncidentID, uint32(f.Revision), string(f.Kind), string(f.State), f.StartedAt, f.UpdatedAt, resolved,
				w.Tenant, w.Cluster, w.Region, w.Namespace, w.Name, w.Version, string(f.Signal),
				f.Observed, f.Expected, f.Low, f.High, f.Score, f.Threshold,
				f.Severity.String(), f.Explanation, facts(f.Evidence), f.Inputs, f.Model.Name, f.Model.Version,
			}
		})
}

// Findings reads findings as they stand, ordered by start and id. Those without an end count as open until today.
func (c *Client) Findings(ctx context.Context, q store.Query) ([]schemas.Finding, error) {
	var which conditions
	if q.ID != "" {
		id, err := c.complete(ctx, "finding_revisions", "finding_id", q.ID)
		if err != nil || id == "" {
			return nil, wrap("find finding", err)
		}
		which.add("finding_id = %s", quote(id))
	}
	if !q.From.IsZero() {
		which.add("(resolved_at IS NULL OR resolved_at > %s)", instant(q.From))
	}
	if !q.To.IsZero() {
		which.add("started_at < %s", instant(q.To))
	}
	which.among("kind", q.Kinds)
	which.among("state", q.States)
	which.workload(q.Workload)
	return c.findings(ctx, "findings", which.where()+inOrder(q, "started_at", "finding_id"))
}

// FindingRevisions reads all states of one finding in their order. The id may be cut short, as in store.Query.
func (c *Client) FindingRevisions(ctx context.Context, id string) ([]schemas.Finding, error) {
	if id == "" {
		return nil, nil
	}
	id, err := c.complete(ctx, "finding_revisions", "finding_id", id)
	if err != nil || id == "" {
		return nil, wrap("find finding", err)
	}
	return c.findings(ctx, "finding_revisions", " WHERE finding_id = "+quote(id)+" ORDER BY revision")
}

func (c *Client) findings(ctx context.Context, from, rest string) ([]schemas.Finding, error) {
	all, err := read(ctx, c, nil, "SELECT "+findingColumns+" FROM weir."+from+rest, scanFinding)
	return all, wrap("read findings", err)
}

func scanFinding(rows driver.Rows) (f schemas.Finding, err error) {
	var (
		revision                      uint32
		kind, state, signal, severity string
		resolved                      *time.Time
		evidence                      []map[string]any
	)
	w := &f.Workload
	err = rows.Scan(&f.ID, &f.IncidentID, &revision, &kind, &state, &f.StartedAt, &f.UpdatedAt, &resolved,
		&w.Tenant, &w.Cluster, &w.Region, &w.Namespace, &w.Name, &w.Version, &signal,
		&f.Observed, &f.Expected, &f.Low, &f.High, &f.Score, &f.Threshold,
		&severity, &f.Explanation, &evidence, &f.Inputs, &f.Model.Name, &f.Model.Version)
	f.Revision, f.Kind, f.State, f.Signal = int(revision), schemas.FindingKind(kind), schemas.FindingState(state), schemas.Signal(signal)
	f.StartedAt, f.UpdatedAt, f.Severity = f.StartedAt.UTC(), f.UpdatedAt.UTC(), severityOf(severity)
	if resolved != nil {
		f.ResolvedAt = resolved.UTC()
	}
	f.Evidence = factsOf(evidence)
	return f, err
}

func severityOf(name string) schemas.Severity {
	for _, s := range []schemas.Severity{schemas.SeverityCritical, schemas.SeverityWarning} {
		if s.String() == name {
			return s
		}
	}
	return schemas.SeverityInfo
}

// facts is evidence as the driver writes an Array(Tuple).
func facts(evidence []schemas.Fact) [][]any {
	rows := make([][]any, len(evidence))
	for i, f := range evidence {
		rows[i] = []any{f.Name, f.Value, f.Unit}
	}
	return rows
}

func factsOf(rows []map[string]any) []schemas.Fact {
	var all []schemas.Fact
	for _, row := range rows {
		var f schemas.Fact
		f.Name, _ = row["name"].(string)
		f.Value, _ = row["value"].(float64)
		f.Unit, _ = row["unit"].(string)
		all = append(all, f)
	}
	return all
}

// wrap names what failed; nil stays nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
