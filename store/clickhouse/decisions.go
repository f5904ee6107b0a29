package clickhouse

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

const decisionColumns = "decision_id, made_at, valid_until, kind, verdict, tenant, cluster, region, namespace, workload, version, unit, " +
	"`current`, proposed, signal, expected, low, high, code, reason, counterfactual, cause, replay, evidence, inputs, model, model_version, " +
	"signature, key_id"

// SaveDecisions makes decisions durable. Saving them again changes nothing.
func (c *Client) SaveDecisions(ctx context.Context, decisions []schemas.SignedDecision) error {
	return insertRows(ctx, c, "decision_rows", decisionColumns, decisions, func(d schemas.SignedDecision) time.Time { return d.MadeAt },
		func(d schemas.SignedDecision) []any {
			w := d.Target
			return []any{
				d.ID, d.MadeAt, d.ValidUntil, string(d.Kind), string(d.Verdict),
				w.Tenant, w.Cluster, w.Region, w.Namespace, w.Name, w.Version, d.Kind.Unit(),
				d.Current, d.Proposed, string(d.Signal), d.Expected, d.Low, d.High, d.Code, d.Reason, d.Counterfactual, d.Cause, d.Replay,
				facts(d.Evidence), d.Inputs, d.Model.Name, d.Model.Version, d.Signature, d.KeyID,
			}
		})
}

// Decisions reads decisions, ordered by when they were made and id.
func (c *Client) Decisions(ctx context.Context, q store.Query) ([]schemas.SignedDecision, error) {
	var which conditions
	if q.ID != "" {
		id, err := c.complete(ctx, "decisions", "decision_id", q.ID)
		if err != nil || id == "" {
			return nil, wrap("find decision", err)
		}
		which.add("decision_id = %s", quote(id))
	}
	if !q.From.IsZero() {
		which.add("made_at >= %s", instant(q.From))
	}
	if !q.To.IsZero() {
		which.add("made_at < %s", instant(q.To))
	}
	which.among("kind", q.Kinds)
	which.among("verdict", q.Verdicts)
	which.workload(q.Workload)
	sql := "SELECT " + decisionColumns + " FROM weir.decisions" + which.where() + inOrder(q, "made_at", "decision_id")
	all, err := read(ctx, c, nil, sql, scanDecision)
	return all, wrap("read decisions", err)
}

func scanDecision(rows driver.Rows) (d schemas.SignedDecision, err error) {
	var kind, verdict, unit, signal string
	var evidence []map[string]any
	w := &d.Target
	err = rows.Scan(&d.ID, &d.MadeAt, &d.ValidUntil, &kind, &verdict, &w.Tenant, &w.Cluster, &w.Region, &w.Namespace, &w.Name, &w.Version,
		&unit, &d.Current, &d.Proposed, &signal, &d.Expected, &d.Low, &d.High, &d.Code, &d.Reason, &d.Counterfactual, &d.Cause, &d.Replay,
		&evidence, &d.Inputs, &d.Model.Name, &d.Model.Version, &d.Signature, &d.KeyID)
	d.MadeAt, d.ValidUntil = d.MadeAt.UTC(), d.ValidUntil.UTC()
	d.Kind, d.Verdict, d.Signal = schemas.DecisionKind(kind), schemas.Verdict(verdict), schemas.Signal(signal)
	d.Evidence = factsOf(evidence)
	return d, err
}

// DecisionTotals counts the findings that fired and the decisions that propose something.
func (c *Client) DecisionTotals(ctx context.Context) (findings, decisions uint64, err error) {
	const sql = "SELECT (SELECT uniqExact(finding_id) FROM weir.finding_revisions WHERE state = 'firing'), " +
		"(SELECT uniqExact(decision_id) FROM weir.decisions WHERE verdict = 'propose')"
	err = c.conn.QueryRow(ctx, sql).Scan(&findings, &decisions)
	return findings, decisions, wrap("count findings and decisions", err)
}
