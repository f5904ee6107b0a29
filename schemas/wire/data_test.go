package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestAttributesOfTheThree(t *testing.T) {
	events := signed(t)
	f, d := finding(), decision()
	resolved := f
	resolved.State, resolved.ResolvedAt = schemas.Resolved, f.UpdatedAt
	cause := d
	cause.Cause = f.ID
	cause.ID = cause.Identity()
	for _, c := range []struct {
		name string
		got  wire.Event
		want wire.Event
	}{
		{"alert", events["alert"], wire.Event{
			ID: f.ID + ".2", Source: "/weir/detect", Type: "dev.weir.alert.v1", DataSchema: wire.SchemaAlert, Subject: "c/shop/cart@v2",
			Time: f.UpdatedAt, Expiry: f.UpdatedAt.Add(15 * time.Minute), Correlation: f.IncidentID, Severity: 21, PartitionKey: "c/shop/cart",
		}},
		{"resolved alert", must(wire.EncodeFinding(resolved, "/weir/detect"))(t), wire.Event{
			ID: f.ID + ".2", Source: "/weir/detect", Type: "dev.weir.alert.v1", DataSchema: wire.SchemaAlert, Subject: "c/shop/cart@v2",
			Time: f.UpdatedAt, Correlation: f.IncidentID, Severity: 21, PartitionKey: "c/shop/cart",
		}},
		{"decision", events["decision"], wire.Event{
			ID: d.ID, Source: "/weir/forecast", Type: "dev.weir.decision.v1", DataSchema: wire.SchemaDecision, Subject: "c/shop/cart@v2",
			Time: d.MadeAt, Expiry: d.ValidUntil, PartitionKey: "c/shop/cart",
		}},
		{"decision with a cause", must(wire.EncodeDecision(cause, "/weir/detect"))(t), wire.Event{
			ID: cause.ID, Source: "/weir/detect", Type: "dev.weir.decision.v1", DataSchema: wire.SchemaDecision, Subject: "c/shop/cart@v2",
			Time: d.MadeAt, Expiry: d.ValidUntil, Cause: f.ID, PartitionKey: "c/shop/cart",
		}},
		{"outcome", events["outcome"], wire.Event{
			ID: d.ID + ".reported", Source: "/weir/actuator", Type: "dev.weir.outcome.v1", DataSchema: wire.SchemaOutcome, Subject: "c/shop/cart@v2",
			Time: at("06:31:00"), Cause: d.ID, PartitionKey: "c/shop/cart",
		}},
		{"outcome of an unknown target", must(wire.EncodeOutcome(outcome(), schemas.Workload{}, "/weir/actuator"))(t), wire.Event{
			ID: d.ID + ".reported", Source: "/weir/actuator", Type: "dev.weir.outcome.v1", DataSchema: wire.SchemaOutcome,
			Time: at("06:31:00"), Cause: d.ID, PartitionKey: d.ID,
		}},
	} {
		c.got.Data, c.got.Signature, c.got.KeyID = nil, "", ""
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, c.got, c.want)
		}
	}
}

// TestRoundTrips sends random values through a Kafka message, and checks each against its JSON Schema.
func TestRoundTrips(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	check := compiled(t)
	for range 300 {
		f, d, o, w := r.finding(), r.decision(), r.outcome(), r.workload()
		for _, c := range []struct {
			event wire.Event
			want  any
		}{
			{must(wire.EncodeFinding(f, "/weir/detect"))(t), f},
			{must(wire.EncodeDecision(d, "/weir/forecast"))(t), d},
			{must(wire.EncodeOutcome(o, w, "/weir/actuator"))(t), o},
		} {
			if err := check(c.event.DataSchema, c.event.Data); err != nil {
				t.Fatalf("%s: %v", c.event.Data, err)
			}
			event := must(wire.DecodeEvent(c.event.Encode()))(t)
			if !reflect.DeepEqual(event, c.event) {
				t.Fatalf("%+v, want %+v", event, c.event)
			}
			if got, err := decode(event); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("%+v, want %+v, error %v", got, c.want, err)
			}
		}
	}
}

func TestWhatIsNotKnownIsNull(t *testing.T) {
	d := decision()
	d.Verdict, d.Code, d.Proposed, d.Signal = schemas.Decline, "insufficient_history", d.Current, ""
	d.Expected, d.Low, d.High = math.NaN(), math.NaN(), math.NaN()
	d.ID = d.Identity()
	e := must(wire.EncodeDecision(d, "s"))(t)
	if err := compiled(t)(e.DataSchema, e.Data); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(e.Data), `"expected":null,"low":null,"high":null`) {
		t.Errorf("%s", e.Data)
	}
	got := must(wire.DecodeDecision(e))(t)
	if !math.IsNaN(got.Expected) || !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("%+v", got)
	}
}

func TestRefusedToEncode(t *testing.T) {
	long := strings.Repeat("a", 254)
	findings := map[string]func(*schemas.Finding){
		"field observed: json: unsupported value: NaN":               func(f *schemas.Finding) { f.Observed = math.NaN() },
		"field high: json: unsupported value: +Inf":                  func(f *schemas.Finding) { f.High = math.Inf(1) },
		"field evidence: item 1: field value: json: unsupported":     func(f *schemas.Finding) { f.Evidence[1].Value = math.Inf(-1) },
		"field evidence: item 0: field name: it is empty":            func(f *schemas.Finding) { f.Evidence[0].Name = "" },
		"field evidence: 1001 items, more than 1000":                 func(f *schemas.Finding) { f.Evidence = make([]schemas.Fact, 1001) },
		"field inputs: 1001 items, more than 1000":                   func(f *schemas.Finding) { f.Inputs = make([]string, 1001) },
		"field inputs: item 0 is empty":                              func(f *schemas.Finding) { f.Inputs = []string{""} },
		"field workload: it is empty":                                func(f *schemas.Finding) { f.Workload.Name = "" },
		"field namespace: 254 bytes, more than 253":                  func(f *schemas.Finding) { f.Workload.Namespace = long },
		"field cluster: it is no UTF-8":                              func(f *schemas.Finding) { f.Workload.Cluster = "\xff" },
		"field started_at: 2025-03-04 06:30:00.0000001 +0000 UTC is": func(f *schemas.Finding) { f.StartedAt = f.StartedAt.Add(100) },
		"field updated_at: 0001-01-01":                               func(f *schemas.Finding) { f.UpdatedAt = time.Time{} },
		"field updated_at: it is before started_at":                  func(f *schemas.Finding) { f.UpdatedAt = f.StartedAt.Add(-time.Second) },
		"field resolved_at: it must be there if and only if":         func(f *schemas.Finding) { f.State = schemas.Resolved },
		`field kind: "odd" is none of ["errors" "latency"]`:          func(f *schemas.Finding) { f.Kind = "odd" },
		`field severity: "WARN" (17) is none of`:                     func(f *schemas.Finding) { f.Severity = 17 },
		"field revision: 0 is not in 1..2147483647":                  func(f *schemas.Finding) { f.Revision = 0 },
		"field explanation: 4097 bytes, more than 4096":              func(f *schemas.Finding) { f.Explanation = strings.Repeat("a", 4097) },
	}
	for want, change := range findings {
		f := finding()
		change(&f)
		if e, err := wire.EncodeFinding(f, "/weir/detect"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s, error %v, want %q", e.Data, err, want)
		}
	}
	d := decision()
	d.Proposed = 5 // its id no longer is that of its content
	if e, err := wire.EncodeDecision(d, "s"); err == nil || !strings.Contains(err.Error(), "its content says") {
		t.Errorf("%s, error %v", e.Data, err)
	}
	if e, err := wire.EncodeDecision(decision(), ""); err == nil {
		t.Errorf("without a source: %+v", e)
	}
	o := outcome()
	o.Before = strings.Repeat("a\n", wire.MaxData/2)
	if e, err := wire.EncodeOutcome(o, cart(), "s"); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("%d bytes, error %v, want %v", len(e.Data), err, wire.ErrTooLarge)
	}
}

// TestRefusedData changes one thing in good data. What the decoder refuses the schema refuses, but for what no schema can say.
func TestRefusedData(t *testing.T) {
	check := compiled(t)
	for _, c := range []struct {
		event, old, new string
		onlyDecoder     bool
	}{
		{"decision", `"kind":"scale"`, `"kind":"delete"`, false},
		{"decision", `"kind":"scale"`, `"kind":"shift"`, false}, // the unit is replicas
		{"decision", `"kind":"scale"`, `"Kind":"scale"`, false},
		{"decision", `"verdict":"propose"`, `"verdict":null`, false},
		{"decision", `"current":4`, `"current":"4"`, false},
		{"decision", `"current":4`, `"current":-4`, false},
		{"decision", `"current":4`, `"current":4.5`, false},
		{"decision", `"proposed":6`, `"proposed":0`, false},
		{"decision", `"proposed":6`, `"proposed":1000000`, false},
		{"decision", `"proposed":6`, `"proposed":7`, true}, // another id
		{"decision", `"expected":410.5`, `"expected":1e999`, true},
		{"decision", `"expected":410.5,`, ``, false},
		{"decision", `"expected":410.5`, `"expected":[]`, false},
		{"decision", `"unit":"replicas"`, `"unit":"percent"`, false},
		{"decision", `"replay":false`, `"replay":0`, false},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":"2025-03-04T06:31:00+00:00"`, false},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":"2025-03-04T06:31:00.0000Z"`, false},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":"2025-03-04T6:31:00Z"`, false},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":"2025-02-30T06:31:00Z"`, false},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":"1025-03-04T06:31:00Z"`, true},
		{"decision", `"made_at":"2025-03-04T06:31:00Z"`, `"made_at":1741069860`, false},
		{"decision", `"workload":"cart"`, `"workload":""`, false},
		{"decision", `"workload":"cart"`, `"workload":"cart","workload":"front"`, true}, // which one a reader takes is not said anywhere
		{"decision", `"namespace":"shop"`, `"namespace":"` + strings.Repeat("a", 254) + `"`, false},
		{"decision", `"evidence":[`, `"evidence":[5,`, false},
		{"decision", `"evidence":[`, `"evidence":[{"name":"","value":1,"unit":""},`, false},
		{"decision", `"evidence":[`, `"evidence":[{"name":"a","unit":""},`, false},
		{"decision", `"evidence":[`, `"evidence":[{"name":"a","value":"1","unit":""},`, false},
		{"decision", `"evidence":[`, `"evidence":[` + strings.Repeat(`{"name":"a","value":1,"unit":""},`, 1000), false},
		{"decision", `"inputs":[`, `"inputs":["",`, false},
		{"decision", `"inputs":[`, `"inputs":[null,`, false},
		{"decision", `"inputs":[`, `"inputs":[` + strings.Repeat(`"a",`, 1000), false},
		{"alert", `"resolved_at":null`, `"resolved_at":"2025-03-04T06:31:00Z"`, false},
		{"alert", `"resolved_at":null,`, ``, false},
		{"alert", `"state":"firing"`, `"state":"resolved"`, false},
		{"alert", `"state":"firing"`, `"state":"on fire"`, false},
		{"alert", `"severity":"FATAL"`, `"severity":"ERROR"`, false},
		{"alert", `"severity":"FATAL"`, `"severity":"WARN"`, true}, // not what the header says
		{"alert", `"revision":2`, `"revision":0`, false},
		{"alert", `"revision":2`, `"revision":2.5`, false},
		{"alert", `"signal":"error_rate"`, `"signal":""`, false},
		{"alert", `"observed":0.125`, `"observed":null`, false},
		{"outcome", `"stage":"reported"`, `"stage":"applied"`, false},
		{"outcome", `"by":"actuator"`, `"by":""`, false},
		{"outcome", `"diff":"`, `"diff":["`, false},
	} {
		e := signed(t)[c.event]
		if !strings.Contains(string(e.Data), c.old) {
			t.Fatalf("%s has no %s", c.event, c.old)
		}
		name := fmt.Sprintf("%s with %.60s", c.event, c.new)
		e.Data = []byte(strings.Replace(string(e.Data), c.old, c.new, 1))
		if got, err := decode(e); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
		if json.Valid(e.Data) && !c.onlyDecoder && check(e.DataSchema, e.Data) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func TestOnlyTimesThatTheStoreHoldsAreRead(t *testing.T) {
	for year, good := range map[string]bool{"1969": false, "1970": true, "2261": true, "2262": false} {
		e := signed(t)["outcome"]
		e.Data = []byte(strings.Replace(string(e.Data), "2025-03-04", year+"-03-04", 1))
		e.Time = must(time.Parse(time.DateTime, year+"-03-04 06:31:00"))(t)
		if o, err := wire.DecodeOutcome(e); (err == nil) != good {
			t.Errorf("%s: %+v, error %v", year, o, err)
		}
	}
}

func TestDataOfAnotherTypeIsRefused(t *testing.T) {
	e := signed(t)
	for name, decode := range map[string]func() error{
		"alert":    func() error { _, err := wire.DecodeFinding(e["decision"]); return err },
		"decision": func() error { _, err := wire.DecodeDecision(e["outcome"]); return err },
		"outcome":  func() error { _, err := wire.DecodeOutcome(e["alert"]); return err },
	} {
		if err := decode(); err == nil || !strings.Contains(err.Error(), "its type is") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestPeopleCanReadTheData(t *testing.T) {
	o := outcome()
	o.Reason = "a < b & c > d, überall"
	if e := must(wire.EncodeOutcome(o, cart(), "s"))(t); !strings.Contains(string(e.Data), `"reason":"`+o.Reason+`"`) {
		t.Errorf("%s", e.Data)
	}
}

func TestNewerDataIsRead(t *testing.T) {
	for name, e := range signed(t) {
		want := must(decode(e))(t)
		e.Data = []byte(strings.Replace(string(e.Data), "{", `{"newer":{"field":[1]},`, 1))
		if got, err := decode(e); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
		if err := compiled(t)(e.DataSchema, e.Data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
