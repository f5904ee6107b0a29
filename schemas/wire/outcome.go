package wire

import (
	"fmt"

	"github.com/weirmesh/weir/schemas"
)

// OutcomeID is the id of the event that says how far a decision has come.
func OutcomeID(decisionID string, stage schemas.Stage) string {
	return decisionID + "." + string(stage)
}

// EncodeOutcome returns the event that says o, not signed yet. target is the decision's, so that the outcomes of a workload follow each
// other in one partition; where it is not known (zero), those of the decision do. source is a URI reference of who says it. It fails if o
// could not be read back; with ErrTooLarge if its manifests do not fit.
func EncodeOutcome(o schemas.DecisionOutcome, target schemas.Workload, source string) (Event, error) {
	e := outcomeEvent(o, source)
	e.PartitionKey = plain(o.DecisionID)
	if target != (schemas.Workload{}) {
		e.Subject, e.PartitionKey = plain(target.Versioned()), plain(target.Key())
	}
	e, err := fill(e, func(c *codec) { outcomeFields(c, &o) })
	if err != nil {
		return Event{}, fmt.Errorf("encode outcome of decision %s: %w", o.DecisionID, err)
	}
	return e, nil
}

// DecodeOutcome reads the data of an outcome. It fails if the event's attributes say something else; the data does not speak of subject
// and partitionkey.
func DecodeOutcome(e Event) (schemas.DecisionOutcome, error) {
	var o schemas.DecisionOutcome
	err := read(e, TypeOutcome, func(c *codec) { outcomeFields(c, &o) })
	if err == nil {
		want := outcomeEvent(o, e.Source)
		want.Subject, want.PartitionKey = e.Subject, e.PartitionKey
		err = e.agrees(want)
	}
	if err != nil {
		return schemas.DecisionOutcome{}, fmt.Errorf("decode outcome of event %.100q: %w", e.ID, err)
	}
	return o, nil
}

func outcomeEvent(o schemas.DecisionOutcome, source string) Event {
	return Event{
		ID: plain(OutcomeID(o.DecisionID, o.Stage)), Source: source, Type: TypeOutcome, DataSchema: SchemaOutcome,
		Time: o.At, Cause: plain(o.DecisionID),
	}
}

// outcomeFields moves the columns of outcomes, but for realised, which is measured later.
func outcomeFields(c *codec, o *schemas.DecisionOutcome) {
	c.id("decision_id", &o.DecisionID)
	c.time("at", &o.At)
	word(c, "stage", &o.Stage,
		schemas.StageReported, schemas.StageDeclined, schemas.StageRefused, schemas.StageSuperseded, schemas.StageExpired)
	c.id("by", &o.By)
	c.name("rule", &o.Rule)
	c.text("reason", &o.Reason, maxSentence)
	c.text("object", &o.Object, maxSentence)
	c.text("before", &o.Before, MaxData)
	c.text("after", &o.After, MaxData)
	c.text("patch", &o.Patch, MaxData)
	c.text("inverse", &o.Inverse, MaxData)
	c.text("diff", &o.Diff, MaxData)
	c.text("validation", &o.Validation, MaxData)
	c.text("read_from", &o.ReadFrom, maxSentence)
}
