package wire

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// AlertValidity is how long after its time an alert of a finding that is not resolved is worth anybody's attention.
const AlertValidity = 15 * time.Minute

// AlertID is the id of the event that says a revision of a finding.
func AlertID(findingID string, revision int) string { return findingID + "." + strconv.Itoa(revision) }

// EncodeFinding returns the alert that says f: an event that is not signed yet. source is a URI reference of who says it. It fails if f
// could not be read back: numbers that are not finite, times finer than a millisecond, names or lists that are too long.
func EncodeFinding(f schemas.Finding, source string) (Event, error) {
	e, err := fill(findingEvent(f, source), func(c *codec) { findingFields(c, &f) })
	if err != nil {
		return Event{}, fmt.Errorf("encode finding %s: %w", f.ID, err)
	}
	return e, nil
}

// DecodeFinding reads the data of an alert. It fails if the event's attributes say something else.
func DecodeFinding(e Event) (schemas.Finding, error) {
	var f schemas.Finding
	err := read(e, TypeAlert, func(c *codec) { findingFields(c, &f) })
	if err == nil {
		err = e.agrees(findingEvent(f, e.Source))
	}
	if err != nil {
		return schemas.Finding{}, fmt.Errorf("decode finding of event %.100q: %w", e.ID, err)
	}
	return f, nil
}

func findingEvent(f schemas.Finding, source string) Event {
	e := Event{
		ID: plain(AlertID(f.ID, f.Revision)), Source: source, Type: TypeAlert, DataSchema: SchemaAlert,
		Subject: plain(f.Workload.Versioned()), PartitionKey: plain(f.Workload.Key()),
		Time: f.UpdatedAt, Correlation: plain(f.IncidentID), Severity: f.Severity,
	}
	if f.State != schemas.Resolved {
		e.Expiry = f.UpdatedAt.Add(AlertValidity)
	}
	return e
}

// findingFields moves the columns of finding_revisions.
func findingFields(c *codec, f *schemas.Finding) {
	c.id("finding_id", &f.ID)
	c.id("incident_id", &f.IncidentID)
	c.whole("revision", &f.Revision, 1)
	word(c, "kind", &f.Kind, schemas.FindingErrors, schemas.FindingLatency)
	word(c, "state", &f.State, schemas.Pending, schemas.Firing, schemas.Resolved)
	c.time("started_at", &f.StartedAt)
	c.time("updated_at", &f.UpdatedAt)
	c.check("updated_at", !f.UpdatedAt.Before(f.StartedAt), "it is before started_at")
	c.maybeTime("resolved_at", &f.ResolvedAt)
	c.check("resolved_at", f.ResolvedAt.IsZero() == (f.State != schemas.Resolved), "it must be there if and only if the state is resolved")
	c.workload(&f.Workload)
	word(c, "signal", &f.Signal, schemas.SignalLoad, schemas.SignalErrorRate, schemas.SignalLatency)
	c.number("observed", &f.Observed)
	c.number("expected", &f.Expected)
	c.number("low", &f.Low)
	c.number("high", &f.High)
	c.number("score", &f.Score)
	c.number("threshold", &f.Threshold)
	c.severity("severity", &f.Severity)
	c.text("explanation", &f.Explanation, maxSentence)
	c.facts("evidence", &f.Evidence)
	c.texts("inputs", &f.Inputs)
	c.name("model", &f.Model.Name)
	c.name("model_version", &f.Model.Version)
}

// severity moves the text of one of the three severities: text and number then belong together one to one, as the extension asks.
func (c *codec) severity(name string, s *schemas.Severity) {
	said := s.String()
	c.move(name, &said, false)
	for _, one := range []schemas.Severity{schemas.SeverityInfo, schemas.SeverityWarning, schemas.SeverityCritical} {
		if said == one.String() && (c.reading() || *s == one) {
			*s = one
			return
		}
	}
	c.check(name, false, "%.100q (%d) is none of INFO (9), WARN (13) and FATAL (21)", said, *s)
}

// fill puts data into an event whose attributes are set.
func fill(e Event, fields func(*codec)) (Event, error) {
	data, err := encodeObject(fields)
	if err != nil {
		return Event{}, err
	}
	e.Data = data
	return e, e.Validate()
}

// read reads the data of an event of some type.
func read(e Event, kind string, fields func(*codec)) error {
	if e.Type != kind {
		return fmt.Errorf("its type is %.100q, want %s", e.Type, kind)
	}
	if err := e.Validate(); err != nil {
		return err
	}
	return decodeObject(e.Data, fields)
}
