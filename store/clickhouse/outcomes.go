package clickhouse

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

const outcomeColumns = "decision_id, at, stage, by, rule, reason, object, before, after, patch, inverse, diff, validation, read_from"

// idsPerRead keeps a statement below the size that ClickHouse takes.
const idsPerRead = 2000

// SaveOutcomes makes outcomes durable. An outcome takes the place of another of the same decision, stage and author.
func (c *Client) SaveOutcomes(ctx context.Context, outcomes []schemas.DecisionOutcome) error {
	return insertRows(ctx, c, "outcome_rows", outcomeColumns, outcomes, func(o schemas.DecisionOutcome) time.Time { return o.At },
		func(o schemas.DecisionOutcome) []any {
			return []any{
				o.DecisionID, o.At, string(o.Stage), o.By, o.Rule, o.Reason, o.Object, o.Before, o.After,
				o.Patch, o.Inverse, o.Diff, o.Validation, o.ReadFrom,
			}
		})
}

// Outcomes reads what became of the decisions with these ids, ordered by id, time and stage within each few thousand of ids.
func (c *Client) Outcomes(ctx context.Context, ids []string) (all []schemas.DecisionOutcome, err error) {
	for some := range slices.Chunk(ids, idsPerRead) {
		sql := "SELECT " + outcomeColumns + " FROM weir.outcomes WHERE decision_id IN (" + quoteAll(some) + ") " +
			"ORDER BY decision_id, at, stage, by"
		if all, err = read(ctx, c, all, sql, scanOutcome); err != nil {
			return nil, wrap("read outcomes", err)
		}
	}
	return all, nil
}

func scanOutcome(rows driver.Rows) (o schemas.DecisionOutcome, err error) {
	var stage string
	err = rows.Scan(&o.DecisionID, &o.At, &stage, &o.By, &o.Rule, &o.Reason, &o.Object, &o.Before, &o.After,
		&o.Patch, &o.Inverse, &o.Diff, &o.Validation, &o.ReadFrom)
	o.At, o.Stage = o.At.UTC(), schemas.Stage(stage)
	return o, err
}
