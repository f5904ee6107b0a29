package wire_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// FuzzDecodeEvent reads any message, with headers as lines "key: value", and holds what was understood to itself: written and read again
// it is the same.
func FuzzDecodeEvent(f *testing.F) {
	for _, e := range signed(f) {
		key, value, headers := e.Encode()
		var lines strings.Builder
		for _, h := range headers {
			lines.WriteString(h.Key + ": " + h.Value + "\n")
		}
		f.Add(key, value, lines.String())
	}
	f.Add([]byte(nil), []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","severitynumber":13,"x":[null],"data":{"a":1}}`),
		"content-type: application/cloudevents+json\n")
	f.Fuzz(func(t *testing.T, key, value []byte, lines string) {
		var headers []wire.Header
		for line := range strings.Lines(lines) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			headers = append(headers, wire.Header{Key: k, Value: v})
		}
		e, err := wire.DecodeEvent(key, value, headers)
		if err != nil {
			return
		}
		if again, err := wire.DecodeEvent(e.Encode()); err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v came back as %+v, error %v", e, again, err)
		}
		if _, err := decode(e); err == nil {
			again(t, e)
		}
	})
}

// FuzzDecodeData reads any data, under attributes that say what it says.
func FuzzDecodeData(f *testing.F) {
	for _, e := range signed(f) {
		f.Add(e.Data)
	}
	f.Add([]byte(`{"a":{"b":[1,{"c":null}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range claimed(data) {
			if _, err := decode(e); err == nil {
				again(t, e)
			}
		}
	})
}

// claimed returns events of all types whose attributes repeat what data says, as far as it says something.
func claimed(data []byte) []wire.Event {
	var d struct {
		FindingID  string    `json:"finding_id"`
		IncidentID string    `json:"incident_id"`
		Revision   int       `json:"revision"`
		State      string    `json:"state"`
		Severity   string    `json:"severity"`
		DecisionID string    `json:"decision_id"`
		Stage      string    `json:"stage"`
		Cause      string    `json:"cause"`
		Cluster    string    `json:"cluster"`
		Namespace  string    `json:"namespace"`
		Workload   string    `json:"workload"`
		Version    string    `json:"version"`
		UpdatedAt  time.Time `json:"updated_at"`
		MadeAt     time.Time `json:"made_at"`
		ValidUntil time.Time `json:"valid_until"`
		At         time.Time `json:"at"`
	}
	_ = json.Unmarshal(data, &d)
	w := schemas.Workload{Cluster: d.Cluster, Namespace: d.Namespace, Name: d.Workload, Version: d.Version}
	severity := map[string]schemas.Severity{"INFO": 9, "WARN": 13, "FATAL": 21}[d.Severity]
	alert := wire.Event{
		ID: wire.AlertID(d.FindingID, d.Revision), Source: "s", Type: wire.TypeAlert, DataSchema: wire.SchemaAlert, Subject: w.Versioned(),
		Time: d.UpdatedAt, Correlation: d.IncidentID, Severity: severity, PartitionKey: w.Key(), Data: data,
	}
	if d.State != "resolved" {
		alert.Expiry = d.UpdatedAt.Add(wire.AlertValidity)
	}
	return []wire.Event{
		alert,
		{
			ID: d.DecisionID, Source: "s", Type: wire.TypeDecision, DataSchema: wire.SchemaDecision, Subject: w.Versioned(), Time: d.MadeAt,
			Expiry: d.ValidUntil, Cause: d.Cause, PartitionKey: w.Key(), Data: data,
		},
		{
			ID: wire.OutcomeID(d.DecisionID, schemas.Stage(d.Stage)), Source: "s", Type: wire.TypeOutcome, DataSchema: wire.SchemaOutcome,
			Time: d.At, Cause: d.DecisionID, Data: data,
		},
	}
}

// again encodes what an event says and reads it back.
func again(t *testing.T, e wire.Event) {
	t.Helper()
	var second wire.Event
	var err error
	said := must(decode(e))(t)
	switch v := said.(type) {
	case schemas.Finding:
		second, err = wire.EncodeFinding(v, e.Source)
	case schemas.Decision:
		second, err = wire.EncodeDecision(v, e.Source)
	case schemas.DecisionOutcome:
		second, err = wire.EncodeOutcome(v, schemas.Workload{}, e.Source)
	}
	if err != nil {
		t.Fatalf("%+v cannot be said: %v", said, err)
	}
	third := must(decode(second))(t)
	if first, last := fmt.Sprintf("%+v", said), fmt.Sprintf("%+v", third); first != last { // as text, because NaN is not NaN
		t.Fatalf("%s came back as %s", first, last)
	}
}
