package wire

import (
	"fmt"

	"github.com/weirmesh/weir/schemas"
)

// EncodeDecision returns the event that says d, not signed yet. source is a URI reference of who says it. It fails if d could not be read
// back: if it is not valid, or has infinite numbers, times finer than a millisecond, names or lists that are too long.
func EncodeDecision(d schemas.Decision, source string) (Event, error) {
	e, err := fill(decisionEvent(d, source), func(c *codec) { decisionFields(c, &d) })
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		return Event{}, fmt.Errorf("encode decision %s: %w", d.ID, err)
	}
	return e, nil
}

// DecodeDecision reads the data of a decision, which is valid then, and whose id is that of its content. It fails if the event's
// attributes say something else than the data. It does not look at the signature: see Verify.
func DecodeDecision(e Event) (schemas.Decision, error) {
	var d schemas.Decision
	err := read(e, TypeDecision, func(c *codec) { decisionFields(c, &d) })
	if err == nil {
		err = e.agrees(decisionEvent(d, e.Source))
	}
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		return schemas.Decision{}, fmt.Errorf("decode decision of event %.100q: %w", e.ID, err)
	}
	return d, nil
}

func decisionEvent(d schemas.Decision, source string) Event {
	return Event{
		ID: plain(d.ID), Source: source, Type: TypeDecision, DataSchema: SchemaDecision,
		Subject: plain(d.Target.Versioned()), PartitionKey: plain(d.Target.Key()),
		Time: d.MadeAt, Expiry: d.ValidUntil, Cause: plain(d.Cause),
	}
}

// decisionFields moves the columns of decisions, but for the signature, which is in the headers.
func decisionFields(c *codec, d *schemas.Decision) {
	c.id("decision_id", &d.ID)
	c.time("made_at", &d.MadeAt)
	c.time("valid_until", &d.ValidUntil)
	word(c, "kind", &d.Kind, schemas.Scale, schemas.Shift)
	word(c, "verdict", &d.Verdict, schemas.Propose, schemas.Decline)
	c.workload(&d.Target)
	unit := d.Kind.Unit()
	word(c, "unit", &unit, unit)
	c.number("current", &d.Current)
	c.number("proposed", &d.Proposed)
	word(c, "signal", &d.Signal, "", schemas.SignalLoad, schemas.SignalErrorRate, schemas.SignalLatency)
	c.estimate("expected", &d.Expected)
	c.estimate("low", &d.Low)
	c.estimate("high", &d.High)
	c.name("code", &d.Code)
	c.text("reason", &d.Reason, maxSentence)
	c.text("counterfactual", &d.Counterfactual, maxSentence)
	c.name("cause", &d.Cause)
	c.flag("replay", &d.Replay)
	c.facts("evidence", &d.Evidence)
	c.texts("inputs", &d.Inputs)
	c.name("model", &d.Model.Name)
	c.name("model_version", &d.Model.Version)
}
